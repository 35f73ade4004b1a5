"""The suites, in the order of the page: in-domain, subjects left out, and what was learnt elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.routing_metrics import DRAWS
from bench.routing_routers import (
    FAST,
    SLOW,
    Fit,
    Fitted,
    Line,
    Scores,
    Split,
    all_of,
    array,
    baselines,
    fitted,
    group_folds,
    random_folds,
    random_rows,
)
from bench.routing_rows import Outcomes, joined
from bench.routing_sets import GRADE_SCHOOL, Public
from bench.routing_suites import measure

SEEDS = (0, 1, 2)
LABELS = 1_500
"""As many as RouteLLM added from MMLU's validation questions."""
FOLDS = 5
MISTRAL, TINY = "Mistral-7B", "Qwen2.5-0.5B"

Measured = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Lab:
    """What every suite needs: how to fit, what is shipped, and whether the encoder is there."""

    fit: Fit
    lexical: Scores
    shipped: dict[str, Scores]
    """The scorer as it comes, by the name of its row."""
    learnt: str
    """What the shipped weights have learnt from."""
    encoder: bool
    draws: int = DRAWS
    seeds: tuple[int, ...] = SEEDS
    labels: int = LABELS
    _routers: dict[tuple[int, bool], tuple[Outcomes, Fitted]] = field(default_factory=dict)

    def suite(self, questions: Outcomes, splits: Sequence[Split], *more: Line) -> dict[str, Any]:
        found = [*baselines(questions, splits, self.lexical), *more]
        return measure(questions, splits, found, self.draws)

    def trained(self, questions: Outcomes, splits: Sequence[Split], trained: str) -> list[Line]:
        return fitted(questions, splits, trained, self.fit, encoder=self.encoder)

    def as_shipped(self, questions: Outcomes) -> list[Line]:
        return [Line(name, self.learnt, (scores(questions.texts),)) for name, scores in self.shipped.items()]

    def router(self, train: Outcomes, *, encoder: bool) -> Fitted:
        """Fitted once: several suites ask the same one."""
        key = (id(train), encoder)
        if key not in self._routers:
            weak, strong = train.weak.tolist(), train.strong.tolist()
            self._routers[key] = train, self.fit(train.texts, weak, strong, encoder=encoder, seed=0)
        return self._routers[key][1]

    def elsewhere(self, questions: Outcomes, train: Outcomes) -> list[Line]:
        """The ensembles that learnt from other questions."""
        found = {FAST: self.router(train, encoder=False)}
        if self.encoder:
            found[SLOW] = self.router(train, encoder=True)
        told = f"{train.name} ({len(train):,})"
        return [Line(name, told, (array(router.gain(questions.texts)),)) for name, router in found.items()]


def in_domain(found: Public, lab: Lab) -> Iterator[Measured]:
    """Learn from some of a set's questions, be asked about the others."""
    if found.mmlu is not None:
        splits = [random_rows(found.mmlu, lab.labels, seed) for seed in lab.seeds]
        yield (
            "MMLU, 1,500 labels",
            lab.suite(found.mmlu, splits, *lab.trained(found.mmlu, splits, f"{lab.labels:,} random questions of it")),
        )
    if found.gsm8k is not None:
        yield "GSM8K, in-domain", _folds(found.gsm8k, lab, lab.seeds)
    for name, (train, test) in found.llmrouter.items():
        split = [all_of(test, train)]
        told = f"LLMRouter's training rows ({len(train):,})"
        yield f"LLMRouter, {name}", lab.suite(test, split, *lab.as_shipped(test), *lab.trained(test, split, told))
    for name, questions in found.zeroeval.items():
        yield f"ZeroEval {name}", _folds(questions, lab, lab.seeds)
    for (size, code), questions in found.mifeval.items():
        if code == "en":
            yield f"M-IFEval en, {size}", _folds(questions, lab, lab.seeds)
        elif (english := found.mifeval.get((size, "en"))) is not None:
            split = [all_of(questions, english)]
            told = f"the English questions ({len(english)})"
            yield f"M-IFEval {code}, {size}", lab.suite(questions, split, *lab.trained(questions, split, told))


def left_out(found: Public, lab: Lab) -> Iterator[Measured]:
    """Whole subjects or tasks are never learnt from: in-domain figures flatter whoever knows the subject."""
    sets = {"MMLU, unseen subjects": found.mmlu}
    if MISTRAL in found.llmrouter:
        sets["LLMRouter, unseen tasks"] = found.llmrouter[MISTRAL][0]
    for name, questions in sets.items():
        if questions is not None:
            split = [group_folds(questions, FOLDS, 0)]
            told = "the other subjects" if "subjects" in name else "the other tasks"
            yield name, lab.suite(questions, split, *lab.trained(questions, split, told))


def transfer(found: Public, lab: Lab) -> Iterator[Measured]:
    """Nothing is learnt from the set that is asked about, nor from its training part."""
    teachers = _teachers(found)
    for name, questions, kin in _tests(found):
        seen = {told for told in teachers if told.startswith(kin)}
        lines = [] if kin in ("ZeroEval", "M-IFEval", "LLMRouter") else lab.as_shipped(questions)
        for told, train in teachers.items():
            if told not in seen and not (told.startswith("LLMRouter") and told != _apt(kin)):
                lines += lab.elsewhere(questions, train)
        yield name, lab.suite(questions, [all_of(questions, questions)], *lines)


def _tests(found: Public) -> Iterator[tuple[str, Outcomes, str]]:
    """Name, questions, and the kin that no teacher may be of."""
    named = {"MMLU": found.mmlu, "GSM8K": found.gsm8k, "MT-Bench": found.mt_bench}
    for name, questions in named.items():
        if questions is not None:
            yield name, questions, name
    if MISTRAL in found.llmrouter:
        yield "LLMRouter test", found.llmrouter[MISTRAL][1], "LLMRouter"
    for questions in found.zeroeval.values():
        yield questions.name, questions, "ZeroEval"
    for code in ("en", "es", "fr"):
        if (one := found.mifeval.get((TINY, code))) is not None:
            yield one.name, one, "M-IFEval"


_WITHOUT = {"MMLU": frozenset({"mmlu"}), "GSM8K": GRADE_SCHOOL}
"""Tasks of LLMRouter that are the same benchmark as a test."""


def _apt(kin: str) -> str:
    return f"LLMRouter without {kin}" if kin in _WITHOUT else "LLMRouter"


def _teachers(found: Public) -> dict[str, Outcomes]:
    named: dict[str, Outcomes | None] = {"LLMRouter": found.to_learn()}
    named |= {_apt(kin): found.to_learn(without=tasks) for kin, tasks in _WITHOUT.items()}
    named |= {"MMLU": found.mmlu, "GSM8K": found.gsm8k, "M-IFEval en": found.mifeval.get((TINY, "en"))}
    named["ZeroEval"] = joined("ZeroEval", *found.zeroeval.values()) if found.zeroeval else None
    return {told: train.named(told) for told, train in named.items() if train is not None}


def _folds(questions: Outcomes, lab: Lab, seeds: Sequence[int]) -> dict[str, Any]:
    splits = [random_folds(questions, FOLDS, seed) for seed in seeds]
    return lab.suite(questions, splits, *lab.trained(questions, splits, f"four fifths of it, {FOLDS} times"))

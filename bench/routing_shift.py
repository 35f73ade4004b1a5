"""What changes with the traffic: the share above one fixed threshold, and the same question in four languages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.routing_metrics import Array
from bench.routing_plan import MISTRAL, Lab
from bench.routing_routers import FAST, SLOW, Fitted, Scores, array
from bench.routing_sets import GRADE_SCHOOL, Public
from bench.routing_shipped import FAST as FAST_SHIPPED
from bench.routing_shipped import asks_encoder

POLICY = 0.55
"""The threshold of the shipped policy."""
WITHIN = 5.0
"""Points by which a language may differ from English."""
AGREEMENT = 0.65
"""Spearman's rank correlation with the English scores that is asked for."""

Family = Callable[[str], str]


def scorers(found: Public, lab: Lab, *, without: frozenset[str] = frozenset()) -> dict[str, Scores]:
    """The shipped scorer, and the ensembles that learnt from LLMRouter."""
    named = dict(lab.shipped)
    if (train := found.to_learn(without=without)) is not None:
        for name, encoder in ((FAST, False), (SLOW, True))[: 1 + lab.encoder]:
            named[f"{name}, from LLMRouter"] = _gain(lab.router(train, encoder=encoder))
    return named


def realised(found: Public, lab: Lab, family: Family) -> dict[str, Any]:
    """Share of each set, and of each task family over all sets, that lies at or above one threshold."""
    sets = _sets(found)
    if MISTRAL not in found.llmrouter or not sets:
        return {}
    known = found.llmrouter[MISTRAL][0].texts
    families = {name: [family(text) for text in texts] for name, texts in sets.items()}
    table: dict[str, Any] = {}
    for name, scores in scorers(found, lab).items():
        said = {one: scores(texts) for one, texts in sets.items()}
        thresholds = {"half of LLMRouter": float(np.median(scores(known)))}
        if name in lab.shipped:
            thresholds[f"{POLICY}"] = POLICY
        for told, threshold in thresholds.items():
            over = {one: each >= threshold for one, each in said.items()}
            table[f"{name}, {told}"] = {
                "threshold": round(threshold, 4),
                "sets": {one: round(float(out.mean()), 4) for one, out in over.items()},
                "families": _by_family(over, families),
            }
    return table | _asked(lab, sets, families)


def _asked(lab: Lab, sets: Mapping[str, Sequence[str]], families: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """In which share of the requests the shipped scorer asks the encoder."""
    if FAST_SHIPPED not in lab.shipped:
        return {}
    asked = {name: asks_encoder(lab.shipped[FAST_SHIPPED](texts)) for name, texts in sets.items()}
    return {
        "the encoder is asked": {
            "threshold": None,
            "sets": {name: round(float(each.mean()), 4) for name, each in asked.items()},
            "families": _by_family(asked, families),
        }
    }


def _sets(found: Public) -> dict[str, tuple[str, ...]]:
    sets = {one.name: one.texts for one in found.routellm}
    if MISTRAL in found.llmrouter:
        sets["LLMRouter test"] = found.llmrouter[MISTRAL][1].texts
    sets |= {questions.name: questions.texts for questions in found.zeroeval.values()}
    sets |= {questions.name: questions.texts for questions in found.mifeval.values()}
    return sets


def _by_family(over: Mapping[str, Any], families: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Every set counts as it is: a family's share is over all of its questions."""
    counted: dict[str, list[int]] = {}
    for name, out in over.items():
        for family, above in zip(families[name], out, strict=True):
            hits = counted.setdefault(family, [0, 0])
            hits[0] += bool(above)
            hits[1] += 1
    return {name: {"share": round(hits / of, 4), "of": of} for name, (hits, of) in sorted(counted.items())}


def languages(found: Public, lab: Lab) -> dict[str, Any]:
    """The same questions in several languages: on which side of a median they lie, whether the order is the same."""
    train = found.to_learn(without=GRADE_SCHOOL)
    if not found.parallel or train is None:
        return {}
    asked = scorers(found, lab, without=GRADE_SCHOOL)
    known = train.texts
    parts = lab.router(train, encoder=lab.encoder).parts
    heads = {name: _head(parts, name) for name in parts(known[:2])}
    return {
        name: language_rows(scores(known), {code: scores(texts) for code, texts in found.parallel.items()})
        for name, scores in {"lexical formula": lab.lexical, **heads, **asked}.items()
    }


def _gain(router: Fitted) -> Scores:
    return lambda texts: array(router.gain(texts))


def _head(parts: Callable[[Sequence[str]], Mapping[str, Sequence[float]]], name: str) -> Scores:
    return lambda texts: array(parts(texts)[name])


def language_rows(known: Array, said: Mapping[str, Array]) -> dict[str, dict[str, float]]:
    """Per language: share above the median of `known`, above the English median, and rank correlation with English."""
    median, english = float(np.median(known)), said["en"]
    return {
        code: {
            "above_training_median": round(float((scores >= median).mean()), 4),
            "above_english_median": round(float((scores >= np.median(english)).mean()), 4),
            "spearman": round(spearman(scores, english), 4),
        }
        for code, scores in said.items()
    }


def within(rows: Mapping[str, Mapping[str, float]]) -> bool:
    """Whether every language is as near to English as it should be."""
    english = rows["en"]["above_training_median"]
    return all(
        abs(row["above_training_median"] - english) * 100 <= WITHIN and row["spearman"] >= AGREEMENT
        for row in rows.values()
    )


def spearman(one: Array, other: Array) -> float:
    """Correlation of ranks; equal scores share their mean rank. 0 where one side says the same of everything."""
    first, second = ranks(one), ranks(other)
    if not first.std() or not second.std():
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def ranks(scores: Array) -> Array:
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[place], dtype=np.float64)

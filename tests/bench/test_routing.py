"""The routing bench reads a user's own checkout, learns only from what it says, and shows what it measured."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.routing_metrics import Array
from bench.routing_plan import Lab, in_domain, left_out, transfer
from bench.routing_routers import FAST, SLOW, Line, all_of, baselines, group_folds, random_folds, random_rows
from bench.routing_rows import NotHere, Outcomes, outcomes, routellm_gsm8k, routellm_mt_bench
from bench.routing_sets import Public, public
from bench.routing_suites import measure

WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(rows)


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def questions(name: str, count: int, seed: int, *, start: int = 0) -> list[tuple[str, bool, bool, str]]:
    """Made up: the longer it is, the likelier only the strong model knows; three subjects."""
    rng = np.random.default_rng(seed)
    rows = []
    for at in range(start, start + count):
        words = int(rng.integers(3, 40))
        hard = rng.random() < words / 40
        rows.append((f"{name} {at}: " + "and so on " * words, not hard, bool(rng.random() < 0.9), f"s{at % 3}"))
    return rows


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """RouteLLM's layout with made-up questions; both ways in which their files name the weak model."""
    folder = tmp_path_factory.mktemp("checkout")
    evals = folder / "routellm" / "evals"
    for subject in ("anatomy", "law", "virology"):
        rows = questions(subject, 60, 1)
        named = [{"prompt": text, WEAK.lower().partition("/")[2]: w, STRONG: s} for text, w, s, _ in rows]
        write(evals / "mmlu" / "responses" / f"mmlu_{subject}.csv", named)
    write_lines(evals / "mmlu" / "contaminated_prompts.jsonl", [{"eval_prompt": questions("law", 60, 1)[7][0]}])
    rows = questions("sum", 60, 2)
    responses = {f"{WEAK}_response": "long, with a comma", f"{STRONG}_response": "x"}
    write(
        evals / "gsm8k" / "gsm8k_responses.csv",
        [{"prompt": text, WEAK: weak, STRONG: strong, **responses} for text, weak, strong, _ in rows],
    )
    write_lines(evals / "gsm8k" / "contaminated_prompts.jsonl", [{"eval_prompt": rows[3][0]}])
    talk = questions("talk", 20, 3)
    write_lines(
        evals / "mt_bench" / "question.jsonl",
        [{"question_id": at, "category": "x", "turns": [row[0], f"again {at}"]} for at, row in enumerate(talk)],
    )
    judged = [
        {"question_id": at, "model": model, "turn": turn, "score": 4 + 5 * row[1 + n] - turn}
        for at, row in enumerate(talk)
        for n, model in enumerate((WEAK, STRONG))
        for turn in (1, 2)
    ]
    write_lines(evals / "mt_bench" / "judgements.jsonl", [*judged, {**judged[0], "model": "other", "score": 10}])
    write_lines(evals / "mt_bench" / "contaminated_prompts.jsonl", [{"eval_prompt": "again 4"}])
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write(
        folder / "routellm_mmlu_dev.csv",
        [
            {"prompt": t, "weak": int(w), "strong": int(s), "domain": g}
            for subject in ("anatomy", "law")
            for t, w, s, g in questions(subject, 60, 1)
        ],
    )
    law = questions("law", 60, 1)
    train, test = questions("task", 120, 4), questions("task", 40, 5, start=200)
    train[0] = (f"Answer this at once. {max(row[0] for row in law if len(row[0]) > 200)}", *train[0][1:])
    train[1] = (test[0][0], *train[1][1:])
    for part, rows in (("train", train), ("test", test)):
        write(
            folder / f"llmrouter_9models_{part}.csv",
            [
                {
                    "task": "mmlu" if at % 4 == 0 else "gsm8k" if at % 4 == 1 else "math",
                    "prompt": text,
                    "mistral-7b-instruct-v0.3": float(weak),
                    "llama-3.1-nemotron-51b-instruct": float(strong),
                    "codegemma-7b": 0.0,
                }
                for at, (text, weak, strong, _) in enumerate(rows)
            ],
        )
    for code in ("en", "es", "de", "fr"):
        write(folder / f"mgsm_{code}.csv", [{"question": f"{code} {at}", "answer": at} for at in range(12)])
    return folder


class ByLength:
    """Learns nothing and remembers what it was taught, so that a test can see who learnt from what."""

    taught: list[tuple[str, ...]]

    def __init__(self) -> None:
        self.taught = []

    def __call__(
        self, texts: Sequence[str], weak: Sequence[float], strong: Sequence[float], *, encoder: bool, seed: int
    ) -> ByLength:
        assert len(texts) == len(weak) == len(strong)
        self.taught.append(tuple(texts))
        return self

    def gain(self, texts: Sequence[str]) -> list[float]:
        return [float(len(text)) for text in texts]

    def parts(self, texts: Sequence[str]) -> dict[str, list[float]]:
        return {"length": self.gain(texts)}


def lengths(texts: Sequence[str]) -> Array:
    return np.array([float(len(text)) for text in texts])


@pytest.fixture
def fit() -> ByLength:
    return ByLength()


@pytest.fixture
def lab(fit: ByLength) -> Lab:
    return Lab(fit, lengths, {"shipped scorer": lengths}, "other sets", encoder=True, draws=20, seeds=(0, 1), labels=40)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_routellms_questions_come_without_those_that_they_found_in_their_training_data(checkout: Path) -> None:
    found = public(checkout, None)
    assert found.missing == {}
    assert [len(one) for one in found.routellm] == [179, 59, 19]
    assert found.mmlu is not None
    assert sorted(set(found.mmlu.groups)) == ["anatomy", "law", "virology"]


def test_a_conversation_is_judged_by_the_mean_of_its_turns_and_routed_by_its_first(checkout: Path) -> None:
    found = routellm_mt_bench(checkout)
    talk = [row for at, row in enumerate(questions("talk", 20, 3)) if at != 4]
    assert list(found.texts) == [row[0] for row in talk]
    assert found.strong.tolist() == pytest.approx([(4 + 5 * row[2] - 1.5) / 10 for row in talk])


def test_a_checkout_without_a_file_says_which_and_the_others_are_read(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "routellm").symlink_to(checkout / "routellm")
    assert len(routellm_gsm8k(tmp_path)) == 59
    with pytest.raises(NotHere, match="no routellm/evals"):
        routellm_gsm8k(tmp_path / "nowhere")
    assert public(None, tmp_path).missing["LLMRouter"] == "llmrouter_9models_train.csv is not there"


def test_questions_of_a_test_are_not_learnt_from_whole_or_quoted(checkout: Path, data: Path) -> None:
    found = public(checkout, data)
    train, test = found.llmrouter["Mistral-7B"]
    assert len(train) == 119
    assert not set(train.texts) & set(test.texts)
    learnt = found.to_learn()
    assert learnt is not None
    assert len(learnt) == 118
    assert not any(text.startswith("Answer this at once") for text in learnt.texts)


# ── splits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def made(count: int = 90) -> Outcomes:
    return outcomes("made", [(t, float(w), float(s), g) for t, w, s, g in questions("made", count, 6)])


@pytest.mark.parametrize("kind", ["rows", "folds", "groups"])
def test_nobody_is_asked_about_what_was_learnt_and_everybody_else_once(kind: str) -> None:
    suite = made()
    split = {"rows": random_rows(suite, 30, 0), "folds": random_folds(suite, 5, 0), "groups": group_folds(suite, 5, 0)}
    chosen = split[kind]
    assert len(set(chosen.test.tolist())) == len(chosen.test) == (60 if kind == "rows" else 90)
    for fold in chosen.folds:
        assert not isinstance(fold.train, Outcomes)
        assert not set(fold.train.tolist()) & set(fold.test.tolist())
        if kind == "groups":
            groups = np.array(suite.groups)
            assert not set(groups[fold.train]) & set(groups[fold.test])


def test_a_suite_has_the_rows_that_cost_nothing_and_the_bound_that_nothing_passes() -> None:
    suite = made(300)
    split = [all_of(suite, suite)]
    worse = Line("half wrong", "–", (lengths(suite.texts) * np.where(np.arange(300) % 2, 1, -1),))
    found = measure(suite, split, [*baselines(suite, split, lengths), worse], 50)
    rows = {row["router"]: row for row in found["rows"]}
    assert list(rows) == ["random", "prompt length", "lexical formula", "oracle", "half wrong"]
    assert rows["random"]["apgr"] == pytest.approx(0.5, abs=0.1)
    assert rows["random"]["apgr"] < rows["prompt length"]["apgr"] == rows["lexical formula"]["apgr"]
    assert all(row["exact"] <= rows["oracle"]["exact"] for row in rows.values())
    assert rows["lexical formula"]["over_length_low"] == rows["lexical formula"]["over_length_high"] == 0
    assert rows["half wrong"]["over_length_high"] < 0
    assert found["strong"] - found["weak"] == pytest.approx(found["strong_fixes"] - found["strong_breaks"], abs=2e-4)


# ── suites ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_suite_names_what_each_router_learnt_from(checkout: Path, data: Path, lab: Lab) -> None:
    found = public(checkout, data)
    suites = dict([*in_domain(found, lab), *left_out(found, lab), *transfer(found, lab)])
    assert "GSM8K, in-domain" in suites
    assert {"MMLU", "GSM8K", "MT-Bench", "LLMRouter test"} <= set(suites)
    rows = suites["MMLU, unseen subjects"]["rows"]
    assert [row["router"] for row in rows][-3:] == ["head: length", FAST, SLOW]
    assert all(row["trained"] for suite in suites.values() for row in suite["rows"])
    assert suites["GSM8K, in-domain"]["seeds"] == [0, 1]


def test_what_learnt_elsewhere_has_seen_no_question_of_the_benchmark(
    checkout: Path, data: Path, lab: Lab, fit: ByLength
) -> None:
    found = public(checkout, data)
    only = Public(gsm8k=found.gsm8k, llmrouter=found.llmrouter)
    name, measured = next(transfer(only, lab))
    assert name == "GSM8K"
    assert [row["trained"] for row in measured["rows"]][-2:] == ["LLMRouter without GSM8K (90)"] * 2
    train = found.llmrouter["Mistral-7B"][0]
    sums = {text for text, task in zip(train.texts, train.groups, strict=True) if task == "gsm8k"}
    assert found.gsm8k is not None
    assert fit.taught
    assert not any(set(taught) & (sums | set(found.gsm8k.texts)) for taught in fit.taught)

"""Which labelled rows may be learnt from: no row of a test, however it is quoted, and no task that is one."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gateway.score.rows import SMALL, STRONG, training_rows, training_texts

LONG = (
    "Which of the following statements about the tides of the northern seas and of the great bays further south is the "
    "one that most sailors of the last century would have agreed with? "
)
TEMPLATE = (
    "Solve the puzzle about houses in a row, each of a different colour, with a person who keeps a pet living in it, "
    "and say who keeps the fish: "
)


def write(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def routed(task: str, prompt: str) -> dict[str, object]:
    return {"task": task, "prompt": prompt} | dict.fromkeys(SMALL, 0.5) | dict.fromkeys(STRONG, 1.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "routellm_mmlu_dev.csv", [{"prompt": LONG + "A. none"}, {"prompt": "Short?"}])
    write(tmp_path / "mgsm_en.csv", [{"question": "Three apples and four pears make how many?"}])
    write(tmp_path / "llmrouter_9models_test.csv", [routed("math", TEMPLATE + "the first")])
    write(
        tmp_path / "llmrouter_9models_train.csv",
        [
            routed("math", "What is seven times eight?"),
            routed("math", TEMPLATE + "the first"),
            routed("agentverse-logicgrid", TEMPLATE + "the second"),
            routed("trivia_qa", "short"),
            routed("arc_challenge", "Answer with one letter. " + LONG + "A. none"),
            routed("math", "Three apples, and four pears: make how many?!"),
            routed("gsm8k", "A question of grade school"),
            routed("mmlu", "Another one"),
        ],
    )
    small, large = "Qwen__Qwen2.5-0.5B-Instruct-GPTQ-Int4", "gpt-4o-2024-08-06"
    for name in ("crux", "math-l5"):
        write(tmp_path / f"zeroeval_{name}.csv", [{"question": f"One of {name}", "gemma-2-2b-it": "", large: 1}])
    for language in ("en", "es", "fr"):
        write(tmp_path / f"mifeval_{language}.csv", [{"prompt": f"Write in {language}", small: 0, large: 1}])
    return tmp_path


def test_what_a_test_asks_is_not_learnt_from_nor_what_quotes_it(folder: Path) -> None:
    texts = training_texts(folder)
    assert [text for text in texts if text.startswith(("What is", TEMPLATE))] == [
        "What is seven times eight?",
        TEMPLATE + "the second",
    ]
    assert not any("tides" in text or "grade school" in text or "pears" in text or text == "short" for text in texts)
    assert len(texts) == 2 + 2 + 3


def test_rows_name_their_source_and_an_empty_cell_is_wrong(folder: Path) -> None:
    found = {row.source: row for row in training_rows(folder)}
    assert set(found) == {"LLMRouter", "crux", "math-l5", "M-IFEval"}
    assert found["crux"].local == (0.0,)
    assert found["crux"].remote == (1.0,)
    assert len(found["LLMRouter"].local) == 4

"""`gateway assess`: a bound from an operator's own samples, printed and kept without any of their text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Result, call

IBAN = "my IBAN is DE89 3704 0044 0532 0130 00, draft an appeal"
PROOF = "Prove that the square root of 2 is irrational, then generalise to any prime."
MISSED = "Tell the Qwrtz people that the blue one is ready."


def assess(folder: Path, *rows: dict[str, Any], options: tuple[str, ...] = ("--json",)) -> Result:
    (folder / "samples.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return call(folder, "assess", "--samples", "samples.jsonl", *options)


def whole(result: Result) -> Any:
    assert result.code == 0, result.err
    return json.loads(result.out)["groups"][0]


def test_what_was_found_stays_and_what_was_missed_is_let_out(tmp_path: Path) -> None:
    rows = [{"private": True, "text": IBAN}, {"private": True, "text": MISSED}, {"private": False, "text": PROOF}]
    result = assess(tmp_path, *rows)
    counted = whole(result)
    assert (counted["private"]["of"], counted["private"]["let_out"]) == (2, 1)
    assert counted["private"]["at_most"] == pytest.approx(0.974679, abs=1e-5)
    assert counted["clean"] | {"low": 0, "high": 0} == {"of": 1, "hard": 1, "still_leave": 1, "low": 0, "high": 0}
    assert json.loads(result.out)["lines_let_out"] == [2]


def test_a_private_request_counts_however_simple_it_was_asked(tmp_path: Path) -> None:
    simple = {"private": True, "text": "hello, how are you"}
    assert whole(assess(tmp_path, simple))["private"]["let_out"] == 1


def test_a_policy_that_lets_nothing_out_lets_nothing_out(tmp_path: Path) -> None:
    rows = [{"private": True, "text": MISSED}, {"private": False, "text": PROOF}]
    counted = whole(assess(tmp_path, *rows, options=("--json", "--policy", "strict.yaml")))
    assert (counted["private"]["let_out"], counted["clean"]["hard"]) == (0, 0)


def test_who_asks_counts_where_the_policy_looks_at_it(tmp_path: Path) -> None:
    when = "{role: {in: [hr]}, sensitivity: {at_most: internal}}"
    (tmp_path / "hr.yaml").write_text(f"name: hr\npermit:\n  - {{name: hr, zone: remote, when: {when}}}\n")
    rows = [{"private": True, "text": MISSED}, {"private": True, "text": f"{MISSED} Now.", "caller": {"roles": ["hr"]}}]
    result = assess(tmp_path, *rows, options=("--json", "--policy", "hr.yaml"))
    assert json.loads(result.out)["lines_let_out"] == [2]


def test_the_table_names_languages_and_categories_and_the_result_is_kept_without_text(tmp_path: Path) -> None:
    rows = [
        {"private": True, "text": IBAN, "lang": "en", "category": "bank"},
        {"private": True, "text": MISSED, "lang": "en", "category": "affairs"},
        {"private": False, "text": PROOF, "lang": "en"},
    ]
    result = assess(tmp_path, *rows, options=())
    assert result.code == 0
    names = [line.split("  ")[0] for line in result.out.splitlines()]
    assert names[1:6] == ["all", "en", "affairs", "bank", "en affairs"]
    (kept,) = (tmp_path / "var" / "assessed").glob("*.json")
    text = kept.read_text()
    assert json.loads(text)["groups"][0]["private"]["of"] == 2
    for word in ("Qwrtz", "IBAN", "irrational", "3704"):
        assert word not in text + result.out


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"text": "x"}, "line 1: 'private' is missing"),
        ({"private": True, "messages": [{"role": "nobody", "content": "Qwrtz"}]}, "line 1: 'messages[0].role'"),
    ],
)
def test_bad_input_ends_with_2_and_names_line_and_field(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    result = assess(tmp_path, row)
    assert result.code == 2
    assert says in result.sentence
    assert "Qwrtz" not in result.sentence


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file where the folder should be")
    result = assess(tmp_path, {"private": False, "text": PROOF})
    assert result.code == 2
    assert "the result cannot be kept" in result.err

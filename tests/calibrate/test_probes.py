"""The shipped probes: complete, parallel, and right."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections import Counter
from importlib.resources import files
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from gateway.calibrate.probes import LANGUAGES, LEVELS, load, right
from gateway.core.errors import ConfigurationError
from gateway.core.scoring import FAMILIES

ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (files("gateway.calibrate") / "data" / "probes.jsonl").read_text(encoding="utf-8").splitlines()
]
WORKED = [row for row in ROWS if "work" in row]


def test_every_language_has_the_same_items_and_at_least_sixty() -> None:
    items = {lang: [row["id"].rpartition(".")[0] for row in ROWS if row["lang"] == lang] for lang in LANGUAGES}
    assert len(items["it"]) >= 60
    assert all(items[lang] == items["en"] for lang in LANGUAGES)
    assert all(row["id"].endswith(f".{row['lang']}") for row in ROWS)


def test_every_family_and_level_is_there() -> None:
    probes = load()
    assert {probe.family for probe in probes} == set(FAMILIES)
    assert {probe.level for probe in probes} == set(LEVELS)
    assert min(Counter(probe.level for probe in probes).values()) >= 90


def test_parallel_probes_differ_in_their_words_alone() -> None:
    shapes: dict[str, set[tuple[str, str, str]]] = {}
    for row in ROWS:
        shapes.setdefault(row["id"].rpartition(".")[0], set()).add((row["family"], row["level"], row["check"]))
    assert all(len(kinds) == 1 for kinds in shapes.values())
    assert len({row["prompt"] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", WORKED, ids=lambda row: row["id"])
def test_a_gold_answer_that_can_be_computed_is_what_the_computation_gives(row: dict[str, Any]) -> None:
    if row["work"] == "run":
        code = re.search(r"```python\n(.*)\n```", row["prompt"], re.DOTALL)
        assert code is not None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code[1], {})
        computed = printed.getvalue().strip()
    else:
        computed = str(eval(row["work"], {"permutations": permutations}))
    assert (float(computed) == row["gold"]) if row["check"] == "number" else (computed == row["gold"])


def golden(row: dict[str, Any]) -> str | None:
    """An answer that the gold answer itself gives; None where it is a pattern."""
    match row["check"]:
        case "one_of":
            return str(row["gold"][0])
        case "contains_all":
            said = " ".join(alternatives[0] for alternatives in row["gold"])
            least = row.get("words", [1])[0]
            return f"{said}{' …' * max(0, least - len(said.split()))}"
        case "json_equals":
            return json.dumps(row["gold"])
        case "regex":
            return None
    return str(row["gold"])


def test_gold_answers_are_right_and_silence_and_echoes_are_wrong() -> None:
    probes = {probe.id: probe for probe in load()}
    for row in ROWS:
        probe, gold = probes[row["id"]], golden(row)
        if gold is not None:
            assert right(probe, gold), row["id"]
        assert not right(probe, ""), row["id"]
        assert not right(probe, "I do not know, sorry about that."), row["id"]


def test_who_repeats_the_question_has_not_answered_it() -> None:
    assert not [probe.id for probe in load() if right(probe, probe.prompt)]


def test_who_repeats_the_question_and_answers_it_has() -> None:
    probe = next(probe for probe in load() if probe.id == "capital-italy.it")
    assert right(probe, f"{probe.prompt} Roma")


PATTERNS = {
    "last-element": (["xs[-1]", "`xs[-1]`", "```python\nxs[-1]\n```"], ["xs[len(xs) - 1]", "xs[0]"]),
    "sql-count": (
        ["SELECT COUNT(*) FROM orders;", "```sql\nselect count(*) from orders\n```"],
        ["SELECT * FROM orders"],
    ),
    "five-words": (["Il mare è molto blu.", "The sea is deep today"], ["The sea is blue.", "a b c d e f"]),
    "all-s": (["Seven sailors sail southern seas."], ["Seven sailors saw many seas."]),
    "capitals": ([], ["window", "finestra"]),
    "only-ok": (["OK", "ok.", '"OK"'], ["OK, I will write it."]),
    "three-colours": (["red, green, blue", "rosso,verde,blu"], ["red and green", "1. red"]),
}


@pytest.mark.parametrize("row", [row for row in ROWS if row["check"] == "regex"], ids=lambda row: row["id"])
def test_patterns_take_what_was_asked_for_and_nothing_else(row: dict[str, Any]) -> None:
    probe = next(probe for probe in load() if probe.id == row["id"])
    good, bad = PATTERNS[row["id"].rpartition(".")[0]]
    if not good:
        good = [row["prompt"].rpartition(" ")[2].upper()]
    assert all(right(probe, answer) for answer in good)
    assert not any(right(probe, answer) for answer in bad)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param("{", "line 1 is not JSON", id="no JSON"),
        pytest.param('{"id": "a", "lang": "english", "prompt": "my secret"}', "lang", id="language by name"),
        pytest.param('{"id": "a", "lang": "en", "prompt": "my secret", "gold": "x"}', "come together", id="no check"),
        pytest.param(
            '{"id": "a", "lang": "en", "prompt": "my secret", "check": "number", "gold": "7"}', "a number", id="gold"
        ),
        pytest.param(
            '{"id": "a", "lang": "en", "prompt": "my secret", "check": "regex", "gold": "(a+)+"}', "without bound",
            id="a pattern that explodes",
        ),
        pytest.param('{"id": "a", "lang": "en", "prompt": "my secret", "famly": "maths"}', "famly", id="a slip"),
        pytest.param("", "no probe", id="empty"),
    ],
)  # fmt: skip
def test_a_bad_probe_is_refused_by_its_line_and_without_its_text(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(file)
    assert "secret" not in str(refused.value)


def test_an_operators_probe_needs_no_gold_answer(tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text('{"id": "a", "lang": "it", "prompt": "Ciao"}\n', encoding="utf-8")
    (probe,) = load(file)
    assert (probe.check, probe.family, probe.level) == (None, "other", "medium")
    assert "Ciao" not in repr(probe)
    with pytest.raises(ValueError, match="no gold"):
        right(probe, "Ciao")

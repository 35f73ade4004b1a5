"""The detectors' bench counts what it says it counts: places, shares, disguises, what leaks and what comes back."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.detect import measure
from bench.detect_evasion import OF_NUMBERS, TRANSFORMS, disguised, matrix, targets
from bench.detect_found import Found, count_spans, covered
from bench.detect_leak import leakage
from bench.detect_nasty import SIZE, texts
from bench.detect_ours import Ours
from bench.detect_quality import by_language_and_category, false_alarms, requests
from bench.detect_rows import HARD_LABELS, Row, Span, native_rows, outside_rows, sample
from bench.detect_tables import tables
from bench.detect_texts import made
from bench.report import placed

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "privacy.md"
IBAN = "DE47301598765432109870"


def row(text: str, *spans: Span, sensitive: bool | None = True, kept: bool | None = None, lang: str = "en") -> Row:
    return Row(text[:8], "made", "made", lang, "bank", ({"role": "user", "content": text},), sensitive, kept, spans)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pack")


@pytest.fixture(scope="module")
def ours(pack: Path) -> Ours:
    return Ours.load(pack)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_native_rows_spans_stand_on_its_values_in_the_one_text_that_other_detectors_get() -> None:
    several = [row for row in native_rows() if len(row.messages) > 1 and row.spans]
    assert several
    for made_ in several:
        assert all(made_.text[at : at + 5] == made_.messages[n]["content"][:5] for n, at in enumerate(made_.starts))
        assert all(made_.text[span.start : span.end].strip() for span in made_.spans)


def test_every_label_of_the_native_rows_counts_but_those_that_are_no_value_by_themselves() -> None:
    labels = {span.label for row in native_rows() for span in row.spans}
    assert labels - set(HARD_LABELS) <= {"ORG", "OTHER"}


def test_a_sample_is_the_same_whatever_order_the_rows_come_in() -> None:
    rows = [row(f"{number:08d}") for number in range(50)]
    assert sample(rows, 7) == sample(rows[::-1], 7)
    assert sample(rows, 99) == rows


def test_sets_that_are_not_in_the_folder_are_left_out(tmp_path: Path) -> None:
    line = {"id": "a", "source": "e3c", "lang": "en", "text": "x y", "spans": [[0, 1, "PERSON"]], "sensitive": True}
    (tmp_path / "e3c.jsonl").write_text(json.dumps(line) + "\n")
    found = outside_rows(tmp_path)
    assert list(found) == ["e3c"]
    assert found["e3c"][0].spans == (Span(0, 1, "PERSON"),)


def test_rows_that_taught_the_tagger_do_not_judge_it(tmp_path: Path) -> None:
    rows = [
        {"id": f"{n}", "source": "pupa", "lang": "en", "text": f"row {n}", "spans": [], "sensitive": True}
        for n in range(200)
    ]
    (tmp_path / "pupa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "e3c.jsonl").write_text("".join(json.dumps({**row, "source": "e3c"}) + "\n" for row in rows))
    found = outside_rows(tmp_path)
    assert 30 < len(found["pupa"]) < 90
    assert len(found["e3c"]) == 200
    assert len(outside_rows(tmp_path, taught=True)["pupa"]) == 200


# ── counting ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("values", "part"),
    [([], 0.0), ([(10, 20)], 1.0), ([(0, 15)], 0.5), ([(12, 14), (13, 16)], 0.4), ([(0, 5), (20, 30)], 0.0)],
    ids=["nothing", "all", "half", "overlapping", "beside"],
)
def test_a_span_is_covered_by_what_lies_on_it(values: list[tuple[int, int]], part: float) -> None:
    assert covered(Span(10, 20, "PERSON"), values) == pytest.approx(part)


places = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)).map(lambda two: (min(two), max(two))), max_size=6)


@given(places)
def test_what_is_covered_twice_counts_once(values: list[tuple[int, int]]) -> None:
    under = sum(any(start <= at < end for start, end in values) for at in range(5, 25))
    assert covered(Span(5, 25, "PERSON"), values) == pytest.approx(under / 20)


def test_a_value_is_hidden_when_no_letter_of_it_is_left_and_found_from_half_of_it_on() -> None:
    text = "Anna Verdi, Rome"
    spans = [Span(0, 10, "PERSON")]
    for values, found, hidden in ([(0, 4), (5, 10)], 1, 1), ([(0, 9)], 1, 0), ([(0, 4)], 0, 0):
        counted = count_spans([row(text, *spans)], [Found(tuple(values))], lambda row, span: "all")["all"]
        assert (counted["found"]["hits"], counted["hidden"]["hits"]) == (found, hidden)


def test_what_may_leave_is_not_asked_to_be_kept() -> None:
    rows = [row("a", kept=True), row("b", kept=False), row("c", sensitive=False, kept=False)]
    found = [Found(found=True, kept=True), Found(found=True, kept=True), Found(found=True, kept=True)]
    counted = requests({"made": (rows, found)})["made"]
    assert counted["private found"]["of"] == 2
    assert counted["private kept"]["of"] == 1
    assert counted["needlessly kept"]["hits"] == 1
    assert counted["clean kept"]["hits"] == 1
    assert by_language_and_category(rows, found)["kept"]["en|bank"]["of"] == 1
    assert false_alarms(rows, found)["found"]["made"] == {"hits": 1, "of": 1, "low": 0.2065, "high": 1.0}


# ── the gateway ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_places_in_several_messages_are_places_in_the_one_text(ours: Ours) -> None:
    messages = tuple({"role": "user", "content": text} for text in ("Hello there.", f"My IBAN is {IBAN}."))
    two = Row("two", "made", "made", "en", "bank", messages, True, True)
    found = ours.look(two)
    assert found.kept
    assert [two.text[start:end] for start, end in found.values] == [IBAN]


def test_what_is_measured_is_a_first_look_and_not_a_remembered_one(ours: Ours) -> None:
    text = made(20_000, private=True, seed=3)
    first, later = ours.cpu_ms(text), min(ours.cpu_ms(text) for _ in range(3))
    assert later > first / 20


def test_what_was_not_found_is_counted_as_left_and_answers_come_back(ours: Ours) -> None:
    text = f"Wire it to {IBAN}, says Qwrtz Blorbsk."
    at = text.index("Qwrtz")
    rows = [row(text, Span(11, 11 + len(IBAN), "IBAN"), Span(at, at + 13, "PERSON"))]
    counted = leakage(ours, rows)
    assert counted["left"]["bank and card"]["hits"] == 0
    assert counted["left"]["all"]["of"] == 2
    assert counted["restored_exactly"]["hits"] == counted["restored_exactly"]["of"] == 5


# ── disguises and slow texts ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_disguise_changes_the_value_and_nothing_else(name: str) -> None:
    before = row(f"Wire it to {IBAN} today.", Span(11, 11 + len(IBAN), "IBAN"))
    after = disguised(before, before.spans[0], TRANSFORMS[name])
    (span,) = after.spans
    assert after.text[: span.start] == "Wire it to "
    assert after.text[span.end :] == " today."
    assert after.text[span.start : span.end] != IBAN


def test_the_share_kept_is_of_what_was_found_plainly() -> None:
    rows = [row("mail a@b.example", Span(5, 16, "EMAIL")), row("tel 030 1234567", Span(4, 15, "PHONE"))]
    plain = targets(rows, 10)

    def look(rows: Sequence[Row]) -> list[Found]:
        """Finds the mail address as it is, and nothing else."""
        return [Found(((5, 16),) if row.text == "mail a@b.example" else ()) for row in rows]

    table = matrix(plain, look)
    assert table["plain"]["found"] == {"hits": 1, "of": 2, "low": 0.0945, "high": 0.9055}
    assert table["base64"]["kept"] == {"hits": 0, "of": 1, "low": 0.0, "high": 0.7935}
    assert all(table[name]["found"]["of"] == 1 for name in OF_NUMBERS)  # type: ignore[index]


def test_slow_texts_are_as_long_as_they_say_and_all_different() -> None:
    found = texts()
    assert len(found) >= 12
    assert {len(text) for text in found.values()} == {SIZE}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize("size", [200, 2_000])
def test_texts_to_time_with_are_of_the_length_asked_for_and_never_the_same(size: int) -> None:
    found = [made(size, private=private, seed=seed) for private in (False, True) for seed in range(50)]
    assert {len(text) for text in found} == {size}
    assert len(set(found)) == 100


# ── the other detectors' loop ───────────────────────────────────────────────────────────────────────────────────────

CHILD = """
from bench.peers.child_loop import answer
def load():
    print("a library that chatters")
    def look(text):
        if text == "slow":
            while True: pass
        if text == "bad": raise ValueError(text)
        return [(0, len(text), "all", 1.0)]
    return look
answer(load)
"""


def test_another_detector_is_stopped_when_it_takes_too_long_and_goes_on_with_the_next_text() -> None:
    asked = [{"text": text, "limit_s": 0.2} for text in ("ab", "slow", "bad", "cde")]
    result = subprocess.run(
        [sys.executable, "-c", CHILD],
        cwd=ROOT,
        input="".join(json.dumps(line) + "\n" for line in asked),
        capture_output=True,
        text=True,
        timeout=300,
    )
    start, plain, late, failed, last = map(json.loads, result.stdout.splitlines())
    assert start["memory_mb"] > 1
    assert plain["spans"] == [[0, 2, "all", 1.0]]
    assert late["late"] is True
    assert late["spans"] == []
    assert failed["failed"] == "ValueError"
    assert last["spans"][0][1] == 3


# ── a whole run ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_on_the_projects_own_rows_fills_every_table_and_fits_the_page(pack: Path, ours: Ours) -> None:
    options = argparse.Namespace(data=None, taught=False, rows=15, peer_rows=5, alone=True, only=[], quick=True)
    found = measure(options, pack)
    text = tables({**found, "missing": {"Presidio": "it could not be installed"}})
    assert "Without Presidio: it could not be installed." in text
    for title in ("Private", "Clean", "Values", "Disguises", "After pseudonymising", "Processor time", "Slow", "Start"):
        assert f"### {title}" in text
    assert placed(PAGE.read_text(encoding="utf-8"), text, "detect").count("### Private requests") == 1

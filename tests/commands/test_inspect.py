"""`gateway inspect` for a person: findings marked in their text; and what never shows anywhere else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.commands.marked import Mark, marked
from gateway.core.types import Sensitivity
from tests.support.command import call
from tests.support.terminal import on_a_terminal

IBAN = "DE66 1005 0000 0987 6543 21"
TEXT = f"Please pay it to my account, IBAN {IBAN}, today."


def test_on_a_terminal_findings_stand_marked_in_their_text(tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path, TEXT, "inspect")
    assert f"IBAN \x1b[33m{IBAN}\x1b[0m\x1b[2m[iban]\x1b[0m, today." in text
    assert text.startswith("confidential: financial (policy default)")


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "a dumb terminal"])
def test_where_colours_are_not_wanted_brackets_mark(tmp_path: Path, env: dict[str, str]) -> None:
    text = on_a_terminal(tmp_path, TEXT, "inspect", env=env)
    assert f"IBAN [iban: {IBAN}], today." in text
    assert "\x1b" not in text


def test_every_text_of_a_chat_is_shown_with_its_path(tmp_path: Path) -> None:
    body = {"messages": [{"role": "user", "content": TEXT}], "metadata": {"card": "4539 5787 6362 1486"}}
    text = on_a_terminal(tmp_path, json.dumps(body), "inspect", env={"NO_COLOR": "1"})
    assert "$.messages[0].content:\r\n  Please pay it" in text
    assert "[payment_card: 4539 5787 6362 1486]" in text
    assert text.startswith("restricted: financial")


def test_nothing_in_a_text_steers_the_terminal(tmp_path: Path) -> None:
    text = on_a_terminal(tmp_path, f"\x1b[2J\x07 {TEXT} \x9b31m\u202e", "inspect", env={"NO_COLOR": "1"})
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)
    assert f"[iban: {IBAN}]" in text


def test_explain_says_who_found_it_and_what_the_policy_makes_of_it(tmp_path: Path) -> None:
    (row,) = call(tmp_path, "inspect", "--explain", stdin=TEXT).rows
    (finding,) = row["findings"]
    assert finding == finding | {
        "kind": "iban",
        "detector": "rules",
        "view": "raw",
        "level": "confidential",
        "reserved": False,
        "counts": True,
    }
    assert row["raised_by"] == ["kind iban ×1 → confidential"]
    told = on_a_terminal(tmp_path, TEXT, "inspect", "--explain")
    assert "iban (financial) → confidential, found by rules, confidence 1.00" in told
    assert "raised: kind iban ×1 → confidential" in told


def test_explain_names_the_reading_in_which_a_disguise_was_seen_through(tmp_path: Path) -> None:
    spaced = " ".join(IBAN.replace(" ", ""))
    (row,) = call(tmp_path, "inspect", "--explain", stdin=f"my IBAN {spaced}").rows
    assert [(each["kind"], each["view"]) for each in row["findings"]] == [("iban", "spaced")]


def test_explain_says_when_a_documentation_example_is_let_pass(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\nallow: {reserved: [iban]}\n")
    asked = "The example IBAN DE89370400440532013000"
    (row,) = call(tmp_path, "inspect", "--explain", "--policy", "own.yaml", stdin=asked).rows
    assert (row["findings"][0]["reserved"], row["findings"][0]["counts"]) == (True, False)
    assert row["sensitivity"] == "internal"


def test_the_houses_own_words_count_like_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("name: own\ndetect:\n  project: {category: confidential, words: [Blue Heron]}\n")
    rows = json.dumps({"id": 1, "text": "status of blue heron"}) + "\n"
    (row,) = call(tmp_path, "inspect", "--jsonl", "--policy", "own.yaml", stdin=rows).rows
    assert ([finding["kind"] for finding in row["findings"]], row["sensitivity"]) == (["project"], "confidential")


def test_lines_for_machines_and_errors_hold_no_text(tmp_path: Path) -> None:
    body: dict[str, Any] = {
        "messages": [{"role": "user", "content": f"{TEXT} zanzibar-quagga"}],
        "metadata": {"zanzibar-key": {"4539 5787 6362 1486": "zanzibar-value"}},
    }
    for arguments, stdin in (
        (("--jsonl",), json.dumps({"id": 1, **body}) + "\n"),
        (("--json",), json.dumps(body)),
        (("--explain",), json.dumps(body)),
        (("--jsonl",), '{"id": 1, "zanzibar": "quagga"}\n'),
        (("--jsonl",), "zanzibar quagga\n"),
        (("--policy", "gone.yaml"), "zanzibar quagga"),
    ):
        result = call(tmp_path, "inspect", *arguments, stdin=stdin)
        told = result.out + result.err
        assert not any(word in told for word in ("zanzibar", "quagga", "1005 0000", "5787 6362", "Please pay")), told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("json_", ["[1, 2]", '{"messages": [1]}', "{"])
def test_what_is_no_chat_body_is_read_as_a_text(tmp_path: Path, json_: str) -> None:
    (row,) = call(tmp_path, "inspect", stdin=json_).rows
    assert row["unreadable"] == []


# ── The marking ─────────────────────────────────────────────────────────────────────────────────────────────────────

RED = Sensitivity.RESTRICTED


def test_findings_that_overlap_are_one_mark() -> None:
    marks = [Mark(2, 5, ("b",), Sensitivity.INTERNAL), Mark(4, 7, ("c",), RED), Mark(2, 5, ("b",), RED)]
    assert marked("0123456789", marks, colour=False) == "01[b+c: 23456]789"


def test_a_long_text_is_shown_around_its_marks() -> None:
    text = "a" * 1000 + "FIRST" + "b" * 1000 + "SECOND" + "c" * 20
    shown = marked(text, [Mark(1000, 1005, ("x",), RED), Mark(2005, 2011, ("y",), RED)], colour=False)
    assert shown == f"… {'a' * 60}[x: FIRST]{'b' * 60} … {'b' * 60}[y: SECOND]{'c' * 20}"


@given(st.text(max_size=900), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 40)), max_size=5))
def test_marking_shows_every_marked_sign_and_never_a_control_sign(text: str, spans: list[tuple[int, int]]) -> None:
    marks = [Mark(at, min(at + size, len(text)), ("k",), RED) for at, size in spans if at < len(text)]
    shown = marked(text, marks, colour=False)
    assert all(sign.isprintable() or sign in "\n\t" for sign in shown)
    plain = "".join(sign if sign.isprintable() or sign in "\n\t" else "·" for sign in text)
    for mark in marks:
        assert plain[mark.start : mark.end] in shown.replace("[k: ", "").replace("]", "") or "]" in text or "[" in text

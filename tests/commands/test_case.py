"""`gateway case add`: what a user reported becomes a case, whatever stands in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.commands import case as command
from gateway.core.errors import ConfigurationError
from gateway.policy.cases import read_cases
from tests.support.command import Result, call, run

PHONE = "Our hotline is +39 02 8765 4321, put that into a friendly letter."
POLICY = "name: mine\npermit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}}}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(POLICY)
    return tmp_path


def add(folder: Path, stdin: str | bytes, *arguments: str, file: str = "mine.cases.yaml") -> Result:
    return call(folder, "case", "add", file, "--note", "reported: by Ann's team", *arguments, stdin=stdin)


def test_a_false_alarm_becomes_a_case_that_does_not_pass_until_the_policy_knows_better(folder: Path) -> None:
    result = run(
        folder, "case", "add", "mine.cases.yaml", "--note", "the hotline is public", "--want", "remote",
        "--not-finding", "phone", stdin=PHONE,
    )  # fmt: skip
    assert (result.code, result.err) == (0, "")
    assert "it does not pass yet:" in result.out
    assert "not_findings: want none of ['phone'], have ['phone']" in result.out
    assert "allow.values in" in result.out
    assert call(folder, "check", "mine.yaml").code == 1
    (folder / "mine.yaml").write_text(POLICY + "allow: {values: [{values: ['+39 02 8765 4321']}]}\n")
    assert call(folder, "check", "mine.yaml").code == 0


def test_something_missed_becomes_a_case_too(folder: Path) -> None:
    result = add(folder, "status of blue heron", "--finding", "project", "--level", "confidential")
    assert "detect in" in result.out
    (folder / "mine.yaml").write_text(POLICY + "detect:\n  project: {category: confidential, words: [Blue Heron]}\n")
    assert call(folder, "check", "mine.yaml").code == 0


def test_a_case_that_passes_already_is_kept_and_that_is_said(folder: Path) -> None:
    result = add(folder, PHONE, "--want", "local")
    assert (result.code, "it passes already" in result.out) == (0, True)
    assert "next: gateway check" in result.out


def test_a_chat_body_keeps_its_messages_tools_and_model(folder: Path) -> None:
    body: dict[str, Any] = {
        "model": "large",
        "stream": True,
        "temperature": 1e-05,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "no: 1e5\n- ✓ 'x' \"y\" #"}]}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"no": [None, True, 0.5]}}}],
    }
    add(folder, json.dumps(body), "--want", "local")
    (case,) = read_cases(folder / "mine.cases.yaml").cases
    assert (case.messages, case.model) == (body["messages"], "large")
    assert case.body == {"temperature": 1e-05, "tools": body["tools"]}


def test_half_a_character_is_kept_as_it_came(folder: Path) -> None:
    add(folder, '{"messages": [{"role": "user", "content": "odd \\ud83d"}]}', "--want", "local")
    (case,) = read_cases(folder / "mine.cases.yaml").cases
    assert case.messages[0]["content"] == "odd \ud83d"


@pytest.mark.parametrize(
    "before",
    [
        "# Mine. Do not lose this.\ncases:\n  - note: old  # here\n    text: hi\n    want: {zone: remote}\n",
        "- note: old\n  text: hi\n  want: {zone: remote}\n# the end\n\n\n",
        "cases:\n- {note: old, text: hi, want: {zone: remote}}",
    ],
    ids=["under cases", "a bare list", "not indented, no line end"],
)
def test_what_stands_in_the_file_stays_as_it_is(folder: Path, before: str) -> None:
    (folder / "mine.cases.yaml").write_text(before)
    add(folder, "hello", "--want", "remote")
    after = (folder / "mine.cases.yaml").read_text()
    assert after.startswith(before.rstrip("\n"))
    assert [case.note for case in read_cases(folder / "mine.cases.yaml").cases] == ["old", "reported: by Ann's team"]
    assert sorted(path.name for path in folder.iterdir()) == ["mine.cases.yaml", "mine.yaml"]


@pytest.mark.parametrize(
    ("before", "says"),
    [
        ("cases: [{note: old, text: hi, want: {zone: local}}]\n", "mine.cases.yaml"),
        ("cases: [\n", "mine.cases.yaml"),
        ("cases: 5\n", "mine.cases.yaml"),
    ],
    ids=["a list in brackets", "no YAML", "no list"],
)
def test_a_file_that_no_case_can_be_added_to_is_left_alone(folder: Path, before: str, says: str) -> None:
    (folder / "mine.cases.yaml").write_text(before)
    result = add(folder, "zanzibar", "--want", "remote")
    assert (result.code, says in result.sentence) == (2, True)
    assert "zanzibar" not in result.sentence
    assert (folder / "mine.cases.yaml").read_text() == before
    assert sorted(path.name for path in folder.iterdir()) == ["mine.cases.yaml", "mine.yaml"]


@pytest.mark.parametrize(
    ("stdin", "arguments", "file", "says"),
    [
        ("zanzibar", (), "mine.cases.yaml", "--want"),
        ("zanzibar", ("--want", "local"), "gone.cases.yaml", "gone.yaml"),
        ("zanzibar", ("--want", "local"), "cases.txt", "--policy"),
        (" \n", ("--want", "local"), "mine.cases.yaml", "stdin"),
        (b"zanzibar \xff", ("--want", "local"), "mine.cases.yaml", "UTF-8"),
        ('{"messages": []}', ("--want", "local"), "mine.cases.yaml", "messages"),
    ],
    ids=["no wish", "no policy", "no name of a policy", "no text", "not UTF-8", "no message"],
)
def test_what_cannot_become_a_case_is_named_and_its_text_is_not(
    folder: Path, stdin: str | bytes, arguments: tuple[str, ...], file: str, says: str
) -> None:
    result = add(folder, stdin, *arguments, file=file)
    assert result.code == 2
    assert says in result.sentence
    assert "zanzibar" not in result.err
    assert [path.name for path in folder.iterdir()] == ["mine.yaml"]


def test_a_policy_that_does_not_load_takes_no_case(folder: Path) -> None:
    (folder / "mine.yaml").write_text("name: mine\npermit: [{name: a, zone: mars}]\n")
    assert add(folder, "hello", "--want", "local").code == 2
    assert not (folder / "mine.cases.yaml").exists()


def test_what_it_says_holds_nothing_of_the_text(folder: Path) -> None:
    result = add(folder, f"zanzibar {PHONE}", "--want", "remote", "--not-finding", "phone")
    assert not any(word in result.out + result.err for word in ("zanzibar", "hotline", "8765"))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@settings(max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=3), st.dictionaries(TEXTS, st.one_of(TEXTS, st.integers(), st.booleans())))
def test_whatever_stands_in_a_request_reads_back_as_it_was(
    tmp_path: Path, texts: list[str], more: dict[str, Any]
) -> None:
    path = tmp_path / "any.cases.yaml"
    path.unlink(missing_ok=True)
    messages = [{"role": "user", "content": text, "more": more} for text in texts]
    for number in range(2):
        command.append(path, {"note": texts[0], "messages": messages, "want": {"zone": "local"}}, Path("any.yaml"))
        cases = read_cases(path).cases
        assert len(cases) == number + 1
        assert cases[-1].messages == messages
    assert yaml.safe_load(path.read_text()) is not None


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot write"):
        command.append(tmp_path / "no" / "x.cases.yaml", {"note": "n", "text": "t", "want": {}}, Path("x.yaml"))

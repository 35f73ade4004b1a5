"""Samples are read strictly: what is wrong is named by line and field, and never by what stands in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.assess.samples import read_samples
from gateway.core.errors import ConfigurationError

TEXT = {"private": True, "text": "Blorbsk owes 300 euros"}


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "samples.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def test_a_text_is_a_chat_of_one_message(tmp_path: Path) -> None:
    (sample,) = read_samples(written(tmp_path, {**TEXT, "category": "debt", "lang": "en"})).rows
    assert sample.body == {"messages": [{"role": "user", "content": TEXT["text"]}]}
    assert (sample.line, sample.private, sample.category, sample.lang) == (1, True, "debt", "en")
    assert "Blorbsk" not in repr(sample)


def test_a_chat_keeps_its_messages_its_tools_and_who_would_ask(tmp_path: Path) -> None:
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hello"}]
    row = {
        "id": 7,
        "private": False,
        "messages": messages,
        "tools": [{"type": "function"}],
        "caller": {"roles": ["hr"]},
    }
    (sample,) = read_samples(written(tmp_path, row)).rows
    assert sample.body == {"messages": messages, "tools": [{"type": "function"}]}
    assert sample.caller.roles == {"hr"}


def test_the_same_request_twice_counts_once_and_empty_lines_are_none(tmp_path: Path) -> None:
    samples = read_samples(written(tmp_path, TEXT, "", {**TEXT, "id": "again"}, {**TEXT, "text": "another"}))
    assert [sample.line for sample in samples.rows] == [1, 4]
    assert samples.repeated == 1


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("{", "line 2 is not JSON in UTF-8"),
        ("[1]", "line 2 is not a JSON object"),
        ({"text": "Blorbsk"}, "line 2: 'private' is missing"),
        ({**TEXT, "private": "yes"}, "line 2: 'private' must be true or false"),
        ({**TEXT, "private": 1}, "line 2: 'private' must be true or false"),
        ({"private": True}, "line 2: needs either 'text' or 'messages'"),
        ({**TEXT, "messages": [{}]}, "line 2: needs either 'text' or 'messages'"),
        ({"private": True, "messages": []}, "line 2: 'messages' must be a list of objects, one at least"),
        ({"private": True, "messages": ["Blorbsk"]}, "line 2: 'messages.0' must be a list of objects, one at least"),
        ({**TEXT, "lang": "italian"}, "line 2: 'lang' must be a language's code of two letters, such as it"),
        ({**TEXT, "category": "Mr. Blorbsk"}, "line 2: 'category' must be one word"),
        ({**TEXT, "privat": True}, "line 2: unknown field 'privat'; known: id, text, messages,"),
        ({**TEXT, "caller": {"role": "hr"}}, "line 2: unknown field 'caller.role'"),
        ({**TEXT, "text": "first", "private": False}, "line 2: 'private' says otherwise than line 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:40],
)
def test_a_mistake_is_named_by_line_and_field_and_never_by_text(tmp_path: Path, row: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        read_samples(written(tmp_path, {"private": True, "text": "first"}, row))
    assert str(refused.value).startswith(says)
    assert "Blorbsk" not in str(refused.value)


def test_no_file_and_no_samples_are_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the samples"):
        read_samples(tmp_path / "none.jsonl")
    with pytest.raises(ConfigurationError, match="there are no samples"):
        read_samples(written(tmp_path, "", " "))

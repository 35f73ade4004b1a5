"""Bodies that are valid JSON and unreasonable all the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.api.schema import MAX_DEPTH, MAX_ENTRIES, parse_body
from gateway.core.errors import BadRequest

MESSAGE = {"role": "user", "content": "x"}
PART = {"type": "text", "text": "x"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [MESSAGE] * (MAX_ENTRIES + 1)}, "messages"),
        ({"messages": [{"role": "user", "content": [PART] * (MAX_ENTRIES + 1)}]}, "messages"),
        ({"messages": [{"role": "user", "content": [PART] * 101}] * 100}, "messages"),
        ({"messages": [MESSAGE], "tools": [{"type": "function"}] * (MAX_ENTRIES + 1)}, "tools"),
    ],
    ids=["messages", "parts of one", "parts of many", "tools"],
)
def test_more_entries_than_anybody_needs_are_refused_before_they_are_checked(body: Any, param: str) -> None:
    with pytest.raises(BadRequest, match="more than 10000 entries") as refused:
        parse_body(orjson.dumps({"model": "auto", **body}))
    assert refused.value.param == param


def nested(depth: int) -> bytes:
    """A body of so many levels, its own object among them."""
    lists = b"[" * (depth - 1) + b"1" + b"]" * (depth - 1)
    return b'{"model":"auto","messages":[{"role":"user","content":"x"}],"metadata":' + lists + b"}"


def test_a_body_is_128_levels_deep_at_most() -> None:
    assert parse_body(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, 1000):
        with pytest.raises(BadRequest, match="deeper than 128 levels") as refused:
            parse_body(nested(depth))
        assert refused.value.code == "invalid_json"


def test_brackets_in_a_text_make_nothing_deep() -> None:
    message = {"role": "user", "content": "[{" * 10_000}
    assert parse_body(orjson.dumps({"model": "auto", "messages": [message] * 200}))

"""Bodies that are valid JSON and unreasonable all the same."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.api.schema import MAX_ENTRIES, parse_body
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

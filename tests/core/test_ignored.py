"""What an answer takes no notice of is named."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.ignored import ignored

HONOURED = frozenset({"messages", "model"})


def body(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": list(messages), **more}


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        (body({"role": "user", "content": "hi"}), ()),
        (body({"role": "user", "content": "hi"}, user="anna", **{"odd name": 1}), ("?", "user")),
        (body({"role": "assistant", "content": "a", "reasoning_content": "b"}), ("messages[].reasoning_content",)),
        (body({"role": "assistant", "content": "a", "reasoning_content": None}), ()),
        (
            body({"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]}, seed=1),
            ("messages[].content[].redacted_thinking", "seed"),
        ),
        (body("text", None, {"content": [3, None, {"type": []}]}), ()),
        ({"messages": None}, ()),
    ],
    ids=["nothing", "fields", "thinking", "null", "sealed", "malformed", "no messages"],
)
def test_fields_and_foreign_thinking_are_named(asked: dict[str, Any], names: tuple[str, ...]) -> None:
    assert ignored(asked, HONOURED) == names

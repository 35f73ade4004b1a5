"""What the model is told about the placeholders, once, where providers' prompt caches go on working.

It is the same text in every turn of a conversation and stands at the end of the first system message, or in front of
everything where there is none: the beginning of the prompt stays what it was the turn before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.types import Json

_SYSTEM = ("system", "developer")


def stand_for(example: str) -> str:
    return (
        f"Tokens in square brackets such as {example} stand for real values that you are not shown. Treat each as the "
        "value it names; the same token is always the same value. Copy tokens exactly, brackets included; never "
        "change, translate, complete or explain them, and make up no new ones."
    )


def removed(example: str) -> str:
    return f"Marks in square brackets such as {example} stand where a value was removed. Go on without these values."


def noted(body: Mapping[str, Json], note: str) -> dict[str, Any]:
    """A copy of `body` whose system message says `note` as well."""
    messages = list(body["messages"])
    at = next((at for at, each in enumerate(messages) if isinstance(each, Mapping) and each.get("role") in _SYSTEM), -1)
    content = messages[at].get("content") if at >= 0 else None
    if isinstance(content, str):
        messages[at] = {**messages[at], "content": f"{content}\n\n{note}"}
    elif isinstance(content, list | tuple):
        messages[at] = {**messages[at], "content": [*content, {"type": "text", "text": note}]}
    else:
        messages.insert(0, {"role": "system", "content": note})
    return {**body, "messages": messages}

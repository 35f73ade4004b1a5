"""Which fields of a request an answer takes no notice of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.core.types import Json

THOUGHT_FIELDS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "thinking", "thinking_blocks", "encrypted_content",
     "signature", "thought_signature"}
)  # fmt: skip
"""Fields of a message that hold another model's thinking, signed or sealed for the vendor who made it."""
THOUGHT_PARTS = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_text", "encrypted_reasoning"})
"""Types of content parts that do. Whoever made them refuses them changed; every other model misreads them."""
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


def ignored(body: Mapping[str, Json], honoured: frozenset[str]) -> tuple[str, ...]:
    """Names of the fields that the answer takes no notice of. A name is the client's text: an odd one is not told."""
    names = {name if _PLAIN_NAME.match(name) else "?" for name in body.keys() - honoured}
    return tuple(sorted(names | thoughts(body.get("messages"))))


def is_thought(part: Json) -> bool:
    return isinstance(part, Mapping) and isinstance(kind := part.get("type"), str) and kind in THOUGHT_PARTS


def thoughts(messages: Json) -> set[str]:
    """Where a history holds another model's thinking, in the words of the header that tells what was dropped."""
    found: set[str] = set()
    for message in messages if isinstance(messages, list) else ():
        if not isinstance(message, Mapping):
            continue
        if not THOUGHT_FIELDS.isdisjoint(message):
            found.update(f"messages[].{name}" for name in THOUGHT_FIELDS if message.get(name) is not None)
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if is_thought(part):
                found.add(f"messages[].content[].{part['type']}")
    return found

"""What a backend must be able to do, read off the request's shape, and how many tokens the prompt has, estimated.

There is no tokenizer here: the local model's is its own and the remote's is not known. Tokens are characters divided by
what a script usually packs into a token; `docs/scoring.md` states the error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.ignored import THOUGHT_FIELDS, is_thought
from gateway.core.types import Needs

CHARS_PER_TOKEN = {"ascii": 4.0, "latin": 3.0, "code": 2.8, "cyrillic": 1.9, "signs": 0.7, "other": 1.2}
PER_MESSAGE = 4
IMAGE_TOKENS = 800
"""What a vision model commonly spends on one picture at default detail."""
MOST_WANTED = 1_000_000_000
"""The longest answer that is told from longer ones: none is so long, and 64 bits must hold it beside the prompt."""
NODES = 20_000
"""Values looked at in messages and tools together; what lies beyond is not counted. Bodies are limited before that."""
SAMPLE = 400
"""Characters looked at in each of head, middle and tail to tell the script of a string."""
RECENT = 200
"""Messages, from the end, that are estimated one by one, …"""
POOL = 100
"""… and texts that are estimated at once of what was said before: a body may hold tens of thousands of them."""
_OBJECT = (dict, Mapping)
"""A dict is told at once, any other mapping by asking the abstract class."""
_TEXT = {"type", "text"}
"""What a part has that is text and nothing else."""
_CODE = {ord(sign): None for sign in '{}();=<>_[]":0123456789'}
_SIGNS = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uff00-\uffef]")
_CYRILLIC = re.compile(r"[\u0370-\u052f]")
_OTHER = re.compile(r"[\u0530-\u1dff\U0001f000-\U0001faff]")
_PARTS = {
    "image_url": "image", "input_image": "image", "image": "image",
    "input_audio": "audio", "audio": "audio",
    "file": "file", "input_file": "file", "document": "file",
}  # fmt: skip


def needs_of(body: Mapping[str, Any]) -> tuple[Needs, int]:
    """(needs, estimated prompt tokens)."""
    messages = body.get("messages")
    messages = messages if isinstance(messages, list | tuple) else ()
    kinds: dict[str, int] = {}
    tooling = _wants_tools(body)
    for message in messages:
        if isinstance(message, _OBJECT):
            if not isinstance(content := message.get("content"), str):
                _count_parts(content, kinds)
            tooling = tooling or bool(message.get("tool_calls")) or message.get("role") in {"tool", "function"}
    before, pooled = _pooled(messages[:-RECENT])
    said = _said([*before, *messages[-RECENT:]])
    tokens = PER_MESSAGE * len(messages) + IMAGE_TOKENS * kinds.get("image", 0)
    tokens += round(
        sum(_tokens_within([said, body.get("tools"), body.get("functions"), body.get("response_format")])) + pooled
    )
    needs = Needs(
        image="image" in kinds,
        audio="audio" in kinds or "audio" in _modalities(body),
        file="file" in kinds,
        tools=tooling,
        schema=_wants_schema(body.get("response_format")),
        logprobs=bool(body.get("logprobs")),
        context=tokens + _answer_limit(body),
    )
    return needs, tokens


def tokens_of(text: str) -> float:
    """Estimated tokens of one string."""
    size = len(text)
    if text.isascii():
        return size / (CHARS_PER_TOKEN["code"] if _like_code(text) else CHARS_PER_TOKEN["ascii"])
    sample = text if size <= 3 * SAMPLE else text[:SAMPLE] + text[size // 2 : size // 2 + SAMPLE] + text[-SAMPLE:]
    signs, cyrillic = len(_SIGNS.findall(sample)), len(_CYRILLIC.findall(sample))
    other = len(_OTHER.findall(sample))
    latin = max(0, len(sample) - signs - cyrillic - other)
    estimate = (
        signs / CHARS_PER_TOKEN["signs"] + cyrillic / CHARS_PER_TOKEN["cyrillic"]
        + other / CHARS_PER_TOKEN["other"] + latin / CHARS_PER_TOKEN["latin"]
    )  # fmt: skip
    return estimate * size / len(sample)


def _like_code(text: str) -> bool:
    sample = text if len(text) <= 2 * SAMPLE else text[:SAMPLE] + text[-SAMPLE:]
    return len(sample) - len(sample.translate(_CODE)) > 0.1 * len(sample)


def _tokens_within(roots: list[Any]) -> list[float]:
    """Tokens of every string and number under `roots`, without recursion and never more than NODES values."""
    stack, counts, left = roots, [0.0], NODES
    while stack and left > 0:
        left -= 1
        value = stack.pop()
        if isinstance(value, str):
            # Pictures and files come as data URLs; they are counted by piece, not by character.
            counts.append(0.0 if value.startswith("data:") else tokens_of(value))
        elif isinstance(value, _OBJECT):
            counts.append(2.0 * len(value))
            stack.extend(part for name, part in value.items() if name not in {"data", "file_data", "role", "type"})
        elif isinstance(value, list | tuple):
            stack.extend(value)
        elif value is not None:
            counts.append(1.0)
    return counts


def _pooled(messages: Sequence[Any]) -> tuple[list[Any], float]:
    """(messages that are more than a role and text, estimated tokens of all others)."""
    if not messages:
        return [], 0.0
    pools: tuple[list[str], list[str]] = [], []
    rest: list[Any] = []
    tokens = 0.0
    for message in messages:
        if (texts := _plain(message)) is None:
            rest.append(message)
            continue
        tokens += 2.0 * len(message)
        for text in texts:
            pools[text.isascii()].append(text)
    pieces = ("".join(pool[at : at + POOL]) for pool in pools for at in range(0, len(pool), POOL))
    return rest, tokens + sum(tokens_of(piece) for piece in pieces if piece)


def _plain(message: Any) -> list[str] | None:
    """What a message says, where that is all it holds besides its role."""
    if not isinstance(message, dict) or len(message) != 2 or "role" not in message:
        return None
    content = message.get("content")
    if isinstance(content, str):
        return None if content.startswith("data:") else [content]
    if not isinstance(content, list) or not all(isinstance(part, dict) and part.keys() == _TEXT for part in content):
        return None
    texts = [part["text"] for part in content if part["type"] == "text"]
    return texts if len(texts) == len(content) and all(isinstance(text, str) for text in texts) else None


def _said(messages: Sequence[Any]) -> list[Any]:
    """The messages without another model's thinking: it is dropped on the way to any backend."""
    said: list[Any] = []
    for message in messages:
        if isinstance(message, Mapping) and isinstance(content := message.get("content"), list):
            message = {**message, "content": [part for part in content if not is_thought(part)]}
        if isinstance(message, Mapping) and not THOUGHT_FIELDS.isdisjoint(message):
            message = {name: value for name, value in message.items() if name not in THOUGHT_FIELDS}
        said.append(message)
    return said


def _count_parts(content: Any, kinds: dict[str, int]) -> None:
    if isinstance(content, list | tuple):
        for part in content:
            kind = _PARTS.get(str(part.get("type"))) if isinstance(part, Mapping) else None
            if kind:
                kinds[kind] = kinds.get(kind, 0) + 1


def _wants_tools(body: Mapping[str, Any]) -> bool:
    offered = bool(body.get("tools")) and body.get("tool_choice") != "none"
    return offered or (bool(body.get("functions")) and body.get("function_call") != "none")


def _wants_schema(response_format: Any) -> bool:
    return isinstance(response_format, Mapping) and response_format.get("type") in {"json_object", "json_schema"}


def _modalities(body: Mapping[str, Any]) -> tuple[Any, ...]:
    modalities = body.get("modalities")
    return tuple(modalities) if isinstance(modalities, list | tuple) else ()


def _answer_limit(body: Mapping[str, Any]) -> int:
    """`max_completion_tokens`, else `max_tokens`; `n` answers share the prompt and are not counted."""
    for name in ("max_completion_tokens", "max_tokens"):
        limit = body.get(name)
        if isinstance(limit, int) and not isinstance(limit, bool):
            return min(max(0, limit), MOST_WANTED)
    return 0

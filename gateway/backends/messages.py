"""Messages as they may go out: known fields of known roles, known parts, and no address that a vendor would fetch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.backends.allow import Dropped, a_list, an_object
from gateway.core.errors import Unsupported
from gateway.core.ignored import is_thought
from gateway.core.types import Json

_FIELDS = {
    "system": frozenset({"role", "content", "name"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset({"role", "content", "name", "tool_calls", "refusal"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
"""An assistant's `reasoning_content` stays: another model's thinking, sometimes signed, is refused or misread. That of
the same model stays too: nothing in a history proves who thought it, and no model needs it for a new turn."""


def messages(value: Json, dropped: Dropped) -> list[dict[str, Json]]:
    out = [_message(an_object(each, f"messages[{at}]"), at, dropped) for at, each in enumerate(value)]
    kept = [each for each in out if each is not _ONLY_THOUGHT]
    if out and not kept:
        raise Unsupported("messages hold nothing but another model's thinking, which does not go out", param="messages")
    return kept


_ONLY_THOUGHT: dict[str, Json] = {}
"""In place of a message that held nothing but thinking: vendors refuse one without content."""


def _message(message: Mapping[str, Json], at: int, dropped: Dropped) -> dict[str, Json]:
    role = message.get("role")
    known = _FIELDS.get(role) if isinstance(role, str) else None
    if known is None:
        raise Unsupported(f"messages[{at}].role must be one of {', '.join(_FIELDS)}", param=f"messages[{at}].role")
    kept = dropped.keep(message, known, "messages[].")
    content = kept.get("content")
    if isinstance(content, list):
        said = _said(content, dropped)
        if content and not said and not kept.get("tool_calls"):
            return _ONLY_THOUGHT
        kept["content"] = [_part(part, f"messages[{at}].content[{n}]", dropped) for n, part in said] or (
            None if content else []
        )
    elif content is None and role == "assistant":
        kept["content"] = None  # beside tool calls: some servers insist on the key
    if calls := kept.pop("tool_calls", None):
        path = f"messages[{at}].tool_calls"
        kept["tool_calls"] = [_call(call, f"{path}[{n}]", dropped) for n, call in enumerate(a_list(calls, path))]
    return kept


def _said(content: list[Json], dropped: Dropped) -> list[tuple[int, Json]]:
    """The parts that are no thinking, each with its place."""
    for part in content:
        if is_thought(part):
            dropped.add("messages[].content[].", part["type"])
    return [(n, part) for n, part in enumerate(content) if not is_thought(part)]


def _part(part: Json, path: str, dropped: Dropped) -> dict[str, Json]:
    kind = part.get("type") if isinstance(part, Mapping) else None
    shape = _PARTS.get(kind) if isinstance(kind, str) else None
    if shape is None or kind is None:
        raise Unsupported(f"{path} is of a type that does not go out", param=path)
    kept = dropped.keep(part, ("type", kind), "messages[].content[].")
    kept[kind] = shape(kept.get(kind), f"{path}.{kind}", dropped)
    return kept


def _text(value: Json, path: str, _: Dropped) -> Json:
    if not isinstance(value, str):
        raise Unsupported(f"{path} must be a string", param=path)
    return value


def _image(value: Json, path: str, dropped: Dropped) -> Json:
    url = an_object(value, path).get("url")
    if not isinstance(url, str) or url[:5].lower() != "data:":
        raise Unsupported(f"{path}.url must be a data: URL; a remote is not sent to fetch things", param=f"{path}.url")
    return dropped.keep(value, ("url", "detail"), "messages[].content[].image_url.")


def _audio(value: Json, path: str, dropped: Dropped) -> Json:
    return dropped.keep(an_object(value, path), ("data", "format"), "messages[].content[].input_audio.")


def _file(value: Json, path: str, dropped: Dropped) -> Json:
    if not isinstance(an_object(value, path).get("file_data"), str):
        raise Unsupported(f"{path} must hold file_data; an id of a file kept elsewhere does not go out", param=path)
    return dropped.keep(value, ("file_data", "filename"), "messages[].content[].file.")


_PARTS: Mapping[str, Callable[[Json, str, Dropped], Json]] = {
    "text": _text,
    "refusal": _text,
    "image_url": _image,
    "input_audio": _audio,
    "file": _file,
}


def _call(call: Json, path: str, dropped: Dropped) -> dict[str, Json]:
    kind = an_object(call, path).get("type") or "function"
    if kind not in ("function", "custom"):
        raise Unsupported(f"{path}.type must be function or custom", param=f"{path}.type")
    kept = dropped.keep(call, ("id", "type", kind), "messages[].tool_calls[].")
    known = ("name", "arguments") if kind == "function" else ("name", "input")
    inner = an_object(kept.get(kind), f"{path}.{kind}")
    return {**kept, kind: dropped.keep(inner, known, f"messages[].tool_calls[].{kind}.")}

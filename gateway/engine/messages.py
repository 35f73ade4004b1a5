"""A client's messages as a chat template can take them: system, user, assistant and tool, text and calls alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from gateway.core.errors import BadRequest, UnsupportedContent
from gateway.core.ignored import is_thought
from gateway.engine.tools.scan import Value

SYSTEM_PROMPT = "You are a helpful AI assistant."
"""Used when the client sends none. The default model answers "capital of France?" with Paris under this text
and with noise under the one built into its own template."""

Message = dict[str, Any]
"""`role` and `content`, both text. An assistant's may have `tool_calls`, with `arguments` read into an object; a
tool's has `tool_call_id` and the function's `name`."""


def plain_messages(messages: Sequence[Mapping[str, Any]], system_prompt: str = SYSTEM_PROMPT) -> list[Message]:
    """Messages with exactly one system message, first.

    Raises BadRequest for a role or part nobody knows, UnsupportedContent for a part this engine cannot read.
    """
    system: list[str] = []
    turns: list[Message] = []
    names: dict[str, str] = {}
    for number, message in enumerate(messages):
        turn = _turn(message, f"messages[{number}]", names)
        if turn["role"] == "system":
            system.append(turn["content"])
        else:
            turns.append(turn)
    if not turns and not system:
        raise BadRequest("messages is empty", param="messages")
    # Some templates raise on a second system message, and on one that is not the first.
    first = "\n\n".join(part for part in system if part) or system_prompt
    return [{"role": "system", "content": first}, *turns] if first else turns


def folded(messages: Sequence[Message]) -> list[Message]:
    """The same messages for templates without a system role that want user and assistant to take turns.

    Of calls and results only what stands in `content` is kept: they are written out before.
    """
    taken: list[Message] = []
    for message in messages:
        role = "assistant" if message["role"] == "assistant" else "user"
        if taken and taken[-1]["role"] == role:
            taken[-1] = {"role": role, "content": f"{taken[-1]['content']}\n\n{message['content']}"}
        else:
            taken.append({"role": role, "content": message["content"]})
    return taken


def _turn(message: Mapping[str, Any], where: str, names: dict[str, str]) -> Message:
    """`names` tells and learns which function a call's id belongs to."""
    role = message.get("role")
    text = _text(message.get("content"), where)
    if role in {"system", "developer"}:
        return {"role": "system", "content": text}
    if role == "user":
        return {"role": "user", "content": text}
    if role == "assistant":
        calls = _calls(message, where)
        names.update({call["id"]: call["function"]["name"] for call in calls})
        return {"role": "assistant", "content": text} | ({"tool_calls": calls} if calls else {})
    if role == "tool":
        call_id = str(message.get("tool_call_id") or "")
        name = str(message.get("name") or names.get(call_id, ""))
        return {"role": "tool", "content": text, "tool_call_id": call_id, "name": name}
    if role == "function":
        name = str(message.get("name") or "")
        call_id = next((known for known, of in reversed(names.items()) if of == name), "")
        return {"role": "tool", "content": text, "tool_call_id": call_id, "name": name}
    raise BadRequest(f"{where}.role is not system, developer, user, assistant or tool", param="messages")


def _calls(message: Mapping[str, Any], where: str) -> list[Message]:
    said = message.get("tool_calls") or []
    if not said and isinstance(old := message.get("function_call"), Mapping):
        said = [{"id": f"call_{where}", "function": old}]
    if not isinstance(said, list):
        raise BadRequest(f"{where}.tool_calls is not a list", param="messages")
    return [_call(call, f"{where}.tool_calls[{number}]") for number, call in enumerate(said)]


def _call(call: Any, where: str) -> Message:
    function = (call.get("function") or call.get("custom")) if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise BadRequest(f"{where} names no function", param="messages")
    arguments = _arguments(function.get("arguments", function.get("input")))
    said = {"name": function["name"], "arguments": arguments}
    return {"id": str(call.get("id") or ""), "type": "function", "function": said}


def _arguments(said: Any) -> Mapping[str, Any]:
    """An object, as templates want it. What is none, as of an answer that was cut short, is shown as it is."""
    if said is None or said == "":
        return {}
    read = _read(said) if isinstance(said, str) else said
    return read if isinstance(read, Mapping) else {"input": said}


def _read(text: str) -> Any:
    value = Value()
    value.feed(text, 0)
    try:
        # Nothing that a frame could not carry: no depths, no half characters, no numbers beyond 64 bits.
        return orjson.loads(text) if value.done else None
    except orjson.JSONDecodeError:
        return None


def _text(content: Any, where: str) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequest(f"{where}.content is neither text nor a list of parts", param="messages")
    return "".join(_part(part, f"{where}.content[{number}]") for number, part in enumerate(content))


def _part(part: Any, where: str) -> str:
    if isinstance(part, str):
        return part
    kind = part.get("type") if isinstance(part, dict) else None
    if kind in {"text", "input_text", "output_text"} and isinstance(part.get("text"), str):
        return str(part["text"])
    if kind == "refusal" and isinstance(part.get("refusal"), str):
        return str(part["refusal"])
    if is_thought(part):
        return ""  # another model's, and named in what was left aside
    raise UnsupportedContent(f"{where}: the local model reads text alone")

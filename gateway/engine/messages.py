"""A client's messages as a small model's chat template can take them: system, user and assistant, text alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.errors import BadRequest, UnsupportedContent

SYSTEM_PROMPT = "You are a helpful AI assistant."
"""Used when the client sends none. The default model answers "capital of France?" with Paris under this text
and with noise under the one built into its own template."""

Message = dict[str, str]


def plain_messages(messages: Sequence[Mapping[str, Any]], system_prompt: str = SYSTEM_PROMPT) -> list[Message]:
    """Text messages with exactly one system message, first.

    Raises BadRequest for a role or part nobody knows, UnsupportedContent for a part this engine cannot read.
    """
    system: list[str] = []
    turns: list[Message] = []
    for number, message in enumerate(messages):
        role, text = _turn(message, f"messages[{number}]")
        if role == "system":
            system.append(text)
        else:
            turns.append({"role": role, "content": text})
    if not turns and not system:
        raise BadRequest("messages is empty", param="messages")
    # Some templates raise on a second system message, and on one that is not the first.
    first = "\n\n".join(part for part in system if part) or system_prompt
    return [{"role": "system", "content": first}, *turns] if first else turns


def folded(messages: Sequence[Message]) -> list[Message]:
    """The same messages for templates without a system role that want user and assistant to take turns."""
    taken: list[Message] = []
    for message in messages:
        role = "user" if message["role"] == "system" else message["role"]
        if taken and taken[-1]["role"] == role:
            taken[-1] = {"role": role, "content": f"{taken[-1]['content']}\n\n{message['content']}"}
        else:
            taken.append({"role": role, "content": message["content"]})
    return taken


def _turn(message: Mapping[str, Any], where: str) -> tuple[str, str]:
    role = message.get("role")
    text = _text(message.get("content"), where)
    if role in {"system", "developer"}:
        return "system", text
    if role == "user":
        return "user", text
    if role == "assistant":
        calls = [_call(call) for call in message.get("tool_calls") or ()]
        return "assistant", "\n".join(part for part in (text, *calls) if part)
    if role in {"tool", "function"}:
        # Templates differ on the tool role and most small ones refuse it; as a user's words every one shows it.
        return "user", f"Result of the tool call:\n{text}"
    raise BadRequest(f"{where}.role is not system, developer, user, assistant or tool", param="messages")


def _call(call: Mapping[str, Any]) -> str:
    function = call.get("function") or {}
    return f"Tool call: {function.get('name', '')}({function.get('arguments', '')})"


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
    raise UnsupportedContent(f"{where}: the local model reads text alone")

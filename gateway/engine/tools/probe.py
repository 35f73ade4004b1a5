"""What a chat template makes of tools, found out by showing it some: many drop without a word what they do not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Render = Callable[[list[dict[str, Any]], list[dict[str, Any]] | None], str | None]
"""Messages and tools to a prompt, or None where the template does not take them."""

_TOOL, _CALLED, _KEY, _VALUE, _RESULT = "probe_tool", "probe_called", "probe_key", "probe_value", "probe_result"
_PARAMETERS = {"type": "object", "properties": {_KEY: {"type": "string", "description": "-"}}, "required": [_KEY]}
_TOOLS = [{"type": "function", "function": {"name": _TOOL, "description": "-", "parameters": _PARAMETERS}}]
_USER = {"role": "user", "content": "-"}
_CALL = {"id": "probe1234", "type": "function", "function": {"name": _CALLED, "arguments": {_KEY: _VALUE}}}


def shows_tools(render: Render) -> bool:
    return _all_in(render([_USER], _TOOLS), _TOOL, _KEY)


def shows_calls(render: Render) -> bool:
    """Whether calls and results are shown, the arguments as JSON."""
    said = {"role": "assistant", "content": "", "tool_calls": [_CALL]}
    result = {"role": "tool", "content": _RESULT, "tool_call_id": _CALL["id"], "name": _CALLED}
    prompt = render([_USER, said, result], _TOOLS)
    return _all_in(prompt, _CALLED, f'"{_KEY}"', _VALUE, _RESULT)


def _all_in(prompt: str | None, *texts: str) -> bool:
    return prompt is not None and all(text in prompt for text in texts)

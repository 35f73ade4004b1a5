"""The tools of a request, checked: each one callable by its name, each schema enforced or refused by its path."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from gateway.core.errors import BadRequest, Unsupported
from gateway.engine.schemas.schema import plain_schema
from gateway.engine.tools.loosen import loosened

MAX_TOOLS = 128
_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_NO_ARGUMENTS: Mapping[str, Any] = {"type": "object", "additionalProperties": False}
"""What OpenAI takes a function without `parameters` for."""


class Tool(TypedDict):
    """A function the model may be offered. A plain dictionary, because it travels in a frame."""

    name: str
    description: str
    parameters: Mapping[str, Any] | None
    """The client's schema as it came: the model reads it."""
    strict: bool
    schema: Mapping[str, Any]
    """What the arguments are held to, in the plain form of `plain_schema`."""
    path: str
    """Where it stands in the request, for errors."""


@dataclass(frozen=True, slots=True)
class ToolAsk:
    """Which tools there are, which of them may be called, and whether one must be."""

    tools: Sequence[Tool]
    """All that the client sent, in its order: the model is shown every one."""
    choice: str = "auto"
    """auto (it may call) or required (it must). A tool named by the client is `required` with one name in `allowed`."""
    allowed: Sequence[str] = ()
    """Names that may be called, in the order of `tools`."""
    parallel: bool = True
    """Whether there may be several calls in one answer."""

    @property
    def required(self) -> bool:
        return self.choice == "required"

    @property
    def callable_tools(self) -> list[Tool]:
        return [tool for tool in self.tools if tool["name"] in self.allowed]


def parse_tools(body: Mapping[str, Any]) -> ToolAsk | None:
    """The tools of a chat completion; None where there are none or none may be called.

    Raises BadRequest or Unsupported naming the parameter. `functions` and `function_call` of old clients are read as
    tools, of which one may be called; the answer says `tool_calls`.
    """
    choices = {name: body.get(name) for name in ("tool_choice", "function_call")}
    parallel = _flag(body.get("parallel_tool_calls"), True, "parallel_tool_calls")
    functions = body.get("functions")
    if tools := body.get("tools"):
        return _chosen(_tools(tools, "tools", _function), choices["tool_choice"], "tool_choice", parallel)
    if functions:
        legacy = _tools(functions, "functions", lambda entry, path: (entry, path))
        return _chosen(legacy, _modern(choices["function_call"]), "function_call", False)
    for name, choice in choices.items():
        if choice not in (None, "none", "auto"):
            raise BadRequest(f"{name} asks for a tool, and there are no tools", param=name)
    return None


def _tools(value: Any, param: str, function_of: Any) -> list[Tool]:
    if not isinstance(value, list) or len(value) > MAX_TOOLS:
        raise BadRequest(f"{param} must be a list of at most {MAX_TOOLS} entries", param=param)
    tools = [_tool(*function_of(entry, f"{param}[{at}]")) for at, entry in enumerate(value)]
    names = [tool["name"] for tool in tools]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise BadRequest(
                f"{tools[at]['path']}.name is the name of an earlier one", param=f"{tools[at]['path']}.name"
            )
    return tools


def _function(entry: Any, path: str) -> tuple[Any, str]:
    kind = entry.get("type", "function") if isinstance(entry, Mapping) else None
    if kind != "function":
        raise Unsupported(f"{path}.type: the local model calls functions alone", param=f"{path}.type")
    return entry.get("function"), f"{path}.function"


def _tool(function: Any, path: str) -> Tool:
    if not isinstance(function, Mapping):
        raise BadRequest(f"{path} must be an object", param=path)
    name, description = function.get("name"), function.get("description")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadRequest(
            f"{path}.name must be 1 to 64 letters, digits, underscores, dots or dashes", param=f"{path}.name"
        )
    if description is not None and not isinstance(description, str):
        raise BadRequest(f"{path}.description must be a text", param=f"{path}.description")
    parameters = function.get("parameters")
    strict = _flag(function.get("strict"), False, f"{path}.strict")
    return Tool(
        name=name,
        description=description or "",
        parameters=parameters,
        strict=strict,
        schema=_arguments(parameters, strict, f"{path}.parameters"),
        path=path,
    )


def _arguments(parameters: Any, strict: bool, path: str) -> Mapping[str, Any]:
    if parameters is None:
        return _NO_ARGUMENTS
    if not isinstance(parameters, Mapping):
        raise BadRequest(f"{path} must be a JSON schema", param=path)
    if parameters.get("properties") == {} and not parameters.get("additionalProperties"):
        # By the standard that is any object; everybody who writes it means a function without arguments.
        return _NO_ARGUMENTS
    if not strict:
        return loosened(parameters)
    schema = plain_schema(parameters, param=path, path=path)
    if schema.get("type") != "object":
        # Arguments are an object by OpenAI's protocol, so what else the schema lets through could reach no client.
        raise Unsupported(f"{path}: the schema's type must be object", param=path)
    return schema


def _flag(value: Any, default: bool, param: str) -> bool:
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{param} must be true or false", param=param)
    return default if value is None else value


def _modern(choice: Any) -> Any:
    """`function_call` in the words of `tool_choice`."""
    return {"type": "function", "function": choice} if isinstance(choice, Mapping) else choice


def _chosen(tools: Sequence[Tool], choice: Any, param: str, parallel: bool) -> ToolAsk | None:
    names = [tool["name"] for tool in tools]
    if choice == "none":
        return None
    if choice in (None, "auto", "required"):
        return ToolAsk(tools, choice or "auto", names, parallel)
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if kind == "function":
        return ToolAsk(tools, "required", [_known(choice, names, param)], False)
    if kind == "allowed_tools":
        return _allowed(tools, choice, names, parallel)
    raise BadRequest(f"{param} must be none, auto, required or name a function", param=param)


def _allowed(tools: Sequence[Tool], choice: Mapping[str, Any], names: Sequence[str], parallel: bool) -> ToolAsk:
    # OpenAI's own libraries write the list inside `allowed_tools`; its guide writes it beside `type`.
    path = "tool_choice.allowed_tools" if isinstance(choice.get("allowed_tools"), Mapping) else "tool_choice"
    said = choice["allowed_tools"] if path != "tool_choice" else choice
    mode, listed = said.get("mode", "auto"), said.get("tools")
    if mode not in ("auto", "required"):
        raise BadRequest(f"{path}.mode must be auto or required", param=f"{path}.mode")
    if not isinstance(listed, list) or not listed:
        raise BadRequest(f"{path}.tools must be a list with entries", param=f"{path}.tools")
    wanted = {_known(entry, names, f"{path}.tools[{at}]") for at, entry in enumerate(listed)}
    return ToolAsk(tools, mode, [name for name in names if name in wanted], parallel)


def _known(choice: Any, names: Sequence[str], param: str) -> str:
    function = choice.get("function", choice) if isinstance(choice, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or name not in names:
        raise BadRequest(f"{param} names no function of this request", param=param)
    return name

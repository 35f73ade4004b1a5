"""The tools of a request: read, narrowed to what may be called, refused by their path."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from gateway.core.errors import BadRequest, Unsupported
from gateway.engine.tools import ToolAsk, parse_tools

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def tool(name: str = "weather", **function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, **function}}


TWO = [tool("weather", parameters=CITY), tool("clock")]


@pytest.mark.parametrize(
    ("body", "choice", "allowed", "parallel"),
    [
        pytest.param({"tools": TWO}, "auto", ["weather", "clock"], True, id="auto is the default"),
        pytest.param({"tools": TWO, "tool_choice": "required"}, "required", ["weather", "clock"], True, id="required"),
        pytest.param({"tools": TWO, "parallel_tool_calls": False}, "auto", ["weather", "clock"], False, id="one call"),
        pytest.param(
            {"tools": TWO, "tool_choice": {"type": "function", "function": {"name": "clock"}}},
            "required",
            ["clock"],
            False,
            id="a named function is called once",
        ),
        pytest.param(
            {"tools": [tool("auto"), tool("none")], "tool_choice": {"type": "function", "function": {"name": "none"}}},
            "required",
            ["none"],
            False,
            id="names may be words of tool_choice",
        ),
        pytest.param(
            {
                "tools": TWO,
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {
                        "mode": "required",
                        "tools": [{"type": "function", "function": {"name": "clock"}}],
                    },
                },
            },
            "required",
            ["clock"],
            True,
            id="allowed_tools",
        ),
        pytest.param(
            {"tools": TWO, "tool_choice": {"type": "allowed_tools", "tools": [{"type": "function", "name": "clock"}]}},
            "auto",
            ["clock"],
            True,
            id="allowed_tools as the guide writes it",
        ),
        pytest.param({"functions": [{"name": "f"}]}, "auto", ["f"], False, id="functions of old clients"),
        pytest.param(
            {"functions": [{"name": "f"}, {"name": "g"}], "function_call": {"name": "g"}},
            "required",
            ["g"],
            False,
            id="function_call",
        ),
    ],
)
def test_what_may_be_called_is_read(body: dict[str, Any], choice: str, allowed: list[str], parallel: bool) -> None:
    ask = parse_tools(body)
    assert ask is not None
    assert (ask.choice, list(ask.allowed), ask.parallel) == (choice, allowed, parallel)
    assert [tool["name"] for tool in ask.callable_tools] == allowed


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tools": []},
        {"tools": TWO, "tool_choice": "none"},
        {"tool_choice": "auto"},
        {"functions": [{"name": "f"}], "function_call": "none"},
    ],
    ids=str,
)
def test_without_tools_that_may_be_called_nothing_is_asked(body: dict[str, Any]) -> None:
    assert parse_tools(body) is None


def test_it_survives_a_frame() -> None:
    ask = parse_tools({"tools": TWO})
    assert ask is not None
    assert ToolAsk(**json.loads(json.dumps(asdict(ask)))) == ask


@pytest.mark.parametrize(
    ("body", "param", "error"),
    [
        ({"tools": {}, "tool_choice": "required"}, "tool_choice", BadRequest),
        ({"tools": "x"}, "tools", BadRequest),
        ({"tools": [tool(f"t{n}") for n in range(129)]}, "tools", BadRequest),
        ({"tools": [tool(), 7]}, "tools[1].type", Unsupported),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type", Unsupported),
        ({"tools": [{"type": "function"}]}, "tools[0].function", BadRequest),
        ({"tools": [tool("no spaces")]}, "tools[0].function.name", BadRequest),
        ({"tools": [tool("x" * 65)]}, "tools[0].function.name", BadRequest),
        ({"tools": [tool(), tool()]}, "tools[1].function.name", BadRequest),
        ({"tools": [tool(description=7)]}, "tools[0].function.description", BadRequest),
        ({"tools": [tool(parameters=[])]}, "tools[0].function.parameters", BadRequest),
        ({"tools": [tool(strict="yes")]}, "tools[0].function.strict", BadRequest),
        ({"tools": TWO, "parallel_tool_calls": "no"}, "parallel_tool_calls", BadRequest),
        ({"tools": TWO, "tool_choice": "any"}, "tool_choice", BadRequest),
        ({"tools": TWO, "tool_choice": {"type": "function", "function": {"name": "x"}}}, "tool_choice", BadRequest),
        ({"tools": TWO, "tool_choice": {"type": "custom"}}, "tool_choice", BadRequest),
        ({"tools": TWO, "tool_choice": {"type": "allowed_tools", "tools": []}}, "tool_choice.tools", BadRequest),
        (
            {"tools": TWO, "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "x", "tools": [{}]}}},
            "tool_choice.allowed_tools.mode",
            BadRequest,
        ),
        ({"tool_choice": "required"}, "tool_choice", BadRequest),
        ({"functions": [{"name": ""}]}, "functions[0].name", BadRequest),
        ({"functions": [{"name": "f"}], "function_call": {"name": "g"}}, "function_call", BadRequest),
        (
            {"tools": [tool(strict=True, parameters={"type": "object", "minProperties": 1})]},
            "tools[0].function.parameters",
            Unsupported,
        ),
        ({"tools": [tool(strict=True, parameters={"type": "string"})]}, "tools[0].function.parameters", Unsupported),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_cannot_be_honoured_names_its_path(body: dict[str, Any], param: str, error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        parse_tools(body)
    assert refused.value.param == param  # type: ignore[attr-defined]


ODD = {"type": "integer", "not": {"multipleOf": 2}}


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        pytest.param(None, {"type": "object", "additionalProperties": False}, id="none means no arguments"),
        pytest.param(
            {"type": "object", "properties": {}},
            {"type": "object", "additionalProperties": False},
            id="no properties mean no arguments",
        ),
        pytest.param(CITY, CITY, id="what can be enforced is kept"),
        pytest.param(
            {"type": "object", "properties": {"n": ODD, "not": {"type": "null"}}},
            {"type": "object", "properties": {"n": {"type": "integer"}, "not": {"type": "null"}}},
            id="what cannot is left out and the shape stays",
        ),
        pytest.param({"type": "object", "properties": []}, {"type": "object"}, id="anything else is any object"),
        pytest.param({"type": "string"}, {"type": "object"}, id="no object is any object"),
        pytest.param({}, {"type": "object"}, id="an empty schema is any object"),
    ],
)
def test_a_schema_that_is_not_strict_is_held_to_as_far_as_can_be(parameters: Any, schema: Any) -> None:
    ask = parse_tools({"tools": [tool(parameters=parameters)]})
    assert ask is not None
    assert ask.tools[0]["schema"] == schema
    assert ask.tools[0]["parameters"] == parameters

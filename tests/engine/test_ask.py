"""Parameters: each is honoured or refused by its name."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.errors import BadRequest, Unsupported
from gateway.engine.ask import Ask, parse_ask
from gateway.engine.tools import parse_tools

TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("body", "field", "value"),
    [
        pytest.param({"max_tokens": 5}, "max_tokens", 5, id="max_tokens"),
        pytest.param({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", 6, id="the newer word wins"),
        pytest.param({"temperature": 0}, "temperature", 0.0, id="temperature"),
        pytest.param({"stop": "x"}, "stop", ("x",), id="one stop"),
        pytest.param({"stop": ["x", ""]}, "stop", ("x",), id="empty stops mean nothing"),
        pytest.param({"logit_bias": {"5": -3}}, "logit_bias", ((5, -3.0),), id="logit_bias"),
        pytest.param({"top_k": 0}, "top_k", 0, id="top_k off"),
        pytest.param({"seed": -1}, "seed", -1, id="seed"),
        pytest.param({"response_format": {"type": "text"}}, "schema", None, id="text"),
        pytest.param({"response_format": {"type": "json_object"}}, "schema", {"type": "object"}, id="json_object"),
        pytest.param({"tools": [TOOL], "tool_choice": "none"}, "tools", None, id="tools that may not be called"),
        pytest.param({"tools": [TOOL]}, "tools", parse_tools({"tools": [TOOL]}), id="tools"),
        pytest.param({"modalities": ["text"]}, "n", 1, id="text modality"),
        pytest.param({"logprobs": True, "top_logprobs": 20}, "top_logprobs", 20, id="top_logprobs"),
    ],
)
def test_a_parameter_is_read(body: dict[str, Any], field: str, value: Any) -> None:
    assert getattr(parse_ask(body), field) == value


def test_nothing_asked_gives_the_defaults() -> None:
    assert parse_ask({"messages": [], "model": "x", "metadata": {}}) == Ask()


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"temperature": "hot"}, BadRequest),
        ({"temperature": True}, BadRequest),
        ({"top_p": 1.5}, BadRequest),
        ({"n": 0}, BadRequest),
        ({"n": 17}, BadRequest),
        ({"max_tokens": 0}, BadRequest),
        ({"max_completion_tokens": 1.5}, BadRequest),
        ({"stop": ["a"] * 17}, BadRequest),
        ({"stop": [1]}, BadRequest),
        ({"seed": "x"}, BadRequest),
        ({"logit_bias": {"the": 1}}, BadRequest),
        ({"logit_bias": [1]}, BadRequest),
        ({"logit_bias": {"1": 101}}, BadRequest),
        ({"logit_bias": {"9" * 30: 1}}, BadRequest),
        ({"seed": 2**64}, BadRequest),
        ({"top_logprobs": 3}, BadRequest),
        ({"logprobs": 1}, BadRequest),
        ({"response_format": "json"}, BadRequest),
        ({"response_format": {"type": "grammar"}}, BadRequest),
        ({"tools": 7}, BadRequest),
        ({"functions": 7}, BadRequest),
        ({"tool_choice": "required"}, BadRequest),
        ({"parallel_tool_calls": 1}, BadRequest),
        ({"response_format": {"type": "json_object"}, "tools": [TOOL]}, Unsupported),
        ({"modalities": ["text", "audio"]}, Unsupported),
        ({"modalities": 3}, Unsupported),
        ({"audio": {"voice": "x"}}, Unsupported),
        ({"web_search_options": {}}, Unsupported),
    ],
    ids=str,
)
def test_what_cannot_be_honoured_names_its_parameter(body: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        parse_ask(body)
    assert refused.value.param == next(iter(body))  # type: ignore[attr-defined]

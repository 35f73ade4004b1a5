"""What a request asks of the engine, checked: each parameter is honoured or refused by its name, never dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.core.errors import BadRequest, Unsupported
from gateway.engine.schemas.schema import JSON_OBJECT, plain_schema
from gateway.engine.tools.ask import ToolAsk, parse_tools

MAX_CHOICES = 16
MAX_STOPS = 16
MAX_TOKEN = 2**31 - 1
"""No vocabulary has a larger id, and llama.cpp holds ids in 32 bits."""

HONOURED = frozenset(
    {
        "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens",
        "max_tokens", "messages", "min_p", "model", "n", "parallel_tool_calls", "presence_penalty",
        "repetition_penalty", "response_format", "seed", "stop", "stream", "stream_options", "temperature",
        "tool_choice", "tools", "top_k", "top_logprobs", "top_p",
    }
)  # fmt: skip
"""Every other parameter is refused below or left aside."""

REFUSED = ("audio", "web_search_options")
"""Parameters that change the answer and that this engine cannot honour."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Sampling and limits. What a client leaves out is set low: small models wander at OpenAI's temperature of 1."""

    max_tokens: int | None = None
    temperature: float = 0.2
    top_p: float = 0.9
    top_k: int = 40
    """llama.cpp's own; 0 = off."""
    min_p: float = 0.05
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repeat_penalty: float = 1.0
    logit_bias: tuple[tuple[int, float], ...] = ()
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0
    schema: Mapping[str, Any] | None = None
    """JSON schema the answer must match, in the plain form of `plain_schema`."""
    tools: ToolAsk | None = None
    """Tools that may or must be called; None also where the client forbids it."""


def parse_ask(body: Mapping[str, Any]) -> Ask:
    """Read a chat completion's parameters. Raises BadRequest or Unsupported naming the parameter."""
    _refuse(body)
    limit = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    default = Ask()
    schema, tools = _schema(body.get("response_format")), parse_tools(body)
    if schema is not None and tools is not None:
        # A grammar for both would have to say which of them an answer begins with; no small model is that steady.
        raise Unsupported("response_format beside tools that may be called is not supported", param="response_format")
    return Ask(
        max_tokens=_whole(body, limit, None, 1, 2**31),
        temperature=_number(body, "temperature", default.temperature, 0, 2),
        top_p=_number(body, "top_p", default.top_p, 0, 1),
        top_k=_count(body, "top_k", default.top_k, 0, 2**31 - 1),
        min_p=_number(body, "min_p", default.min_p, 0, 1),
        presence_penalty=_number(body, "presence_penalty", 0.0, -2, 2),
        frequency_penalty=_number(body, "frequency_penalty", 0.0, -2, 2),
        repeat_penalty=_number(body, "repetition_penalty", 1.0, 0.1, 2),
        logit_bias=_bias(body.get("logit_bias")),
        seed=_whole(body, "seed", None, -(2**63), 2**64 - 1),
        stop=_stop(body.get("stop")),
        n=_count(body, "n", 1, 1, MAX_CHOICES),
        logprobs=_flag(body, "logprobs"),
        top_logprobs=_top(body),
        schema=schema,
        tools=tools,
    )


def _refuse(body: Mapping[str, Any]) -> None:
    if body.get("modalities") not in (None, [], ["text"]):
        raise Unsupported("the local model answers in text alone", param="modalities")
    for name in REFUSED:
        if body.get(name) is not None:
            raise Unsupported(f"the local model does not support {name!r}", param=name)


def _number(body: Mapping[str, Any], name: str, default: float, least: float, most: float) -> float:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BadRequest(f"{name} must be a number from {least} to {most}", param=name)
    return float(value)


def _whole(body: Mapping[str, Any], name: str, default: int | None, least: int, most: int) -> int | None:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadRequest(f"{name} must be a whole number from {least} to {most}", param=name)
    return value


def _count(body: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = _whole(body, name, default, least, most)
    return default if value is None else value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"{name} must be true or false", param=name)
    return bool(value)


def _top(body: Mapping[str, Any]) -> int:
    count = _count(body, "top_logprobs", 0, 0, 20)
    if count and not _flag(body, "logprobs"):
        raise BadRequest("top_logprobs needs logprobs: true", param="top_logprobs")
    return count


def _stop(value: Any) -> tuple[str, ...]:
    stops = [value] if isinstance(value, str) else value or []
    if not isinstance(stops, list) or len(stops) > MAX_STOPS or not all(isinstance(stop, str) for stop in stops):
        raise BadRequest(f"stop must be a text or a list of at most {MAX_STOPS} texts", param="stop")
    return tuple(stop for stop in stops if stop)


def _bias(value: Any) -> tuple[tuple[int, float], ...]:
    try:
        biases = tuple((int(token), float(bias)) for token, bias in (value or {}).items())
    except (AttributeError, TypeError, ValueError):
        biases = ((-1, 0.0),)
    if any(not 0 <= token <= MAX_TOKEN or not -100 <= bias <= 100 for token, bias in biases):
        raise BadRequest("logit_bias maps token ids to numbers from -100 to 100", param="logit_bias")
    return biases


def _schema(value: Any) -> Mapping[str, Any] | None:
    kind = value.get("type") if isinstance(value, dict) else None
    if value is None or kind == "text":
        return None
    if kind == "json_object":
        return JSON_OBJECT
    if kind == "json_schema" and isinstance(value.get("json_schema"), dict):
        return plain_schema(value["json_schema"].get("schema") or JSON_OBJECT)
    raise BadRequest("response_format.type must be text, json_object or json_schema", param="response_format")

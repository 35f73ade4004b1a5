"""The request body of chat completions: what is checked here and what passes through.

Unknown fields are accepted (clients send many); which of them leave is the wire's allow-list. Null means absent.
Messages of validation errors name the field and the rule and never repeat a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.core.errors import BadRequest
from gateway.core.types import Json

MAX_ENTRIES = 10_000
MAX_DEPTH = 128
"""Levels of lists and objects. What walks a body may recurse, and Python gives that a thousand."""
MAX_TOKEN = 2**31 - 1


class _Open(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)


class Part(_Open):
    type: str


class Function(_Open):
    name: str
    arguments: str


class ToolCall(_Open):
    id: str
    type: str = "function"
    function: Function | None = None


class Message(_Open):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None


class StreamOptions(_Open):
    include_usage: bool | None = None


class ResponseFormat(_Open):
    type: Literal["text", "json_object", "json_schema"]


class Tool(_Open):
    type: str


class ChatBody(_Open):
    """A chat completion request. Fields not listed are accepted too."""

    model: str = Field(min_length=1, max_length=256)
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    n: int | None = Field(default=None, ge=1, le=128)
    stop: str | Annotated[list[str], Field(max_length=16)] | None = None
    seed: int | None = None
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    parallel_tool_calls: bool | None = None


_WITHOUT_TOOLS = (None, "none", "auto")


def parse_body(raw: bytes) -> dict[str, Json]:
    """The body as a dict with null fields removed. Raises BadRequest naming the field."""
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise BadRequest("the body is not valid JSON in UTF-8", code="invalid_json") from None
    if not isinstance(data, dict):
        raise BadRequest("the body must be a JSON object", code="invalid_json")
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH:
        _check_depth(data)
    body = {name: value for name, value in data.items() if value is not None}
    _check_size(body)
    try:
        checked = ChatBody.model_validate(body)
    except ValidationError as error:
        raise _bad_field(error) from None
    _check_together(checked, body)
    return body


def _check_depth(data: Json) -> None:
    """Level by level: however deep it is, this stack does not grow."""
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    raise BadRequest(f"the body is nested deeper than {MAX_DEPTH} levels", code="invalid_json")


def _check_size(body: Mapping[str, Json]) -> None:
    """Twenty megabytes of tiny messages would hold up everybody for seconds; no conversation needs so many."""
    for name in ("messages", "tools"):
        entries = body.get(name)
        if isinstance(entries, list) and (len(entries) > MAX_ENTRIES or _inner(entries) > MAX_ENTRIES):
            raise BadRequest(f"{name!r} holds more than {MAX_ENTRIES} entries", param=name, code="invalid_value")


def _inner(entries: list[Json]) -> int:
    """Content parts and tool calls of all messages together."""
    return sum(
        len(inner)
        for entry in entries
        if isinstance(entry, dict)
        for inner in (entry.get("content"), entry.get("tool_calls"))
        if isinstance(inner, list)
    )


def _bad_field(error: ValidationError) -> BadRequest:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    first = field_path(errors[0]["loc"])
    # A union tells what each of its branches lacked; the branch that got furthest is the one that was meant.
    meant = max(
        (each for each in errors if field_path(each["loc"]).startswith(first)), key=lambda each: len(each["loc"])
    )
    param = field_path(meant["loc"])
    reason = "is required" if meant["type"] == "missing" else meant["msg"][:1].lower() + meant["msg"][1:]
    return BadRequest(f"'{param}': {reason}", param=param, code="invalid_value")


def field_path(loc: tuple[int | str, ...]) -> str:
    """('messages', 0, 'content', 'str') → 'messages[0].content', as OpenAI writes it.

    Pydantic adds the branch of a union at the end; only names that our own models have are kept.
    """
    path = ""
    for part in loc:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part in _FIELD_NAMES:
            path += f".{part}" if path else part
    return path


_FIELD_NAMES = frozenset(
    name
    for model in (ChatBody, Message, Part, ToolCall, Function, StreamOptions, ResponseFormat, Tool)
    for name in model.model_fields
)


def _check_together(checked: ChatBody, body: Mapping[str, Json]) -> None:
    """What single fields cannot say. Each case is one that OpenAI answers with 400 as well."""
    if checked.stream_options is not None and not checked.stream:
        raise BadRequest("'stream_options' needs 'stream': true", param="stream_options", code="invalid_value")
    if checked.top_logprobs is not None and not checked.logprobs:
        raise BadRequest("'top_logprobs' needs 'logprobs': true", param="top_logprobs", code="invalid_value")
    if checked.response_format is not None and checked.response_format.type == "json_schema":
        json_schema = body["response_format"].get("json_schema")
        if not isinstance(json_schema, dict) or not isinstance(json_schema.get("schema", {}), dict):
            raise BadRequest(
                "'response_format.json_schema' must hold a name and a schema",
                param="response_format",
                code="invalid_value",
            )
    if body.get("tool_choice") not in _WITHOUT_TOOLS and not body.get("tools"):
        raise BadRequest("'tool_choice' needs 'tools'", param="tool_choice", code="invalid_value")
    _check_bias(body.get("logit_bias"))
    _check_tool_messages(checked.messages)


def _check_bias(bias: Any) -> None:
    if bias is None:
        return
    fine = isinstance(bias, dict) and all(
        _is_token(token) and type(value) in {int, float} and -100 <= value <= 100 for token, value in bias.items()
    )
    if not fine:
        raise BadRequest(
            "'logit_bias' maps token ids to numbers from -100 to 100", param="logit_bias", code="invalid_value"
        )


def _is_token(word: str) -> bool:
    """The length comes first: a number of a million digits takes long to read."""
    return len(word) <= 10 and word.isdecimal() and int(word) <= MAX_TOKEN


def _check_tool_messages(messages: list[Message]) -> None:
    """A tool message answers a call made before it; a stray one would be answered with nonsense."""
    called: set[str] = set()
    for number, message in enumerate(messages):
        called.update(call.id for call in message.tool_calls or ())
        if message.role == "tool" and message.tool_call_id not in called:
            raise BadRequest(
                f"'messages[{number}].tool_call_id' names a call that no message before it made",
                param=f"messages[{number}].tool_call_id",
                code="invalid_value",
            )
        if message.content is None and message.role in {"system", "developer", "user", "tool"}:
            raise BadRequest(
                f"'messages[{number}].content' is required for role {message.role!r}",
                param=f"messages[{number}].content",
                code="invalid_value",
            )

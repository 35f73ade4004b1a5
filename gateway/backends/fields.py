"""What may go out on an OpenAI-compatible wire: the allow-list of promise P8, and the names of all that stayed behind.

A field has one of three fates: it is sent; it is dropped and named; or, where dropping it would quietly change what
the client asked for, the request is refused with `Unsupported` that names its path.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.backends.allow import Dropped, an_object
from gateway.backends.messages import messages
from gateway.backends.tools import tools
from gateway.core.errors import Unsupported
from gateway.core.types import Json

SENT = frozenset(
    {
        "frequency_penalty", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "messages", "n",
        "parallel_tool_calls", "presence_penalty", "reasoning_effort", "response_format", "seed", "stop",
        "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "verbosity",
    }
)  # fmt: skip

OWN = frozenset({"model", "stream", "stream_options", "store"})
"""Fields the wire writes by itself, whatever the client wrote."""


def sendable(body: Mapping[str, Json], also: frozenset[str] = frozenset()) -> tuple[dict[str, Json], tuple[str, ...]]:
    """The part of `body` that may go out, without OWN, and the names of what was dropped.

    `also` names top-level fields that the operator lets out to this backend, such as `top_k` for a vLLM.
    """
    dropped = Dropped()
    _refuse(body)
    if body.get("store"):
        dropped.add("", "store")
    payload = dropped.keep({key: value for key, value in body.items() if key not in OWN}, SENT | also, "")
    payload["messages"] = messages(payload["messages"], dropped)
    if "response_format" in payload:
        payload["response_format"] = _response_format(payload["response_format"], dropped)
    tools(payload, dropped)
    return payload, dropped.names()


def limit(payload: dict[str, Json], name: str) -> None:
    """Write the answer's limit under the one name that this server reads, whichever the client used."""
    older, newer = payload.pop("max_tokens", None), payload.pop("max_completion_tokens", None)
    if (value := older if newer is None else newer) is not None:
        payload[name] = value


def _refuse(body: Mapping[str, Json]) -> None:
    for name in ("functions", "function_call"):
        if body.get(name):
            raise Unsupported(f"{name!r} does not go out; use 'tools' and 'tool_choice'", param=name)
    modalities = body.get("modalities")
    if isinstance(modalities, list) and "audio" in modalities:
        raise Unsupported("answers as audio cannot be had here; ask for text", param="modalities")


def _response_format(value: Json, dropped: Dropped) -> dict[str, Json]:
    kind = an_object(value, "response_format").get("type")
    if kind not in ("text", "json_object", "json_schema"):
        raise Unsupported("response_format must be text, json_object or json_schema", param="response_format")
    kept = dropped.keep(value, ("type", "json_schema"), "response_format.")
    if kind == "json_schema":
        schema = an_object(kept.get("json_schema"), "response_format.json_schema")
        known = ("name", "description", "schema", "strict")
        kept["json_schema"] = dropped.keep(schema, known, "response_format.json_schema.")
    return kept

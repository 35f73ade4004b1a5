"""The OpenAPI description of what exists."""

from __future__ import annotations

from gateway import __version__
from gateway.api.schema import ChatBody
from gateway.core.types import Json, Sensitivity, Zone

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}
_MODEL = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "model"},
        "created": {"type": "integer"},
        "owned_by": {"type": "string"},
    },
}
_COMPLETION = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {
        "id": {"type": "string"},
        "object": {"const": "chat.completion"},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "object", "required": ["index", "message", "finish_reason"]}},
        "usage": {"type": "object", "required": ["prompt_tokens", "completion_tokens", "total_tokens"]},
    },
}

_RAISING = {
    "name": "x-gateway-sensitivity",
    "in": "header",
    "description": "Raise the request's level; it can never be lowered",
    "schema": {"type": "string", "enum": [str(level) for level in Sensitivity]},
}


def document() -> Json:
    schema = ChatBody.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "slm-gateway",
            "version": __version__,
            "description": "OpenAI-compatible chat completions, kept on this machine or sent out as the policy says.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/chat/completions": {"post": _chat()},
            "/v1/route": {"post": _route()},
            "/v1/models": {"get": _get("The models a client may name", _list_of_models())},
            "/v1/models/{model}": {
                "get": {
                    **_get("One model", _MODEL, 404),
                    "parameters": [{"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}],
                }
            },
            "/healthz": {"get": {**_get("The process is alive", {"type": "object"}), "security": []}},
            "/readyz": {"get": _ready()},
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": {**_get("This document", {"type": "object"}), "security": []}},
        },
        "components": {
            "schemas": {**parts, "ChatBody": schema, "Error": _ERROR, "Completion": _COMPLETION, "Model": _MODEL},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"key": []}],
    }


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _errors(*statuses: int) -> Json:
    texts = {
        400: "The request is at fault, or no backend that the policy allows can serve it",
        401: "No key, or an unknown one",
        403: "The policy says no, or this web page may not call",
        404: "There is no such model",
        413: "The body is too large",
        415: "The body is encoded",
        421: "The host name is not this gateway's",
        429: "Too many requests; Retry-After says when to come back",
        500: "The gateway failed inside",
        502: "The upstream failed",
        503: "A part is down; Retry-After says when to come back",
        504: "The upstream or the local model took too long; Retry-After may say when to come back",
    }
    reference = {"$ref": "#/components/schemas/Error"}
    return {str(status): {"description": texts[status], "content": _json(reference)} for status in statuses}


def _get(summary: str, schema: Json, *errors: int) -> Json:
    ok = {"200": {"description": summary, "content": _json(schema)}}
    return {"summary": summary, "responses": {**ok, **_errors(401, 403, 421, *errors)}}


def _list_of_models() -> Json:
    return {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}},
    }


def _chat() -> Json:
    return {
        "summary": "Answer a chat, locally or remotely as the policy decides",
        "parameters": [_RAISING],
        "requestBody": {"required": True, "content": _json({"$ref": "#/components/schemas/ChatBody"})},
        "responses": {
            "200": {
                "description": (
                    "The answer. With `stream`, events whose data is a chat.completion.chunk, the last one's [DONE]; "
                    "or an Error, and then nothing"
                ),
                "content": {
                    **_json({"$ref": "#/components/schemas/Completion"}),
                    "text/event-stream": {},
                },
            },
            **_errors(400, 401, 403, 404, 413, 415, 421, 429, 500, 502, 503, 504),
        },
    }


def _route() -> Json:
    """What is told of each thing stands in docs/operations.md."""
    names = ["level", "zone", "backend", "rule", "kinds", "scores", "needs", "gates", "ways", "cost", "policy"]
    kind = {"object": {"const": "gateway.route"}}
    told = {"type": "object", "required": ["object", "id", *names], "properties": kind}
    return {
        "summary": "Say what would be done with a chat, without answering it",
        "parameters": [_RAISING],
        "requestBody": {"required": True, "content": _json({"$ref": "#/components/schemas/ChatBody"})},
        "responses": {
            "200": {"description": "Scores, gates, rule, every way and what it would cost", "content": _json(told)},
            **_errors(400, 401, 403, 404, 413, 415, 421, 429, 500),
        },
    }


def _ready() -> Json:
    zones = [str(zone) for zone in Zone]
    return {
        "summary": "Can every configured zone serve",
        "security": [],
        "parameters": [{"name": "zone", "in": "query", "schema": {"type": "string", "enum": zones}}],
        "responses": {
            "200": {"description": "Ready", "content": _json({"type": "object"})},
            "503": {"description": "Not ready", "content": _json({"type": "object"})},
            **_errors(400, 403, 421),
        },
    }


def _metrics() -> Json:
    return {
        "summary": "Prometheus metrics",
        "responses": {
            "200": {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_errors(401, 403, 421),
        },
    }

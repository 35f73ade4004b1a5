"""Names an answer: one keyed digest over everything that may change what the answer says or who may have it."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Mapping, Sequence

import orjson

from gateway.core.types import BackendSpec, Decision, Json, Request, Zone

_NOT_THE_ANSWER = frozenset(
    {
        # How the answer travels, not what it says. A stored answer replays either way.
        "stream",
        "stream_options",
        # Labels for the vendor's books; they never reach the model.
        "user",
        "metadata",
        "store",
        "safety_identifier",
        # How fast and how dear, not what.
        "service_tier",
        "prompt_cache_key",
        "prompt_cache_retention",
        # The name the client used. The backend and the model behind it are in the key by themselves.
        "model",
        # Put back in one common spelling by `_meaning`.
        "messages",
        "max_tokens",
        "max_completion_tokens",
        "stop",
    }
)
_LOCAL = f"{Zone.LOCAL.word}-"


def cache_key(
    secret: bytes,
    *,
    tenant: str,
    policy_digest: str,
    zone: Zone,
    backend_digest: str,
    model: str,
    adapter: str | None,
    body: Mapping[str, Json],
) -> str:
    """The name under which the answer to `body` is kept: zone and HMAC-SHA-256, hexadecimal.

    Fields that nobody has heard of count: a wrong miss costs money, a wrong hit is a wrong answer. The zone stands in
    clear before the digest so that a layered cache never asks a shared store for what may only be in this process.
    `adapter` is that of the local model; answers from elsewhere are the same whichever it is.
    """
    voice = adapter if zone is Zone.LOCAL else None
    document = [2, tenant, policy_digest, zone.value, backend_digest, model, voice, _meaning(body)]
    return f"{zone.word}-{hmac.digest(secret, _canonical(document), 'sha256').hex()}"


def answer_key(secret: bytes, request: Request, decision: Decision, spec: BackendSpec) -> str:
    """The name of the answer that `spec` would give to `request` under `decision`."""
    return cache_key(
        secret,
        tenant=request.principal.tenant,
        policy_digest=decision.policy_digest,
        zone=decision.zone,
        backend_digest=spec.digest,
        model=spec.model,
        adapter=decision.adapter,
        body=request.body,
    )


def is_local(key: str) -> bool:
    """Whether the key names an answer that this host's own engine made."""
    return key.startswith(_LOCAL)


def _meaning(body: Mapping[str, Json]) -> dict[str, Json]:
    meaning = {name: value for name, value in body.items() if name not in _NOT_THE_ANSWER and value is not None}
    meaning["messages"] = [_message(message) for message in body.get("messages") or ()]
    limits = [body[name] for name in ("max_tokens", "max_completion_tokens") if body.get(name) is not None]
    if limits:
        meaning["max_tokens"] = limits[:1] if limits[0] == limits[-1] else limits
    stop = body.get("stop")
    if stop is not None:
        meaning["stop"] = [stop] if isinstance(stop, str) else stop
    return meaning


def _message(message: Json) -> Json:
    """The message without nulls, its content as a string where it is a single bare part of text."""
    if not isinstance(message, Mapping):
        return message
    content = message.get("content")
    if isinstance(content, Sequence) and not isinstance(content, str):
        text = _only_text(content)
        if text is not None:
            message = {**message, "content": text}
    if None in message.values():
        message = {name: value for name, value in message.items() if value is not None}
    return message


def _only_text(parts: Sequence[Json]) -> str | None:
    """The text of one part that has a type and a text and nothing else; anything more might mean something."""
    if len(parts) != 1 or not isinstance(parts[0], Mapping) or parts[0].keys() != {"type", "text"}:
        return None
    part = parts[0]
    return part["text"] if part["type"] == "text" and isinstance(part["text"], str) else None


def _canonical(document: list[Json]) -> bytes:
    """The document as bytes that depend neither on the order of keys nor on anything but its values."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        pass
    # orjson refuses integers beyond 64 bits, lone surrogates and deep nesting; the standard library takes the first
    # two. Its text is never mistaken for orjson's, because of the mark in front.
    try:
        return b"json " + json.dumps(document, sort_keys=True).encode()
    except (TypeError, ValueError, RecursionError):
        return secrets.token_bytes(32)  # nothing can be found under a name that nobody can make twice: a miss

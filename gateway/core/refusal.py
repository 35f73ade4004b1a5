"""A refused decision as the error that its client gets."""

from __future__ import annotations

from gateway.core.errors import (
    ContextTooLong,
    GatewayError,
    LocalModelUnfit,
    NotPermitted,
    Unsupported,
    UnsupportedContent,
)
from gateway.core.types import Decision

_REFUSALS: dict[str, type[GatewayError]] = {
    "unsupported_content": UnsupportedContent,
    "unsupported_parameter": Unsupported,
    "context_length_exceeded": ContextTooLong,
    "local_model_unfit": LocalModelUnfit,
    "model_not_permitted": NotPermitted,
}


def refusal(decision: Decision) -> GatewayError:
    """The error a refused decision is answered with."""
    error = _REFUSALS[decision.refusal or ""]
    if error is Unsupported:
        return Unsupported(decision.refusal_detail, param=decision.refusal_detail.split(maxsplit=1)[0])
    return error(decision.refusal_detail)

"""The ways that a decision allows: what one demands of the request, and whether the next may be tried after it."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.errors import (
    AuditUnavailable,
    BackendError,
    BackendRejected,
    EgressDenied,
    GatewayError,
    Unavailable,
    Unsupported,
)
from gateway.core.parts import Asked
from gateway.core.ports import Transform, Transformed
from gateway.core.recording import unrecorded
from gateway.core.types import Allowed


async def changed(transforms: Mapping[str, Transform], way: Allowed, asked: Asked) -> Transformed | None:
    """The request as the rule wants it changed; None = it may go as it is. Raises EgressDenied, or what fails."""
    if way.transform is None:
        return None
    transform = transforms.get(way.transform)
    if transform is None:
        raise EgressDenied(f"rule {way.rule!r} demands transform {way.transform!r}, which this gateway has not")
    try:
        return await transform.apply(asked.request, asked.assessment, asked.seen)
    except GatewayError:
        raise
    except Exception as error:
        raise EgressDenied("what would leave could not be changed, so it stays") from error


def moves_on(error: GatewayError, asked: Asked) -> bool:
    """Whether the next way may be tried. Without a record only what stays here may, where the policy says so."""
    if isinstance(error, AuditUnavailable):
        return unrecorded(asked)
    if isinstance(error, BackendRejected):
        return False
    return isinstance(error, BackendError | EgressDenied | Unsupported | Unavailable)

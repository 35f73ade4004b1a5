"""The check that every remote backend makes first: this permit names me."""

from __future__ import annotations

from gateway.core.errors import EgressDenied
from gateway.core.release import Released
from gateway.core.types import BackendSpec


def only_for(spec: BackendSpec, released: Released) -> None:
    """Raise EgressDenied for a permit made for another backend, or for this one under another definition."""
    permitted = released.backend
    if (permitted.name, permitted.zone, permitted.digest) != (spec.name, spec.zone, spec.digest):
        raise EgressDenied(
            f"the permit of request {released.request_id!r} is for {permitted.name!r}, not {spec.name!r}"
        )

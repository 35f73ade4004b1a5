"""The shadow as configured, or none. What could not keep its promise is refused before anything is served."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.core.errors import ConfigurationError
from gateway.core.parts import Parts
from gateway.core.types import Usage
from gateway.settings import Settings
from gateway.shadow.ledger import Ledger
from gateway.shadow.worker import Shadow, ShadowOptions
from gateway.telemetry import Metrics
from gateway.wiring.places import audit_places


def shadow_place(settings: Settings, folder: Path) -> Path:
    """Beside the audit folder: what shadows measured, for `gateway calibrate`."""
    return audit_places(settings, folder)[0].parent / "shadow.jsonl"


def build_shadow(
    settings: Settings, folder: Path, parts: Parts, metrics: Metrics, log: Any, pseudonym: Callable[[str], str]
) -> Shadow | None:
    """Raises ConfigurationError for a backend that is none, and for a budget that nobody can keep."""
    told = settings.shadow
    if not told.share:
        return None
    if told.backend is None or told.backend not in parts.remotes:
        names = ", ".join(map(repr, parts.remotes)) or "the backends, of which there is none"
        raise ConfigurationError(f"shadow.share is {told.share:g} and shadow.backend is {told.backend!r}: name {names}")
    spec = parts.remotes[told.backend].spec
    if spec.wire == "canned":
        log.warning("shadow_off", backend=spec.name, problem="a stand-in plays it, and its answers measure nothing")
        return None
    if parts.prices is None or parts.prices.cost(spec, Usage(1, 1)) is None:
        raise ConfigurationError(
            f"the price of shadow.backend {spec.name!r} is not known, so shadow.budget_usd_per_day cannot be kept: "
            f"give it one under prices"
        )
    options = ShadowOptions(spec.name, told.share, told.budget_usd_per_day, settings.local.max_tokens)
    return Shadow(parts, options, Ledger(shadow_place(settings, folder)), log, metrics.shadowed, pseudonym=pseudonym)

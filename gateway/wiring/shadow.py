"""Who measures what the policy in force wants measured. What could not keep its promise is refused at start."""

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
    """None where the settings switch it off. Raises ConfigurationError for a budget that nobody can keep."""
    if settings.shadow.mode == "off":
        return None
    told = parts.policies.current().shadow
    if told is not None and told.to in parts.remotes:
        spec = parts.remotes[told.to].spec
        if spec.wire == "canned":
            log.warning("shadow_off", backend=spec.name, problem="a stand-in plays it, and its answers measure nothing")
        elif parts.prices is None or parts.prices.cost(spec, Usage(1, 1)) is None:
            raise ConfigurationError(
                f"the policy's shadow asks backend {spec.name!r}, whose price is not known, so no budget can be kept: "
                f"give it a price under prices, or say `shadow: off` in the settings"
            )
    options = ShadowOptions(settings.shadow.budget_usd_per_day, settings.local.max_tokens)
    return Shadow(parts, options, Ledger(shadow_place(settings, folder)), log, metrics.shadowed, pseudonym=pseudonym)

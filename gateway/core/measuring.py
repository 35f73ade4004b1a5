"""What a policy says about asking twice: which share of the answers made here is measured, where, and for how much."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measuring:
    """Only PUBLIC requests are asked twice, whatever stands here."""

    share: float
    """Of the local answers that may be measured."""
    to: str
    """The backend that is asked as well."""
    usd_per_day: float | None = None
    """At most; the settings' ceiling counts where it is lower. None = that ceiling."""

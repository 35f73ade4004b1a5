"""The head: a linear function of the signs, trained on gain, whose numbers stand in the calibration file."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from gateway.cascade.signs import NAMES
from gateway.core.errors import ConfigurationError
from gateway.core.types import Json

FAR = 4.0
"""Standard deviations from the usual beyond which a sign says no more: nothing was measured there."""


@dataclass(frozen=True, slots=True)
class Head:
    """gain = intercept + Σ weight × (sign − usual) / spread, kept between 0 and 1."""

    intercept: float
    weights: tuple[float, ...]
    usual: tuple[float, ...]
    spread: tuple[float, ...]
    tokens: int
    """How many first tokens it was trained on: more of them it does not know."""

    def gain(self, signs: Sequence[float]) -> float:
        total = self.intercept
        for sign, weight, usual, spread in zip(signs, self.weights, self.usual, self.spread, strict=True):
            if math.isfinite(sign):
                total += weight * max(-FAR, min(FAR, (sign - usual) / spread))
        return max(0.0, min(1.0, total))

    def to_json(self) -> dict[str, Json]:
        return {"signs": list(NAMES), **{name: _listed(value) for name, value in asdict(self).items()}}

    @classmethod
    def from_json(cls, told: Mapping[str, Json]) -> Head:
        """Raises ConfigurationError for numbers that this release cannot use."""
        try:
            if tuple(told["signs"]) != NAMES:
                raise ValueError("it was trained on other signs")
            weights, usual, spread = (tuple(map(float, told[name])) for name in ("weights", "usual", "spread"))
            head = cls(float(told["intercept"]), weights, usual, spread, int(told["tokens"]))
        except (KeyError, TypeError, ValueError, OverflowError):
            raise ConfigurationError(_AGAIN) from None
        numbers = (head.intercept, *head.weights, *head.usual, *head.spread)
        whole = all(len(each) == len(NAMES) for each in (weights, usual, spread)) and all(map(math.isfinite, numbers))
        if not whole or min(spread) <= 0 or head.tokens < 1:
            raise ConfigurationError(_AGAIN)
        return head


_AGAIN = "the calibration's cascade is none that this release can use; run `gateway calibrate` again"


def _listed(value: Json) -> Json:
    return list(value) if isinstance(value, tuple) else value

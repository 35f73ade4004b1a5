"""The prices of one gateway's backends. An unknown price stays unknown: no sum is made of guesses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.core.types import BackendSpec, Usage, Zone
from gateway.prices.price import Price, dollars
from gateway.prices.vendors import vendor_prices


class PriceTable:
    """Implements `core.ports.Prices`."""

    def __init__(self, prices: Mapping[str, Price], reference: str | None = None) -> None:
        """`reference` names the backend that all-remote is reckoned by; None = no remote price is known."""
        self._prices = dict(prices)
        self._reference = self._prices.get(reference) if reference is not None else None

    @classmethod
    def of(cls, specs: Iterable[BackendSpec], own: Mapping[str, Price]) -> PriceTable:
        """`specs` as configured, in the operator's order; `own` are the operator's prices, which win."""
        outside = [spec for spec in specs if spec.zone is not Zone.LOCAL]
        listed = vendor_prices(spec for spec in outside if spec.zone is Zone.REMOTE and spec.name not in own)
        prices = {**listed, **own}
        reference = next((spec.name for spec in outside if spec.zone is Zone.REMOTE and spec.name in prices), None)
        return cls(prices, reference)

    def cost(self, spec: BackendSpec, usage: Usage) -> float | None:
        """Three cases: what stays here and what a stand-in plays is free; what has a price costs that; else

        a machine of the operator's own (PRIVATE) is as free as this one, and a vendor's price is not known.
        """
        if spec.zone is Zone.LOCAL or spec.wire == "canned":
            return 0.0
        price = self._prices.get(spec.name)
        if price is None:
            return 0.0 if spec.zone is Zone.PRIVATE else None
        return _dollars(price, usage)

    def all_remote(self, usage: Usage) -> float | None:
        return None if self._reference is None else _dollars(self._reference, usage)


def _dollars(price: Price, usage: Usage) -> float | None:
    cost = price.of(usage)
    return None if cost is None else dollars(cost)

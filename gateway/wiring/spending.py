"""Prices of the backends as configured. A name that is no backend's is refused, as every other misspelt setting is."""

from __future__ import annotations

from gateway.core.errors import ConfigurationError
from gateway.prices import Price, PriceTable, rates
from gateway.settings import Settings
from gateway.wiring.backends import configured, spec_of


def build_prices(settings: Settings) -> PriceTable:
    """By the definitions, not by what serves: a stand-in plays a vendor's model, and that has its price."""
    specs = [spec_of(backend) for backend in configured(settings)]
    names = [spec.name for spec in specs]
    for name in settings.prices:
        if name not in names:
            raise ConfigurationError(
                f"prices names {name!r}, which is no backend; {', '.join(map(repr, names)) or 'none'} can have a price"
            )
    own = {
        name: Price(rates(price.input_per_mtok, price.output_per_mtok, price.cached_per_mtok))
        for name, price in settings.prices.items()
    }
    return PriceTable.of(specs, own)

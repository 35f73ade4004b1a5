"""What an answer costs, and what it would have cost outside: prices from litellm's own list and the operator's word."""

from gateway.prices.price import Price, Rates, rates
from gateway.prices.table import PriceTable

__all__ = ["Price", "PriceTable", "Rates", "rates"]

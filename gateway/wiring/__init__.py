"""Settings → a running gateway. The only place that knows everybody."""

from gateway.wiring.gateway import Gateway, open_gateway
from gateway.wiring.places import find_policy, places, shipped_policies

__all__ = ["Gateway", "find_policy", "open_gateway", "places", "shipped_policies"]

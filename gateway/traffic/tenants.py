"""The tenants that are remembered: as many as there is room for, and who asks steadily before who asked once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from gateway.traffic.tenant import Tenant


class Tenants:
    """Two queues, in each the one that was silent longest first. Whoever must go is taken from the first.

    1. `new`: who has asked less than `least` requests so far. A flood of tenants that ask once pushes out one another.
    2. `steady`: everybody else. At most three quarters: beyond that the one that was silent longest is a new one again,
       so that a house that is gone makes room, and there is always some for who comes.
    """

    def __init__(self, most: int, least: int) -> None:
        self._most, self._least = most, least
        self._most_steady = max(1, 3 * most // 4)
        self._new: OrderedDict[str, Tenant] = OrderedDict()
        self._steady: OrderedDict[str, Tenant] = OrderedDict()

    def __len__(self) -> int:
        return len(self._new) + len(self._steady)

    def __iter__(self) -> Iterator[tuple[str, Tenant]]:
        """Who would go first comes first."""
        yield from list(self._new.items())
        yield from list(self._steady.items())

    def get(self, name: str) -> Tenant | None:
        """Who only looks does not ask: nothing moves."""
        return self._steady.get(name) or self._new.get(name)

    def asking(self, name: str) -> Tenant:
        """The tenant, who asks now."""
        if name in self._steady:
            self._steady.move_to_end(name)
            return self._steady[name]
        tenant = self._new.get(name) or Tenant()
        self.put(name, tenant)
        return tenant

    def put(self, name: str, tenant: Tenant) -> None:
        """As the one that asked last."""
        queue = self._steady if tenant.asked >= self._least else self._new
        self._new.pop(name, None)
        queue[name] = tenant
        queue.move_to_end(name)
        if len(self._steady) > self._most_steady:
            silent, its = self._steady.popitem(last=False)
            self._new[silent] = its
        if len(self) > self._most:
            self._new.popitem(last=False)

"""Where a request stands among what its tenant asked lately, and how much of that went out: the port `Traffic`.

A threshold that is right for one house's requests sends nearly all of another's out, and one that is right for
questions of law nearly all of mathematics. So policies may ask for a share or a quality instead, and what they compare
is counted here, apart for each tenant and task family. All of it is in this process's memory; `kept` writes down what
a restart needs of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from gateway.core.types import Assessment, Request, Score, Standing, Zone
from gateway.traffic.tenant import Share, Tenant, family_of
from gateway.traffic.tenants import Tenants
from gateway.traffic.warm import Warm, warmed
from gateway.traffic.window import Chances, Window

LEAST = 30
"""Requests of a tenant and family from which on they alone count; until then calibration speaks for those missing."""
MOST_TENANTS = 256
"""Beyond these somebody is forgotten; see `Tenants`. A tenant takes 90 kilobytes, and 20 for each family."""


class RollingTraffic:
    """Belongs to the event loop's thread. No tenant's numbers depend on another's."""

    def __init__(
        self, quantiles: Mapping[str, Sequence[float]] | None = None, *, most_tenants: int = MOST_TENANTS
    ) -> None:
        """`quantiles`: by task family, the gains that calibration met, evenly spaced from the lowest to the highest."""
        self._warm = warmed(quantiles or {})
        self.tenants = Tenants(most_tenants, LEAST)
        self.counted = 0
        """How often anything changed here."""

    def standing(self, request: Request, score: Score) -> Standing:
        """A request that is counted already is not counted again."""
        tenant, family = self.tenants.asking(request.principal.tenant), family_of(score)
        chances = _chances(score)
        standing = self._standing(tenant, family, score, chances)
        if not tenant.counted(request.id):
            tenant.count(request.id, family, chances)
            self.counted += 1
        return standing

    def look(self, request: Request, score: Score) -> Standing:
        tenant = self.tenants.get(request.principal.tenant) or Tenant()
        return self._standing(tenant, family_of(score), score, _chances(score))

    def went(self, request: Request, assessment: Assessment, zone: Zone, *, answered: bool = False) -> None:
        if (tenant := self.tenants.get(request.principal.tenant)) is not None:
            tenant.went(request.id, zone is Zone.REMOTE)
            self.counted += 1

    def shares(self) -> list[Share]:
        """What went out lately, of each tenant and family that asked anything."""
        return [share for name, tenant in self.tenants for share in tenant.shares(name)]

    def _standing(self, tenant: Tenant, family: str, score: Score, chances: Chances | None) -> Standing:
        if chances is None:
            return Standing(share=tenant.share)
        window = tenant.windows.get(family) or Window()
        warm = self._warm.get(family)
        if warm is None and len(window) < LEAST:
            return Standing(share=tenant.share)
        rank, loss = _place(window, warm, chances.gain)
        quality = _quality(window, chances, loss) if score.local is not None and score.remote is not None else None
        return Standing(rank, quality, tenant.share)


def _chances(score: Score) -> Chances | None:
    """None where the request could not be scored: it stands nowhere, and others are not compared with it.

    Of a scorer that says the gain alone it is taken that the better of the two models is right for certain.
    """
    gain, local, remote = score.gain, score.local, score.remote
    if gain is None or not 0.0 <= gain <= 1.0:  # NaN is between no two numbers
        return None
    if local is None or remote is None or not (0.0 <= local <= 1.0 and 0.0 <= remote <= 1.0):
        return Chances(gain, 2 * gain - 1, min(1.0, 2 * gain))
    return Chances(gain, remote - local, remote)


def _place(window: Window, warm: Warm | None, gain: float) -> tuple[float, float]:
    """Rank, and the mean loss of what is below it. The nearer a window is to LEAST, the more it counts."""
    own = min(len(window) / LEAST, 1.0) if warm is not None else 1.0
    rank = loss = 0.0
    if own > 0:
        place = window.place(gain)
        rank, loss = own * place.rank, own * place.loss / len(window)
    if warm is not None and own < 1:
        place = warm.place(gain, window.turn)
        rank, loss = rank + (1 - own) * place.rank, loss + (1 - own) * place.loss
    return min(1.0, rank), loss


def _quality(window: Window, chances: Chances, loss: float) -> float | None:
    """Of answers that are right, the share that is left when this one and all below it are answered here.

    None where nothing is right outside either: there is nothing to be a share of.
    """
    count = len(window) + 1
    remote = (window.remote + chances.remote) / count
    lost = (loss * (count - 1) + chances.loss) / count if len(window) else loss
    return 1 - lost / remote if remote > 0 else None


if TYPE_CHECKING:
    from gateway.core.ports import Traffic

    _: Traffic = RollingTraffic()

"""How large a share may be at most, judged by what was counted in a sample; right for no hits and for hits only."""

from __future__ import annotations

import math
from collections.abc import Sequence

CONFIDENCE = 0.95
_STEPS = 54
"""Halvings of the interval from 0 to 1: more than a float can tell apart."""


def at_most(hits: int, total: int, confidence: float = CONFIDENCE) -> float:
    """The share that is not exceeded, with this confidence: Clopper and Pearson's bound on one side, exact.

    The largest share under which so few hits would still come up in 1 - `confidence` of all samples of this size.
    0 of 500 is at most 0.6 %. Nothing counted proves nothing: 1.
    """
    if total == 0 or hits >= total:
        return 1.0
    if hits == 0:
        return 1.0 - float((1 - confidence) ** (1 / total))
    ways = [_log_ways(fewer, total) for fewer in range(hits + 1)]
    low, high = hits / total, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _so_few(ways, total, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _log_ways(hits: int, total: int) -> float:
    """The logarithm of how many samples of this size have so many hits."""
    return math.lgamma(total + 1) - math.lgamma(hits + 1) - math.lgamma(total - hits + 1)


def _so_few(ways: Sequence[float], total: int, share: float) -> float:
    """The probability of fewer than `len(ways)` hits among `total`."""
    if share >= 1.0:
        return 0.0
    yes, no = math.log(share), math.log1p(-share)
    likely = [way + hits * yes + (total - hits) * no for hits, way in enumerate(ways)]
    most = max(likely)
    return math.exp(most) * sum(math.exp(one - most) for one in likely)

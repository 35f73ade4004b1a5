"""How sure a share is that was counted in a sample: of misses, of right answers, of anything else."""

from __future__ import annotations

import math

_Z = 1.959963984540054
"""Of a two-sided interval at 95 %."""


def wilson(hits: float, total: float) -> tuple[float, float]:
    """Between what the true share lies, at 95 %, by Wilson's score. Nothing counted says nothing: from 0 to 1.

    Neither need be whole: an answer may be half right, and may count for half of one.
    """
    if total == 0:
        return 0.0, 1.0
    share, square = hits / total, _Z * _Z / total
    middle = (share + square / 2) / (1 + square)
    reach = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    # The edges are exact there: rounding must not say that no hits at all are hardly possible.
    return 0.0 if hits == 0 else max(0.0, middle - reach), 1.0 if hits == total else min(1.0, middle + reach)

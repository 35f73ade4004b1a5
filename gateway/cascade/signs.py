"""The signs that a draft is judged by: what was known before it, how sure its tokens are, how its text looks."""

from __future__ import annotations

import math
from typing import Final

from gateway.cascade.loops import loops
from gateway.cascade.refusal import Refusals
from gateway.core.confidence import Confidence

BEFORE: Final = ("gain", "local", "remote")
"""Known without a draft."""
NAMES: Final = (
    *BEFORE, "mean_logprob", "lowest_logprob", "mean_entropy", "mean_margin",
    "early_logprob", "early_entropy", "early_margin", "refuses", "loops", "ended",
)  # fmt: skip
UNKNOWN: Final = math.nan
"""What is not known counts as what is usual."""


class Signs:
    def __init__(self) -> None:
        self._refusals = Refusals()

    def read(
        self,
        gain: float | None,
        local: float | None,
        remote: float | None,
        sureness: Confidence | None,
        text: str,
        ended: bool,
    ) -> tuple[float, ...]:
        """One number for each of NAMES. `text` is the draft so far, `ended` whether that is all of the answer."""
        before = (gain, local, remote)
        return (
            *(UNKNOWN if each is None else each for each in before),
            *_figures(sureness),
            float(self._refusals.refuses(text)),
            float(loops(text)),
            float(ended),
        )


def _figures(sureness: Confidence | None) -> tuple[float, ...]:
    if sureness is None:
        return (UNKNOWN,) * 7
    early = sureness.early
    return (
        sureness.mean_logprob,
        sureness.lowest_logprob,
        sureness.mean_entropy,
        sureness.mean_margin,
        early.mean_logprob,
        early.mean_entropy,
        early.mean_margin,
    )

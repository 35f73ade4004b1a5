"""How sure the local model was of one answer: figures of each token, folded into a few numbers as they pass by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EARLY = 16
"""The first tokens have means of their own: who wants to stop a weak answer must see it while little time is lost."""
BEYOND = 9999.0
"""From here on a figure stands for infinity, as in OpenAI's logprobs: JSON knows no other."""


@dataclass(frozen=True, slots=True)
class Means:
    tokens: int
    """How many tokens these are the means of."""
    mean_logprob: float
    """Of the chosen token. Minus it, raised to e, is the answer's perplexity under its own model."""
    mean_entropy: float
    """In nats: 0 where the model sees one way to go on."""
    mean_margin: float
    """Logprob of the likeliest token less that of the second."""


@dataclass(frozen=True, slots=True)
class Confidence(Means):
    """Over a whole answer, all choices together, as far as it came."""

    lowest_logprob: float
    early: Means
    """Over the first EARLY tokens, or all of a shorter answer."""


class Folding:
    """The running numbers of one request. It costs a tenth of a microsecond per token and never grows."""

    __slots__ = ("_early", "_entropy", "_logprob", "_lowest", "_margin", "_tokens")

    def __init__(self) -> None:
        self._tokens = 0
        self._logprob = self._entropy = self._margin = self._lowest = 0.0
        self._early: Means | None = None

    def add(self, figures: Iterable[Sequence[float]]) -> None:
        """Logprob, entropy, margin of each token. One without finite figures would spoil the means and is skipped."""
        for logprob, entropy, margin in figures:
            if not (logprob > -BEYOND and entropy < BEYOND and margin < BEYOND):  # true of NaN as well
                continue
            self._tokens += 1
            self._logprob += logprob
            self._entropy += entropy
            self._margin += margin
            if logprob < self._lowest:
                self._lowest = logprob
            if self._tokens == EARLY:
                self._early = self._means()

    def result(self) -> Confidence | None:
        """None where no token came with figures."""
        if not self._tokens:
            return None
        means = self._means()
        return Confidence(
            tokens=means.tokens,
            mean_logprob=means.mean_logprob,
            mean_entropy=means.mean_entropy,
            mean_margin=means.mean_margin,
            lowest_logprob=round(self._lowest, 4),
            early=self._early or means,
        )

    def _means(self) -> Means:
        count = self._tokens
        logprob, entropy, margin = self._logprob / count, self._entropy / count, self._margin / count
        return Means(count, round(logprob, 4), round(entropy, 4), round(margin, 4))

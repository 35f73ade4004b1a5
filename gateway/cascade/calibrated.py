"""The cascade of a calibrated local model: drafts in the grey band, judged by its head."""

from __future__ import annotations

from gateway.cascade.head import Head
from gateway.cascade.signs import Signs
from gateway.core.confidence import Confidence
from gateway.core.types import Assessment


class CalibratedCascade:
    """Implements `core.ports.Cascade`."""

    def __init__(self, head: Head, *, band: tuple[float, float], most_tokens: int, most_s: float) -> None:
        """`band` is the gains, both ends included, that lie too near the border to decide without a draft."""
        self.most_tokens = min(most_tokens, head.tokens)
        self.most_s = most_s
        self._head = head
        self._low, self._high = band
        self._signs = Signs()

    def drafts(self, assessment: Assessment) -> bool:
        return assessment.gain is not None and self._low <= assessment.gain <= self._high

    def gain(self, assessment: Assessment, sureness: Confidence | None, text: str, ended: bool) -> float | None:
        """None for an engine that tells no figures: text alone was never found to say enough."""
        if sureness is None:
            return None
        signs = self._signs.read(assessment.gain, assessment.local, assessment.remote, sureness, text, ended)
        return round(self._head.gain(signs), 4)

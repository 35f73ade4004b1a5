"""What a run will ask of whom, and what that costs at most, before anything is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.calibrate.probes import Probe
from gateway.core.ports import Prices
from gateway.core.types import BackendSpec, Usage
from gateway.score.needs import PER_MESSAGE, tokens_of

MARGIN = 1.25
"""Vendors count other tokens than this estimate does."""


@dataclass(frozen=True, slots=True)
class Cost:
    backend: str
    asked: int
    prompt_tokens: int
    most_answer_tokens: int
    usd: float | None
    """At most; None where the price is not known."""

    def __str__(self) -> str:
        tokens = f"about {self.prompt_tokens} tokens of prompts and at most {self.most_answer_tokens} of answers"
        if self.usd is None:
            price = f"its price is not known (`prices: {{{self.backend}: …}}` in the configuration says it)"
        else:
            price = f"at most ${self.usd:.4f}"
        return f"{self.backend}: {self.asked} requests, {tokens}; {price}"


def cost(probes: Sequence[Probe], spec: BackendSpec, prices: Prices, most_tokens: int, *, times: int = 1) -> Cost:
    """Of asking each probe `times`, with answers of at most `most_tokens`."""
    prompt = round(times * MARGIN * sum(tokens_of(probe.prompt) + PER_MESSAGE for probe in probes))
    answers = times * most_tokens * len(probes)
    return Cost(spec.name, times * len(probes), prompt, answers, prices.cost(spec, Usage(prompt, answers)))

"""The price of one model: whole numbers of a very small unit, so that no sum of any length rounds anything away.

A token costs between 10⁻¹⁰ and 10⁻³ dollars, written with few decimal places. In femto-dollars (10⁻¹⁵) that is a whole
number; an answer's cost is one too, and is rounded once, when it becomes a float.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.core.types import Json, Usage

FEMTO = 10**15
_PER_MILLION = Decimal(FEMTO) / 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Femto-dollars for one token of each kind. None = the vendor names no rate of its own for it."""

    prompt: int
    completion: int
    cached: int | None = None
    """Prompt tokens that the vendor still knew; without a rate they cost what others do."""
    written: int | None = None
    """Prompt tokens that it keeps for next time."""
    reasoning: int | None = None
    """Completion tokens that nobody sees."""
    audio_prompt: int | None = None
    audio_completion: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    rates: Rates
    beyond: tuple[tuple[int, Rates], ...] = ()
    """(prompt tokens, rates), ascending: a prompt of more tokens is billed as a whole at these."""

    def of(self, usage: Usage) -> int | None:
        """What it costs, in femto-dollars. None where it was billed in a way whose rate is not known."""
        now = self.rates
        for tokens, rates_ in self.beyond:
            if usage.prompt_tokens > tokens:
                now = rates_
        details = usage.details
        if not details:
            return usage.prompt_tokens * now.prompt + usage.completion_tokens * now.completion
        prompt = _prompt(usage.prompt_tokens, _part(details, "prompt_tokens_details"), now)
        completion = _completion(usage.completion_tokens, _part(details, "completion_tokens_details"), now)
        return None if prompt is None or completion is None else prompt + completion


def rates(prompt: Decimal, completion: Decimal, cached: Decimal | None = None) -> Rates:
    """From dollars for a million tokens, as vendors and operators write them."""
    return Rates(_femto(prompt), _femto(completion), None if cached is None else _femto(cached))


def _femto(per_million: Decimal) -> int:
    return round(per_million * _PER_MILLION)


def dollars(femto: int) -> float:
    return femto / FEMTO


def _prompt(tokens: int, details: Mapping[str, Json], now: Rates) -> int | None:
    audio = _count(details, "audio_tokens", tokens)
    cached = _count(details, "cached_tokens", tokens - audio)
    written = _count(details, "cache_creation_tokens", tokens - audio - cached)
    if audio and now.audio_prompt is None:
        return None
    return (
        (tokens - audio - cached - written) * now.prompt
        + cached * (now.prompt if now.cached is None else now.cached)
        + written * (now.prompt if now.written is None else now.written)
        + audio * (now.audio_prompt or 0)
    )


def _completion(tokens: int, details: Mapping[str, Json], now: Rates) -> int | None:
    audio = _count(details, "audio_tokens", tokens)
    reasoning = _count(details, "reasoning_tokens", tokens - audio)
    if audio and now.audio_completion is None:
        return None
    return (
        (tokens - audio - reasoning) * now.completion
        + reasoning * (now.completion if now.reasoning is None else now.reasoning)
        + audio * (now.audio_completion or 0)
    )


def _part(details: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    part = details.get(name)
    return part if isinstance(part, dict) else {}


def _count(details: Mapping[str, Json], name: str, most: int) -> int:
    """A count that an upstream sent: it may be anything, and no part is larger than the whole."""
    count = details.get(name)
    return min(count, most) if type(count) is int and count > 0 else 0

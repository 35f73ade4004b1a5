"""What answers may cost: prices that the operator knows better, and how much may be spent on looking twice."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field


class TokenPrice(BaseModel):
    """US dollars for a million tokens of one backend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_per_mtok: Decimal = Field(ge=0, le=100_000, allow_inf_nan=False)
    output_per_mtok: Decimal = Field(ge=0, le=100_000, allow_inf_nan=False)
    cached_per_mtok: Decimal | None = Field(default=None, ge=0, le=100_000, allow_inf_nan=False)
    """Prompt tokens that the vendor still knew; unset = like the others."""


class Shadow(BaseModel):
    """Some public requests that were answered here are also asked outside, to learn how good the answers here are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(default=0.0, ge=0, le=1)
    """Of the local answers that may be measured; 0 = none."""
    budget_usd_per_day: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    backend: str | None = None

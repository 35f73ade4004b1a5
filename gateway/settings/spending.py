"""What answers may cost: prices that the operator knows better, and how much may be spent on looking twice."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator


class TokenPrice(BaseModel):
    """US dollars for a million tokens of one backend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input_per_mtok: Decimal = Field(ge=0, le=100_000, allow_inf_nan=False)
    output_per_mtok: Decimal = Field(ge=0, le=100_000, allow_inf_nan=False)
    cached_per_mtok: Decimal | None = Field(default=None, ge=0, le=100_000, allow_inf_nan=False)
    """Prompt tokens that the vendor still knew; unset = like the others."""


class Shadow(BaseModel):
    """Whether policies may have public requests that were answered here asked elsewhere as well, and for how much."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "off"] = "auto"
    """auto = as the policy in force says; off = never, whatever it says."""
    budget_usd_per_day: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """The ceiling; a policy may set itself a lower one."""

    @field_validator("mode", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return "off" if value is False else value  # a YAML reader that follows the standard reads a bare `off` so

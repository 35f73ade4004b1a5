"""What the scorer works with beyond what it was shipped with."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Scoring(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: Path | None = None
    """A file that `gateway calibrate` wrote for this local model; with another model the gateway does not start."""

"""The cascade as configured and calibrated; none where nothing was measured, or where it was measured to be no help."""

from __future__ import annotations

from gateway.cascade import CalibratedCascade, Head
from gateway.score.calibration import Calibration
from gateway.settings import Settings


def build_cascade(settings: Settings, calibration: Calibration | None) -> CalibratedCascade | None:
    """Raises ConfigurationError for a calibration whose head this release cannot use."""
    cascade = settings.cascade
    if cascade.mode == "off" or calibration is None or calibration.cascade is None:
        return None
    head = Head.from_json(calibration.cascade)
    return CalibratedCascade(head, band=cascade.band, most_tokens=cascade.most_tokens, most_s=cascade.most_s)

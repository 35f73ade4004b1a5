"""Says from the first tokens of a local answer whether the request had better go out: measured, or off."""

from gateway.cascade.calibrated import CalibratedCascade
from gateway.cascade.head import Head

__all__ = ["CalibratedCascade", "Head"]

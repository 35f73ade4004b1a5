"""What an operator's policy adds to the detectors: own words, patterns, fields and exceptions."""

from gateway.detect.own.detector import OwnDetector

__all__ = ["OwnDetector"]

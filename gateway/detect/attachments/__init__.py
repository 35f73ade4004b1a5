"""Reads the text of files that a request carries, so that they are scanned like everything else."""

from gateway.detect.attachments.detector import Attachments
from gateway.detect.attachments.limits import Limits

__all__ = ["Attachments", "Limits"]

"""What operators see: one event per request, metrics for Prometheus, and nothing that a user wrote."""

from gateway.telemetry.log import configure_logging, report_crashes
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.observer import TelemetryObserver

__all__ = ["Metrics", "TelemetryObserver", "configure_logging", "report_crashes"]

"""What each tenant asked lately: how hard it was, and how much of it went out. Numbers, no text."""

from gateway.traffic.looking import Looking
from gateway.traffic.rolling import RollingTraffic
from gateway.traffic.tenant import Share

__all__ = ["Looking", "RollingTraffic", "Share"]

"""What a text says of somebody's life or of the house's affairs: health, belief, children, money, law, secrets."""

from __future__ import annotations

from gateway.detect.topics.topics import Topics

__all__ = ["Topics"]

"""Finds what is sensitive in a request: walker, readings, rules with checks (tiers 0 and 1)."""

from gateway.detect.scanner import Scanner

__all__ = ["Scanner"]

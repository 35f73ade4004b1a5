"""Remembers whole answers: what names them, how they are kept, where, and who waits for whom."""

from gateway.cache.flight import SingleFlight, Turn
from gateway.cache.key import answer_key, cache_key
from gateway.cache.opened import OpenedCache, open_cache

__all__ = ["OpenedCache", "SingleFlight", "Turn", "answer_key", "cache_key", "open_cache"]

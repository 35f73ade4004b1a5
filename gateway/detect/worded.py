"""Detectors that know their words beforehand, and what those have in common that stand around another one."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Protocol

from gateway.core.ports import Detector


class Worded(Detector, Protocol):
    """A detector that knows its words beforehand, so that a policy can be checked against them."""

    @property
    def kinds(self) -> frozenset[str]: ...

    @property
    def categories(self) -> frozenset[str]: ...

    @property
    def contexts(self) -> frozenset[str]: ...


@lru_cache(maxsize=256)
def pack_of(*told: str) -> str:
    """The name of what is made of all this: a digest. It is asked for with every scan, so it is made once."""
    return hashlib.sha256("\0".join(told).encode()).hexdigest()


class Around:
    """Stands around `inner`: every word is that one's, where a class does not add its own."""

    def __init__(self, inner: Worded) -> None:
        self._inner = inner

    @property
    def kinds(self) -> frozenset[str]:
        return self._inner.kinds

    @property
    def categories(self) -> frozenset[str]:
        return self._inner.categories

    @property
    def contexts(self) -> frozenset[str]:
        return self._inner.contexts

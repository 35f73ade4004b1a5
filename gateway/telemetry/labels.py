"""The values that one label may take: a closed set that only the configuration can widen."""

from __future__ import annotations

from collections.abc import Iterable

OTHER = "other"
NONE = "none"
MOST = 500
"""Series are memory here and in Prometheus: a policy with more rules than this has its last ones counted as `other`."""


class Label:
    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = {"": NONE}
        self.know(names)

    def know(self, names: Iterable[str]) -> None:
        for name in names:
            if len(self._names) <= MOST:
                self._names.setdefault(name, name)

    def __call__(self, name: str) -> str:
        """The name if it is known, `none` for the empty one, `other` for the rest."""
        return self._names.get(name, OTHER)

"""The values that one label may take: a closed set that only the configuration can widen."""

from __future__ import annotations

from collections.abc import Iterable

OTHER = "other"
NONE = "none"
TENANT = b'tenant="'
"""How a line of the page names a tenant."""
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


def without_others(page: bytes, tenant: str) -> bytes:
    """The page without the lines that name a tenant other than this one."""
    escaped = tenant.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    own = TENANT + escaped.encode() + b'"'
    return b"".join(line for line in page.splitlines(keepends=True) if TENANT not in line or own in line)

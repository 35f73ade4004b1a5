"""Which fields of a request an answer takes no notice of."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway.core.types import Json

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


def left_aside(body: Mapping[str, Json], honoured: frozenset[str]) -> tuple[str, ...]:
    """Names of the fields that the answer takes no notice of. A name is the client's text: an odd one is not told."""
    if body.keys() <= honoured:
        return ()
    return tuple(sorted({name if _PLAIN_NAME.match(name) else "?" for name in body.keys() - honoured}))

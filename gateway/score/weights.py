"""The weights' files: arrays alone, read only when they are byte for byte the ones whose digests ship beside them."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.score.lexicon import DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMES = "weights.json"
"""File name → SHA-256, and what each was made of."""
MOST_BYTES = 8_000_000


class Damaged(Exception):
    """A file of weights that is missing, is another one than it should be, or holds what is no number."""


def load(name: str, folder: Path = DATA) -> dict[str, NDArray[Any]]:
    """Every array of `name`. Raises Damaged."""
    import numpy as np

    try:
        expected = json.loads((folder / NAMES).read_bytes())["files"][name]["sha256"]
        with (folder / name).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Damaged(f"{name}: cannot be read ({type(error).__name__})") from None
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise Damaged(f"{name}: its SHA-256 is {found[:12]}… and should be {str(expected)[:12]}…")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            read = {key: arrays[key] for key in arrays.files}
    except Exception as error:  # noqa: BLE001 - zipfile and numpy raise a dozen kinds for a file that is none
        raise Damaged(f"{name}: is no archive of arrays ({type(error).__name__})") from None
    if any(each.dtype.kind == "f" and not np.isfinite(each).all() for each in read.values()):
        raise Damaged(f"{name}: holds what is no number")
    return read


def save(name: str, arrays: Mapping[str, NDArray[Any]], made_of: Mapping[str, Any], folder: Path = DATA) -> str:
    """Write the arrays and note their digest. The same arrays give the same bytes."""
    import numpy as np

    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(sorted(arrays.items())))  # type: ignore[arg-type]
    content = buffer.getvalue()
    (folder / name).write_bytes(content)
    path = folder / NAMES
    document: dict[str, Any] = json.loads(path.read_bytes()) if path.exists() else {"format": 1, "files": {}}
    digest = hashlib.sha256(content).hexdigest()
    document["files"][name] = {"sha256": digest, "bytes": len(content), **made_of}
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return digest

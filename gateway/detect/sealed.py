"""Whether the detector's rules, words and weights are those that were installed.

An installer keeps a digest of every file of a wheel. A rule that is gone or changed since then is a rule that somebody
believes in. A checkout has no such list: there, git says what was changed.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import metadata
from pathlib import Path

_CODE = frozenset({".py", ".pyc"})


def check(distribution: str = "slm-gateway", folder: Path | None = None) -> None:
    """Raises ValueError for a data file of the detector that is missing or not what was installed."""
    folder = (folder or Path(__file__).parent).resolve()
    try:
        files = metadata.files(distribution) or []
    except metadata.PackageNotFoundError:
        return
    for file in files:
        if file.hash is None or file.suffix in _CODE or "detect" not in file.parts:
            continue
        path = Path(str(file.locate()))
        if folder not in path.resolve().parents:
            continue
        if not path.is_file() or _digest(path, file.hash.mode) != file.hash.value:
            raise ValueError(f"{file} is not the file that was installed")


def _digest(path: Path, mode: str) -> str:
    """As installers write it down."""
    digest = hashlib.new(mode, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

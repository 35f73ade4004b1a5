"""The calibration as configured, and what it is pinned to: read off the model's file without loading the model."""

from __future__ import annotations

import hashlib
from pathlib import Path

from gateway.calibrate.prior import scorer_digest
from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import find
from gateway.engine.files.digest import known_sha256_of
from gateway.engine.files.gguf import NotGGUF, read_head
from gateway.engine.files.weights import main_format
from gateway.score.calibration import Calibration, Pins, load
from gateway.settings import Settings

NONE = "none"


def build_calibration(settings: Settings, folder: Path) -> Calibration | None:
    """Raises ConfigurationError for a file that is damaged or made for something else."""
    if settings.score.calibration is None:
        return None
    return load(folder / settings.score.calibration.expanduser(), pins(settings, folder, scorer_digest()))


def pins(settings: Settings, folder: Path, scorer: str) -> Pins:
    """`scorer` is the digest of the tables and weights in use. Raises ConfigurationError where there is no model."""
    local = settings.local
    if local.engine != "llama":
        return Pins(local.engine, NONE, NONE, scorer)
    model = find(local.model, sha256=local.sha256, base=folder)
    try:
        head = read_head(model.path)
        digest = known_sha256_of(model.path)
    except (NotGGUF, OSError) as error:
        raise ConfigurationError(f"local.model: {model.path.name!r} cannot be read: {error}") from None
    template = head.values.get("tokenizer.chat_template")
    said = f"{template if isinstance(template, str) else ''}\0{local.system_prompt}"
    return Pins(
        model=digest,
        quantisation=f"{main_format(head)}, encode {local.encode}",
        template=hashlib.sha256(said.encode()).hexdigest(),
        scorer=scorer,
    )

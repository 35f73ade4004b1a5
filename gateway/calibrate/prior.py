"""What the scorer says of a probe before any calibration: what a correction looks at, and the two chances."""

from __future__ import annotations

from typing import NamedTuple

from gateway.core.types import BackendSpec, Needs
from gateway.score.ask import ask_of
from gateway.score.calibration import extended
from gateway.score.family import family_of
from gateway.score.features import read
from gateway.score.formula import CEILING, formula
from gateway.score.lexicon import digest, lexicon
from gateway.score.serves import SPOKEN


class Prior(NamedTuple):
    features: tuple[float, ...]
    """As `Calibration.apply` puts them together."""
    local: float
    remote: float


def prior(text: str, local: BackendSpec) -> Prior:
    """As the scorer of a gateway with this local model would begin: a language that it does not speak is no chance.

    Without the encoder, which is not asked beside a calibration. Raises weights.Damaged.
    """
    from gateway.score.ensemble import ensemble, features, tilted

    ask = ask_of(text)
    reading = read(ask, lexicon())
    language = reading.language if reading.language_confidence >= SPOKEN else None
    heads, seen = formula(), ensemble().fast(ask, reading)
    here, outside = tilted(
        heads.local.chance(reading.values), min(heads.remote.chance(reading.values), CEILING), seen.z
    )
    given = extended(features(reading, seen), language, family_of(reading, ask, Needs()))
    return Prior(given, here if local.speaks(language) else 0.0, outside)


def scorer_digest() -> str:
    """Of the tables and weights that the chances come from: a calibration corrects these and no others."""
    return digest()

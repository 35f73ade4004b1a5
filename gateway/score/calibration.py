"""What calibration found out about one local model beside one remote: how far off the scorer is, and where it is good.

A file of numbers in JSON, made by `gateway calibrate`. It is pinned to the model, its quantisation, its template and
the scorer that it corrects: with any other it would say something false, so it is refused. Applying it needs no numpy.
"""

from __future__ import annotations

import hashlib
import json
import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from operator import mul
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gateway.core.errors import ConfigurationError
from gateway.core.scoring import FAMILIES
from gateway.core.types import Json

FORMAT = "slm-gateway-calibration-1"
MOST_BYTES = 4_000_000
LANGUAGES = ("en", "it", "es", "de", "fr")
"""Languages with a correction of their own; the others share what is left."""


@dataclass(frozen=True, slots=True)
class Pins:
    """What a calibration holds for, and nothing else."""

    model: str
    """SHA-256 of the model's file."""
    quantisation: str
    """The file's own format, and how the engine encodes it."""
    template: str
    """Digest of the chat template and the system prompt."""
    scorer: str
    """Digest of the tables and weights that made the scores which are corrected."""

    def other(self, given: Pins) -> str | None:
        """The first thing in which `given` differs, both values named; None = nothing."""
        for each in fields(self):
            mine, theirs = getattr(self, each.name), getattr(given, each.name)
            if mine != theirs:
                return f"its {each.name} is {mine!r}, and here it is {theirs!r}"
        return None


@dataclass(frozen=True, slots=True)
class Correction:
    """Of one chance: chance + bias + weights · features, then a rising line through the points."""

    bias: float = 0.0
    weights: tuple[float, ...] = field(default=(), repr=False)
    """None at all = nothing is corrected by features."""
    at: tuple[float, ...] = (0.0, 1.0)
    means: tuple[float, ...] = (0.0, 1.0)

    def __call__(self, features: Sequence[float], chance: float) -> float:
        shifted = chance + self.bias + sum(map(mul, self.weights, features))
        if not math.isfinite(shifted):  # whatever a feature was, the answer is a chance
            return chance
        return _on_line(self.at, self.means, shifted)


class Cell(NamedTuple):
    """How the local model did on the probes of one task family in one language."""

    share: float
    """Right answers, drawn towards what the family and the language alone suggest where there are few probes."""
    probes: int
    low: float = 0.0
    """Wilson's 95 % interval of the bare share."""
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What it was made of, and what it is worth."""

    probes: int
    apgr: float
    """Share of the gap between the models that is recovered, over all shares that go out; 0.5 = chance."""
    low: float
    high: float
    """95 % interval of `apgr`, by bootstrap over items."""
    prior_apgr: float
    """Of the scorer as shipped, on the same probes."""
    local: float
    remote: float
    """Shares of right answers."""
    strength: float
    """Of the ridge; chosen by cross-validation."""


@dataclass(frozen=True, slots=True)
class Calibration:
    pins: Pins
    against: str
    """Name and digest of the backend it was measured against."""
    made_at: str
    local: Correction
    remote: Correction
    competence: Mapping[str, Mapping[str, Cell]]
    """family → language → what was measured."""
    quantiles: Mapping[str, Sequence[float]]
    """family → calibrated gains of its probes at evenly spaced quantiles, the lowest first; `*` = all families."""
    figures: Figures
    cascade: Mapping[str, Json] | None = None
    """What the cascade was fitted to; None = it was not, or its signal was worth nothing: it stays off."""

    @property
    def digest(self) -> str:
        """Short, for a score's name: which calibration made it."""
        return hashlib.sha256(json.dumps(to_json(self), sort_keys=True).encode()).hexdigest()[:8]

    def apply(
        self,
        features: Sequence[float],
        local: float,
        remote: float,
        *,
        language: str | None = None,
        family: str = "other",
    ) -> tuple[float, float]:
        """P(local right) and P(remote right), corrected. Features of another scorer correct nothing."""
        whole = extended(features, language, family)
        if self.local.weights and len(whole) != len(self.local.weights):
            return local, remote
        return self.local(whole, local), self.remote(whole, remote)

    def cell(self, family: str, language: str | None) -> Cell | None:
        """None where nothing was measured: what is not known is not guessed."""
        return None if language is None else self.competence.get(family, {}).get(language)


def extended(features: Sequence[float], language: str | None, family: str) -> tuple[float, ...]:
    """What a correction looks at: the scorer's features, the language and the task family.

    How good a small model is depends on its language more than on anything in the words.
    """
    return (
        *features,
        *(float(language == each) for each in LANGUAGES),
        *(float(family == each) for each in FAMILIES),
    )


def load(path: Path, pins: Pins) -> Calibration:
    """Raises ConfigurationError for a file that is damaged or made for something else, naming both."""
    calibration = read(path)
    if (other := calibration.pins.other(pins)) is not None:
        raise ConfigurationError(
            f"score.calibration {str(path)!r} was made for something else: {other}; run `gateway calibrate` again"
        )
    return calibration


def read(path: Path) -> Calibration:
    """The file as it is, whatever it was made for. Raises ConfigurationError."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ConfigurationError(f"score.calibration {str(path)!r} is too large to be one")
        document = json.loads(path.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise ConfigurationError(f"score.calibration: cannot read {str(path)!r}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"score.calibration {str(path)!r} is damaged: it is not JSON") from None
    try:
        return from_json(document)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = error.args[0] if error.args else type(error).__name__
        raise ConfigurationError(f"score.calibration {str(path)!r} is damaged: {what}") from None


def write(calibration: Calibration, path: Path) -> None:
    """Whole or not at all: a gateway may start while it is written."""
    temporary = path.with_suffix(path.suffix + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(to_json(calibration), indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write {str(path)!r}: {error.strerror}") from None


def to_json(calibration: Calibration) -> dict[str, Json]:
    return {
        "format": FORMAT,
        "pins": asdict(calibration.pins),
        "against": calibration.against,
        "made_at": calibration.made_at,
        "figures": asdict(calibration.figures),
        "local": asdict(calibration.local),
        "remote": asdict(calibration.remote),
        "competence": {
            family: {language: list(cell) for language, cell in cells.items()}
            for family, cells in calibration.competence.items()
        },
        "quantiles": {family: list(gains) for family, gains in calibration.quantiles.items()},
        "cascade": None if calibration.cascade is None else dict(calibration.cascade),
    }


def from_json(document: Any) -> Calibration:
    """Raises ValueError, KeyError or TypeError; every number is finite and every chance a chance."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError(f"its format is not {FORMAT!r}")
    local, remote = _correction(document["local"]), _correction(document["remote"])
    if len(local.weights) != len(remote.weights):
        raise ValueError("its two corrections have different numbers of weights")
    cascade = document.get("cascade")
    if cascade is not None and not isinstance(cascade, dict):
        raise ValueError("'cascade' is no object")
    return Calibration(
        pins=Pins(**{each.name: str(document["pins"][each.name]) for each in fields(Pins)}),
        against=str(document["against"]),
        made_at=str(document["made_at"]),
        local=local,
        remote=remote,
        competence=MappingProxyType({family: _cells(cells) for family, cells in document["competence"].items()}),
        quantiles=MappingProxyType({family: _rising(gains) for family, gains in document["quantiles"].items()}),
        figures=_figures(document["figures"]),
        cascade=cascade,
    )


def _correction(part: Mapping[str, Any]) -> Correction:
    at, means = _rising(part["at"]), _rising(part["means"])
    if len(at) != len(means) or not at or not all(0.0 <= mean <= 1.0 for mean in means):
        raise ValueError("a line of its corrections has no points, or leaves 0 … 1")
    return Correction(_number(part["bias"]), tuple(map(_number, part["weights"])), at, means)


def _cells(cells: Mapping[str, Any]) -> Mapping[str, Cell]:
    return MappingProxyType({language: _cell(*map(_number, cell)) for language, cell in cells.items()})


def _cell(share: float, probes: float, low: float, high: float) -> Cell:
    if not all(0.0 <= number <= 1.0 for number in (share, low, high)):
        raise ValueError("a share of 'competence' is none")
    return Cell(share, int(probes), low, high)


def _figures(part: Mapping[str, Any]) -> Figures:
    others = {each.name: _number(part[each.name]) for each in fields(Figures) if each.name != "probes"}
    return Figures(probes=int(_number(part["probes"])), **others)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number of it is none")
    return float(value)


def _rising(values: Any) -> tuple[float, ...]:
    numbers = tuple(map(_number, values))
    if list(numbers) != sorted(numbers):
        raise ValueError("numbers that have to rise do not")
    return numbers


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def _on_line(at: Sequence[float], means: Sequence[float], place: float) -> float:
    """Straight between two points, flat beyond the first and the last."""
    if place <= at[0]:
        return means[0]
    if place >= at[-1]:
        return means[-1]
    after = bisect_right(at, place)
    left, right = at[after - 1], at[after]
    return means[after - 1] + (means[after] - means[after - 1]) * (place - left) / (right - left)

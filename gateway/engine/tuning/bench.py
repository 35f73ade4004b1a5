"""Compares the ways in which this machine can compute with a model: encodings of its file, and numbers of threads."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.core.errors import ConfigurationError
from gateway.engine.files.copies import Copies, NotCopied
from gateway.engine.files.encode import LeftAlone, Mode, offloads, wanted
from gateway.engine.files.errand import ErrandFailed, errand
from gateway.engine.files.gguf import NotGGUF, read_head
from gateway.engine.files.weights import main_format
from gateway.engine.tuning.measure import PROMPT
from gateway.engine.tuning.perplexity import change, perplexity

Logprobs = NDArray[np.float64]
ANSWER = 100
"""Tokens of the answer, after a prompt of PROMPT, by which ways are compared."""
BEARABLE = 0.01
"""By how much the perplexity may rise in an encoding that is chosen without asking: one per cent, or nothing sure."""
SAME = 0.03
"""Ways that differ by less are equally fast, and the one that changes and occupies less is chosen."""


@dataclass(frozen=True, slots=True)
class Speed:
    threads: int
    prefill: float
    """Tokens of a prompt, per second."""
    first_s: float
    """Seconds to the first token after a prompt of PROMPT tokens."""
    decode_one: float
    """Tokens per second of one answer alone."""
    decode_many: float
    """Tokens per second of eight answers at once, together."""

    @property
    def request_s(self) -> float:
        """What a request takes of this machine when it is busy."""
        return PROMPT / self.prefill + ANSWER / self.decode_many


@dataclass(frozen=True, slots=True)
class Way:
    """One encoding, measured."""

    mode: Mode
    """What `local.encode` says for it."""
    format: str
    size: int
    memory: int
    speeds: tuple[Speed, ...]
    perplexity: float
    change: float = 0.0
    """Of the perplexity against the file as shipped: 0.01 = one per cent more."""
    change_error: float = 0.0

    @property
    def best(self) -> Speed:
        """Few threads leave more of the machine to others."""
        quickest = min(speed.request_s for speed in self.speeds)
        return next(speed for speed in self.speeds if speed.request_s <= quickest * (1 + SAME))

    @property
    def is_bearable(self) -> bool:
        return self.change <= BEARABLE or self.change <= 2 * self.change_error


def thread_counts(cores: int) -> list[int]:
    """1, 2, 3, 4, then doubling, and all of them."""
    return sorted({*range(1, min(cores, 4) + 1), *(1 << n for n in range(cores.bit_length())), cores})


def measured(
    path: Path, sha256: str | None, counts: Sequence[int], report: Callable[[str], None], *, part: float = 1.0
) -> Iterator[Way]:
    """One way after the other, the file as shipped first; `part` of the usual time, less exact. ConfigurationError."""
    base: Logprobs | None = None
    for mode, recipe in _modes(path):
        try:
            with _file(path, sha256, recipe, max(counts)) as file:
                form = main_format(read_head(file))
                report(f"measuring {form}{'' if recipe else ', the file as it is'}")
                way, base = _measured(file, mode, form, counts, base, part)
        except (NotCopied, ErrandFailed, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            if base is None:
                raise ConfigurationError(f"{path.name!r} cannot be measured: {reason}") from None
            report(f"{recipe} cannot be measured: {reason}")
            continue
        yield way


def chosen(ways: Sequence[Way]) -> Way:
    """The fastest of those that answer as well as the file as shipped."""
    bearable = [way for way in ways if way.is_bearable]
    quickest = min(way.best.request_s for way in bearable)
    return next(way for way in bearable if way.best.request_s <= quickest * (1 + SAME))


def _modes(path: Path) -> list[tuple[Mode, str | None]]:
    """What `local.encode` can be for this file, and the recipe it means."""
    try:
        head = read_head(path)
    except (NotGGUF, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(f"{str(path)!r} cannot be read: {reason}") from None
    try:
        encodings: tuple[Mode, ...] = () if offloads() else ("auto", "fast")
    except ImportError:
        raise ConfigurationError("llama-cpp-python is not installed: `python -m gateway.setup` builds it") from None
    modes: list[tuple[Mode, str | None]] = [("off", None)]
    with contextlib.suppress(LeftAlone):
        modes += [(mode, recipe) for mode in encodings if (recipe := wanted(head, mode)) is not None]
    return modes


@contextmanager
def _file(path: Path, sha256: str | None, recipe: str | None, threads: int) -> Iterator[Path]:
    if recipe is None:
        yield path
        return
    with Copies().borrowed(path, sha256, recipe, threads) as copy:
        yield copy


def _measured(
    file: Path, mode: Mode, form: str, counts: Sequence[int], base: Logprobs | None, part: float
) -> tuple[Way, Logprobs]:
    """The way, and the log-probabilities that later ones are compared with."""
    speeds: list[Speed] = []
    memory = 0
    found: Logprobs = np.empty(0)
    job = {"path": str(file), "threads": list(counts), "most": 0 if base is None else len(base), "part": part}
    for frame in errand("gateway.engine.tuning.measure", job):
        if "threads" in frame:
            speeds.append(Speed(**frame))
        elif "memory" in frame:
            memory = frame["memory"]
        else:
            found = np.array([math.nan if each is None else each for each in frame["logprobs"]], np.float64)
    base = found if base is None else base
    by, error = change(found, base)
    return Way(mode, form, file.stat().st_size, memory, tuple(speeds), perplexity(found), by, error), base

"""Probes: questions with answers that are known to be right, shipped in five languages or brought by the operator."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from gateway.calibrate.checks import CHECKS, is_right, trouble
from gateway.core.errors import ConfigurationError
from gateway.core.scoring import FAMILIES
from gateway.core.types import Json
from gateway.score.calibration import LANGUAGES

__all__ = ["LANGUAGES", "LEVELS", "Probe", "load", "right"]

LEVELS = ("trivial", "easy", "medium", "hard")
"""From what a model of 135 million parameters can do to what a large one gets wrong now and then."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question. Its text stays out of every repr: an operator's own probes may be private."""

    id: str
    lang: str
    family: str
    level: str
    prompt: str = field(repr=False)
    check: str | None = None
    """How an answer is compared with `gold`, one of CHECKS; None = there is no gold answer."""
    gold: Json = field(default=None, repr=False)
    among: tuple[str, ...] = field(default=(), repr=False)
    """The choices that the prompt offers: an answer that names two of them chose none."""
    words: tuple[int, int] | None = None
    """How many words a right answer has."""

    @property
    def digest(self) -> str:
        """Of all that decides what an answer to it is worth, so that a changed probe is asked again."""
        whole = [
            self.id,
            self.lang,
            self.family,
            self.level,
            self.prompt,
            self.check,
            self.gold,
            self.among,
            self.words,
        ]
        return hashlib.sha256(json.dumps(whole, ensure_ascii=False, sort_keys=True).encode()).hexdigest()[:16]


def right(probe: Probe, answer: str) -> bool:
    """Whether `answer` is right by the probe's gold answer. Raises ValueError where it has none."""
    if probe.check is None:
        raise ValueError(f"probe {probe.id!r} has no gold answer")
    answer = answer.strip().removeprefix(probe.prompt.strip())  # small models like to repeat what they were asked
    return is_right(probe.check, probe.gold, answer, among=probe.among, words=probe.words)


def load(file: Path | None = None) -> tuple[Probe, ...]:
    """The shipped probes, or an operator's. Raises ConfigurationError, which names the line and never its text."""
    if file is None:
        text = (files("gateway.calibrate") / "data" / "probes.jsonl").read_text(encoding="utf-8")
    else:
        text = _read(file)
    probes = tuple(_parsed(text))
    if not probes:
        raise ConfigurationError("there is no probe in the file; each line is one, as docs/calibration.md says")
    name, times = Counter(probe.id for probe in probes).most_common(1)[0]
    if times > 1:
        raise ConfigurationError(f"{times} probes have the id {name!r}")
    return probes


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    id: str = Field(min_length=1, max_length=100)
    lang: str = Field(pattern=r"^[a-z]{2}$")
    family: Literal[FAMILIES] = "other"  # type: ignore[valid-type]
    level: Literal[LEVELS] = "medium"  # type: ignore[valid-type]
    prompt: str = Field(min_length=1, max_length=20_000)
    check: Literal[CHECKS] | None = None  # type: ignore[valid-type]
    gold: Any = None
    among: list[str] = []
    words: list[int] | None = Field(default=None, min_length=2, max_length=2)
    work: str | None = None
    """How the gold answer comes about, for the test that computes it again."""

    @field_validator("prompt")
    @classmethod
    def _some_text(cls, prompt: str) -> str:
        if not prompt.strip():
            raise ValueError("it is empty")
        return prompt

    @model_validator(mode="after")
    def _gold_fits(self) -> Self:
        if (self.check is None) != (self.gold is None):
            raise ValueError("'check' and 'gold' come together or not at all")
        if self.check is not None and (wrong := trouble(self.check, self.gold)):
            raise ValueError(wrong)
        return self

    def probe(self) -> Probe:
        words = (self.words[0], self.words[1]) if self.words else None
        return Probe(
            self.id, self.lang, self.family, self.level, self.prompt, self.check, self.gold, tuple(self.among), words
        )


def _parsed(text: str) -> Iterator[Probe]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield _Line.model_validate(json.loads(line)).probe()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"line {number}: {where + ': ' if where else ''}{first['msg']}") from None
        except (ValueError, RecursionError):
            raise ConfigurationError(f"line {number} is not JSON; each line is one probe") from None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot read {str(file)!r}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{str(file)!r} is not UTF-8 at byte {error.start}") from None

"""What an operator says about the optional detectors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gateway.core.types import CATEGORIES

KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")


def _kind(word: str) -> str:
    """A kind becomes a metric's label and a word in policies."""
    if not KIND.fullmatch(word):
        raise ValueError("a kind is up to 64 small letters, digits and _, and begins with a letter")
    return word


def _category(word: str) -> str:
    if word not in CATEGORIES:
        raise ValueError(f"a category is one of {', '.join(sorted(CATEGORIES))}")
    return word


Kind = Annotated[str, AfterValidator(_kind)]
Category = Annotated[str, AfterValidator(_category)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Meaning(_Part):
    """What a label of somebody else's model is called here."""

    kind: Kind
    category: Category


class Terms(_Part):
    deadline_ms: float = Field(default=2000, gt=0)
    """Milliseconds by the clock on the wall, waiting for a turn included."""
    required: bool = True
    """What it could not read counts as unread; without, its failure is passed over."""
    unless: frozenset[Kind] = frozenset()
    """Not asked where the built-in rules have found one of these kinds."""


class PresidioOptions(Terms):
    """presidio-analyzer in this process."""

    languages: dict[Annotated[str, Field(pattern="^[a-z]{2}$")], str] = Field(
        default={"en": "en_core_web_sm"}, min_length=1
    )
    """Language → spaCy model, installed beforehand. Each text is read in every language named."""
    threshold: float = Field(default=0.5, ge=0, le=1)
    entities: dict[str, Meaning | None] = {}
    """Changes to the table of entities; null leaves one out."""


class OnnxOptions(Terms):
    """A token classifier in a folder: `model.onnx`, `tokenizer.json` and `config.json`."""

    folder: Path
    threshold: float = Field(default=0.5, ge=0, le=1)
    labels: dict[str, Meaning | None] = {}
    """Changes to the table of labels; a label is written without its B- or I-; null leaves one out."""
    window: int = Field(default=512, ge=16, le=32_768)
    """Tokens read at once."""
    threads: int = Field(default=1, ge=1, le=64)


class HttpOptions(Terms):
    """A detector behind an address of the operator's: the text of requests is sent there."""

    url: str
    zone: Literal["loopback", "private"] = "loopback"
    """A detector off this host must be declared to be the operator's own."""
    ca_file: Path | None = None
    plaintext: Literal["refused", "accepted"] = "refused"
    api_key_env: str | None = None
    kinds: dict[Kind, Category] = Field(min_length=1)
    """What it may say; anything else is an error."""


class JudgeOptions(Terms):
    """The local model is asked whether a text in which nothing was found is private."""

    characters: int = Field(default=2000, ge=200, le=100_000)
    """How much of the conversation's end it is shown."""

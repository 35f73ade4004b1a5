"""An operator's labelled samples: JSON lines, each checked, and none of their text in any error."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr, ValidationError, model_validator

from gateway.core.errors import ConfigurationError
from gateway.core.types import Json, Principal


@dataclass(frozen=True, slots=True)
class Sample:
    line: int
    body: Mapping[str, Json] = field(repr=False)
    """A chat body as a client would send it, without a model."""
    private: bool
    category: str | None = None
    lang: str | None = None
    caller: Principal = field(default_factory=Principal)


@dataclass(frozen=True, slots=True)
class Samples:
    rows: tuple[Sample, ...]
    repeated: int
    """Lines left out because the same request stands in an earlier one: it proves nothing twice."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Caller(_Closed):
    tenant: StrictStr = "default"
    roles: frozenset[StrictStr] = frozenset()
    tags: frozenset[StrictStr] = frozenset()
    purpose: StrictStr | None = None
    public: StrictBool = False


class _Line(_Closed):
    id: Any = None
    text: StrictStr | None = None
    messages: list[dict[str, Any]] | None = Field(default=None, min_length=1)
    tools: list[dict[str, Any]] | None = None
    private: StrictBool
    category: StrictStr | None = Field(default=None, pattern=r"^[\w-]{1,40}$")
    lang: StrictStr | None = Field(default=None, pattern=r"^[a-z]{2}$")
    caller: _Caller = _Caller()

    @model_validator(mode="after")
    def _one_request(self) -> Self:
        if (self.text is None) == (self.messages is None):
            raise ValueError("needs either 'text' or 'messages'")
        return self


def read_samples(path: Path) -> Samples:
    """Every line, repeated ones left out. Raises ConfigurationError naming line and field, and no text."""
    rows: list[Sample] = []
    seen: dict[bytes, Sample] = {}
    repeated = 0
    for number, line in _lines(path):
        sample = _sample(number, line)
        digest = hashlib.sha256(json.dumps(sample.body, sort_keys=True).encode()).digest()
        earlier = seen.setdefault(digest, sample)
        if earlier is sample:
            rows.append(sample)
        elif earlier.private is not sample.private:
            raise ConfigurationError(
                f"line {number}: 'private' says otherwise than line {earlier.line}, which holds the same request"
            )
        else:
            repeated += 1
    if not rows:
        raise ConfigurationError(f"there are no samples in {str(path)!r}")
    return Samples(tuple(rows), repeated)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except OSError as error:
        raise ConfigurationError(f"cannot read the samples {str(path)!r}: {error.strerror}") from None


def _sample(number: int, line: bytes) -> Sample:
    try:
        read = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ConfigurationError(f"line {number} is not JSON in UTF-8") from None
    if not isinstance(read, dict):
        raise ConfigurationError(f"line {number} is not a JSON object")
    try:
        checked = _Line.model_validate(read)
    except ValidationError as error:
        raise ConfigurationError(f"line {number}: {_fault(error)}") from None
    messages = checked.messages or [{"role": "user", "content": checked.text}]
    body = {"messages": messages} | ({"tools": checked.tools} if checked.tools else {})
    return Sample(number, body, checked.private, checked.category, checked.lang, _principal(checked.caller))


def _principal(caller: _Caller) -> Principal:
    return Principal(
        tenant=caller.tenant, roles=caller.roles, tags=caller.tags, public=caller.public, purpose=caller.purpose
    )


_RULES = {
    "private": "must be true or false",
    "category": "must be one word of up to 40 letters, digits, _ and -",
    "lang": "must be a language's code of two letters, such as it",
    "text": "must be a string",
    "messages": "must be a list of objects, one at least",
}


def _fault(error: ValidationError) -> str:
    """The first mistake: which field, and what it must be. What stands in the field may be private."""
    first = error.errors(include_input=False, include_url=False)[0]
    where = [str(part) for part in first["loc"]]
    if not where:
        return str(first["ctx"]["error"])
    name = where[0]
    if first["type"] == "extra_forbidden":
        return f"unknown field {'.'.join(where)[:40]!r}; known: {', '.join(_Line.model_fields)}"
    if first["type"] == "missing":
        return f"{name!r} is missing"
    return f"{'.'.join(where)!r} {_RULES.get(name, 'is wrong: ' + first['msg'])}"

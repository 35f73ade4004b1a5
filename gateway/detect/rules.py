"""The rule packs as data: read from `data/`, checked, and given a digest. Nothing here compiles or searches."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata, resources
from typing import Any

from gateway.core.types import CATEGORIES

EDITION = 18
"""Raised with every change to code that changes what is found: it is part of the pack's digest."""

_REACH = 700
"""What a match of this project's own rules has at most, unless its rule says otherwise."""

_SHORTHANDS = {
    "<S>": r"[ \t\-._/\n\r]{0,2}",
    "<B>": r"(?<![A-Za-z0-9])",
    "<E>": r"(?![A-Za-z0-9])",
    "<D>": r"(?<!\d)",
}
_FIELDS = frozenset(
    {"kind", "category", "pattern", "gate", "check", "confidence", "context", "needs_context", "strong", "spaced",
     "literals", "digits", "group", "whole", "entropy", "reach"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Allow:
    """What a value, its match or its line may look like and be no finding after all."""

    target: str
    """secret, match or line."""
    regexes: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    kind: str
    category: str
    pattern: str
    """Python `re`, ASCII classes, bounded repeats."""
    gate: str
    """A pattern that matches wherever `pattern` does, for the automaton; lookarounds are its business to drop."""
    check: str = ""
    confidence: float = 1.0
    context: tuple[str, ...] = ()
    needs_context: bool = False
    strong: bool = False
    """Unlikely to match by luck: believed in readings that guess."""
    spaced: bool = False
    """Also looked for where every character is spaced out."""
    whole: bool = False
    """The check has looked at all of a match: what it turns down is not tried again from a later start."""
    reach: int = 4200
    """Characters that a match may have, at most: as far as a slice is searched past its end."""
    literals: tuple[str, ...] = ()
    """Lower-case words one of which every match holds; empty = unknown."""
    digits: int = 0
    group: int | None = None
    """Which group is the value; None = the first that took part."""
    entropy: float = 0.0
    prefixed: bool = False
    """For `Allow.target == "match"`, the match begins at the name in front of it."""
    allow: tuple[Allow, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything a pack knows, in the order the rules are numbered."""

    rules: tuple[Rule, ...]
    context: Mapping[str, tuple[str, ...]]
    reserved: Mapping[str, Any]
    digest: str


def _text(name: str) -> str:
    return resources.files("gateway.detect").joinpath("data", name).read_text(encoding="utf-8")


_GENERIC = "generic_api_key"
_SAMPLE = Allow("secret", stopwords=("12345678", "1234-1234", "abcdefgh"))
"""Keys that count are made up for a manual. A vendor's own form is believed all the same."""
_NAMED = Allow(
    "match",
    regexes=(r"""(?i)(?:^|[\s,;.{("'])(?:u?uid|guid|digest|commit|revision|checksum|etag|image|tag)["']?\s?[:=]""",),
)
"""The name right before the value says that it tells things apart, whatever stands further in front."""


def load() -> Rules:
    """The shipped rules."""
    kinds, secrets, reserved = _text("kinds.toml"), _text("secrets.json"), _text("reserved.toml")
    parsed = tomllib.loads(kinds)
    context = {name: tuple(words) for name, words in parsed["context"].items()}
    rules = tuple(_kind(row, context) for row in parsed["rule"]) + _secrets(json.loads(secrets))
    versions = (metadata.version("python-stdnum"), metadata.version("phonenumbers"), str(EDITION))
    digest = hashlib.sha256("\0".join((kinds, secrets, reserved, _text("iban.json"), *versions)).encode()).hexdigest()
    return Rules(rules, context, tomllib.loads(reserved), digest)


def expand(pattern: str) -> str:
    for short, long in _SHORTHANDS.items():
        pattern = pattern.replace(short, long)
    return pattern


def _kind(row: dict[str, Any], context: Mapping[str, Any]) -> Rule:
    unknown = set(row) - _FIELDS
    if unknown or row["category"] not in CATEGORIES or not set(row.get("context", ())) <= set(context):
        raise ValueError(f"rule {row.get('kind')!r}: unknown field, category or context list")
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    fields["pattern"] = expand(row["pattern"])
    fields["gate"] = expand(row.get("gate", row["pattern"]))
    group = row.get("group", 0)
    fields["group"] = None if group < 0 else group
    fields.setdefault("reach", _REACH)
    return Rule(**fields)


def _secrets(pack: dict[str, Any]) -> tuple[Rule, ...]:
    everywhere = _allow(pack["allow"])
    return tuple(
        Rule(
            kind=row["kind"],
            category="secret",
            pattern=_glued(row["pattern"]),
            gate=_glued(row["gate"]),
            check="key",
            strong=not row.get("prefixed"),  # a vendor's own form, not a name and any word after it
            confidence=0.9 if row["kind"] != _GENERIC else 0.7,
            literals=tuple(row["keywords"]),
            group=row.get("group"),
            entropy=row.get("entropy", 0.0),
            prefixed=row.get("prefixed", False),
            allow=(
                everywhere,
                *map(_allow, row.get("allow", ())),
                *([_SAMPLE, _NAMED] if row["kind"] == _GENERIC else []),
            ),
        )
        for row in pack["rules"]
    )


def _glued(pattern: str) -> str:
    """`_` glues a name to a key ("token_hf_…"): for `\\b` it is a letter, for this project's rules it is not."""
    return re.sub(r"^((?:\(\?i\))?)\\b(?!curl)", rf"\1{_SHORTHANDS['<B>']}", pattern)


def _allow(row: dict[str, Any]) -> Allow:
    return Allow(row["target"], tuple(row["regexes"]), tuple(row["stopwords"]))

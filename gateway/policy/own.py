"""The operator's own rules in a policy file, `detect` and `allow.values`: what they say and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict

from gateway.core.own_rules import NO_RULES, OwnException, OwnRule, OwnRules
from gateway.core.types import CATEGORIES
from gateway.policy import patterns
from gateway.policy.schema import Own, PolicyFile

_SHORTEST = 2
"""Letters and digits of a word, a value or a field's name: one alone would stand everywhere."""


def mistakes(file: PolicyFile) -> Iterator[str]:
    for kind, rule in file.detect.items():
        if kind in CATEGORIES:
            yield f"detect {kind!r}: this is the name of a category; give the kind a narrower name"
        yield from (f"detect {kind!r}{text}" for text in _wrong(rule))
    for number, known in enumerate((file.allow.values or ()) if file.allow is not None else (), 1):
        if any(_letters(value) < _SHORTEST for value in known.values):
            yield f"allow.values[{number}]: a value needs at least {_SHORTEST} letters or digits"


def _wrong(rule: Own) -> Iterator[str]:
    if rule.words is None and rule.pattern is None and rule.fields is None:
        yield ": nothing says what to look for; add words, pattern or fields"
    if rule.checksum is not None and rule.pattern is None:
        yield ".checksum: there is no pattern whose matches it could check; add one"
    if any(_letters(word) < _SHORTEST for word in rule.words or ()):
        yield f".words: a word needs at least {_SHORTEST} letters or digits, or it would stand everywhere"
    if any(_letters(name) < _SHORTEST for name in rule.fields or ()):
        yield f".fields: a name needs at least {_SHORTEST} letters or digits"
    if rule.pattern is not None:
        try:
            patterns.read(rule.pattern)
        except patterns.PatternError as error:
            yield f".pattern: {error}"


def own_rules(file: PolicyFile) -> OwnRules:
    """Of a file without mistakes. Kinds are in the order of their names: moving one within the file changes nothing."""
    rules = tuple(_rule(kind, file.detect[kind]) for kind in sorted(file.detect))
    known = (file.allow.values or ()) if file.allow is not None else ()
    exceptions = tuple(OwnException(tuple(entry.values), tuple(entry.kinds or ())) for entry in known)
    if not rules and not exceptions:
        return NO_RULES
    content = [[asdict(rule) for rule in rules], [asdict(entry) for entry in exceptions]]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    return OwnRules(rules, exceptions, digest)


def _rule(kind: str, rule: Own) -> OwnRule:
    return OwnRule(
        kind=kind,
        category=rule.category,
        literals=tuple(rule.words or ()),
        pattern=rule.pattern or "",
        anchors=patterns.read(rule.pattern).anchors if rule.pattern is not None else (),
        fields=tuple(rule.fields or ()),
        checksum=rule.checksum or "",
        confidence=rule.confidence,
    )


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))

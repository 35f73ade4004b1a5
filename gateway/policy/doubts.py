"""What of a policy waits in vain: for words that no detector says, for measurements that nobody made.

Such rules look like protection and are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from gateway.core.types import CATEGORIES
from gateway.policy import schema


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every word that the detectors can say. What is empty is not known, and no word is doubted for it."""

    kinds: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    contexts: frozenset[str] = frozenset()
    """The names that `near` may ask for."""
    calibrated: bool | None = None
    """Whether it was measured how well the local model answers; None = not known here."""


ANY = Vocabulary()
_CODE = re.compile("[a-z]{2,3}")
"""How a language is called in facts: by its ISO code."""


@dataclass(frozen=True, slots=True)
class Doubts:
    never: tuple[str, ...] = ()
    """Parts of forbids and levels that no request can set off: what they should keep in is not kept in."""
    warnings: tuple[str, ...] = ()
    """Words that change nothing now and do no harm."""


@dataclass(frozen=True, slots=True)
class _Use:
    """Some words of one selector of one rule."""

    where: str
    words: Sequence[str]
    protects: bool
    """In a forbid or in `levels`: a word that never comes leaves something open."""
    kinds: bool = True
    categories: bool = True
    """Whether a category may stand here (`distinct` and `levels` take both)."""


def doubts(file: schema.PolicyFile, vocabulary: Vocabulary) -> Doubts:
    vocabulary = _with_own(file, vocabulary)
    never: list[str] = []
    warnings: list[str] = []
    for use in _uses(file):
        for word in dict.fromkeys(use.words):
            if (why := _unknown(word, use, vocabulary)) is not None:
                (never if use.protects else warnings).append(f"{use.where}: {why}")
        if (waits := _waiting(use, vocabulary)) is not None:
            warnings.append(f"{use.where}: {waits}")
    for word, where, protects in _no_languages(file):
        (never if protects else warnings).append(f"{where}: {word!r} is no language's code; write it like it or en")
    if vocabulary.calibrated is False:
        warnings.extend(_unmeasured(file))
    return Doubts((*never, *_contexts(file, vocabulary)), tuple(warnings))


def _no_languages(file: schema.PolicyFile) -> Iterator[tuple[str, str, bool]]:
    """Words that no request's language is ever called, where they stand, and whether that leaves something open."""
    for section, rules in (("permit", file.permit), ("forbid", file.forbid), ("adapters", file.adapters)):
        for rule in rules:
            asked = rule.when.language
            for word in (*(asked.within or ()), *(asked.not_in or ())) if asked is not None else ():
                if _CODE.fullmatch(word) is None:
                    yield word, f"{section} {rule.name!r}, when.language", section == "forbid"


def _unmeasured(file: schema.PolicyFile) -> Iterator[str]:
    """What stands on measurements that nobody has made."""
    way_out = "run `gateway calibrate`, and name its file in score.calibration"
    if isinstance(file.floor, schema.Floor) and file.floor.below is not None:
        yield f"floor.below: nobody measured how well the local model answers, so nothing lies below it; {way_out}"
    for permit in file.permit:
        if permit.when.target is not None and permit.when.target.quality is not None:
            where = f"permit {permit.name!r}, when.target"
            yield f"{where}: quality is reckoned from scores that nobody measured against the local model; {way_out}"


def _with_own(file: schema.PolicyFile, vocabulary: Vocabulary) -> Vocabulary:
    """The file's own kinds are found too. What is empty stays empty: no word is doubted for it."""
    return replace(
        vocabulary,
        kinds=vocabulary.kinds | frozenset(file.detect) if vocabulary.kinds else frozenset(),
        categories=vocabulary.categories | {rule.category for rule in file.detect.values()}
        if vocabulary.categories
        else frozenset(),
    )


def _contexts(file: schema.PolicyFile, vocabulary: Vocabulary) -> Iterator[str]:
    for name, entry in file.levels.items():
        if isinstance(entry, schema.Raise) and vocabulary.contexts:
            for word in entry.when.near or ():
                if word not in vocabulary.contexts:
                    yield f"levels {name!r}: near: {_nobody(word, 'context', vocabulary.contexts)}"


def _uses(file: schema.PolicyFile) -> Iterator[_Use]:
    for permit in file.permit:
        yield from _permit(permit)
    for forbid in file.forbid:
        yield from _forbid(forbid)
    for adapter in file.adapters:
        where, given = f"adapters {adapter.name!r}", adapter.when
        yield _Use(where, given.kinds or (), protects=False, categories=False)
        yield _Use(where, given.categories or (), protects=False, kinds=False)
    for name, entry in file.levels.items():
        if isinstance(entry, str):
            yield _Use("levels", [name], protects=True)
        else:
            of = entry.when.distinct.of if entry.when.distinct is not None else ()
            words = [*(entry.when.kinds or ()), *(entry.when.categories or ()), *of]
            yield _Use(f"levels {name!r}", words, protects=True)
    if file.allow is not None and isinstance(file.allow.reserved, list):
        yield _Use("allow.reserved", file.allow.reserved, protects=False, categories=False)
    for known in (file.allow.values or ()) if file.allow is not None else ():
        yield _Use("allow.values", known.kinds or (), protects=False)


def _permit(permit: schema.Permit) -> Iterator[_Use]:
    where, when = f"permit {permit.name!r}", permit.when
    if when.kinds is not None:
        words = [*(when.kinds.within or ()), *(when.kinds.none_of or ())]
        yield _Use(where, words, protects=False, categories=False)
    if when.categories is not None and when.categories.none_of:
        yield _Use(where, when.categories.none_of, protects=False, kinds=False)
    if when.distinct is not None:
        yield _Use(where, when.distinct.of, protects=False)


def _forbid(forbid: schema.Forbid) -> Iterator[_Use]:
    where, when = f"forbid {forbid.name!r}", forbid.when
    if when.kinds is not None:
        words = when.kinds if isinstance(when.kinds, list) else when.kinds.any_of
        yield _Use(where, words, protects=True, categories=False)
    if when.categories is not None:
        categories = when.categories if isinstance(when.categories, list) else when.categories.any_of
        yield _Use(where, categories, protects=True, kinds=False)
    if when.distinct is not None:
        yield _Use(where, when.distinct.of, protects=True)


def _unknown(word: str, use: _Use, vocabulary: Vocabulary) -> str | None:
    """Why no finding is ever called so, if that is so."""
    if not vocabulary.kinds or not use.kinds or word in vocabulary.kinds:
        return None
    if word in CATEGORIES:
        return None if use.categories else f"{word!r} is a category, not a kind; say it under categories"
    return _nobody(word, "kind", vocabulary.kinds)


def _nobody(word: str, what: str, known: frozenset[str]) -> str:
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.75)
    way_out = f"did you mean {near[0]!r}?" if near else "correct its spelling or remove it"
    return f"no detector finds {what} {word!r}; {way_out}"


def _waiting(use: _Use, vocabulary: Vocabulary) -> str | None:
    """Categories are a fixed list, so one that nothing yields is no typo: its detector is still to come."""
    if not vocabulary.categories or not use.categories:
        return None
    known = vocabulary.categories | vocabulary.kinds
    waiting = [word for word in dict.fromkeys(use.words) if word in CATEGORIES and word not in known]
    if not waiting:
        return None
    what = "category" if len(waiting) == 1 else "categories"
    part = "the rule" if len(waiting) == len(set(use.words)) else "that part of the rule"
    return f"no shipped detector finds {what} {', '.join(map(repr, waiting))} yet; {part} waits for one"

"""The positive test: is this a general question, or one about code, about no person, no customer and no house?

It says yes seldom and no in every doubt: one way to earn PUBLIC (promise P7), for policies that believe it. A yes needs
all of this: one short text, an opening that asks for general knowledge in one of five languages, no name (a capital
letter inside a sentence, on no well-known word), no run of digits, no sign that addresses, paths and code are made of,
nobody who speaks of themselves or of somebody, no word of people, customers, money, contracts or secrets.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

_LONGEST = 220
"""Characters. Longer requests bring their own material along."""
_FEWEST, _MOST = 3, 36
"""Words."""
_ALLOWED = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿŒœ0-9 .,;:?!¿¡'’()\"“”«»+\-–\n]*")
_NUMBER = re.compile(r"\d{3}|\d\D{0,2}\d\D{0,2}\d")
_WORD = re.compile(r"[A-Za-zÀ-ÖØ-öø-ÿŒœ]+|\d+")
_MARKS = '¿¡"“« '
_ASKED = re.compile(r"how (?:do|can|would) i\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Knows:
    openings: re.Pattern[str]
    people: re.Pattern[str]
    code: frozenset[str]
    known: frozenset[str]
    """Words with a capital letter that are nobody's name."""
    self: frozenset[str]
    """Who speaks of themselves, of somebody, or of something brought along."""


@cache
def _knows() -> _Knows:
    data = tomllib.loads((resources.files("gateway.detect") / "data" / "generic.toml").read_text(encoding="utf-8"))
    words = {name: frozenset(listed.split()) for name, listed in data["words"].items()}
    openings = "|".join(opening for listed in data["openings"].values() for opening in listed)
    people = "|".join(word.replace("_", " ") for word in data["people"]["words"].split())
    return _Knows(
        openings=re.compile(rf"[{_MARKS}\s]*(?:{openings})", re.IGNORECASE),
        people=re.compile(rf"\b(?:{people})\b", re.IGNORECASE),
        code=words["code"],
        known=words["code"] | words["known"] | words["nouns"],
        self=words["self"],
    )


def is_generic(texts: Sequence[str]) -> bool:
    """Whether all that a request says is one general question. `texts` are all its texts, in their order."""
    said = [text.strip() for text in texts if text and not text.isspace()]
    if len(said) != 1 or len(said[0]) > _LONGEST:
        return False
    text = said[0]
    if _ALLOWED.fullmatch(text) is None or _NUMBER.search(text):
        return False
    knows = _knows()
    return bool(knows.openings.match(text)) and not knows.people.search(text) and _is_nobodys(text, knows)


def _is_nobodys(text: str, knows: _Knows) -> bool:
    words = _WORD.findall(text)
    if not _FEWEST <= len(words) <= _MOST:
        return False
    plain = [word.casefold() for word in words]
    asked = _ASKED.match(text) is not None and not knows.code.isdisjoint(plain)
    if any(word in knows.self and not (asked and word == "i") for word in plain):
        return False
    # Behind a full stop a name has its capital letter too: only the very first word may have one.
    return all(word.islower() or word.isdigit() or word.casefold() in knows.known for word in words[1:])

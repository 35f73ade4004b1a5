"""People's names: the parts a full name is later called by, and the titles that are no part of one."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:['’\-][^\W\d_]+)*")
_TITLES = frozenset(
    {
        "mr", "mrs", "ms", "miss", "mx", "sir", "madam", "dr", "doctor", "prof", "professor", "sig", "sigra",
        "sigg", "signor", "signora", "signorina", "dott", "dottor", "dottore", "dottoressa", "dottssa", "avv",
        "avvocato", "ing", "ingegnere", "geom", "rag", "herr", "frau", "hr", "fr", "doktor", "dipl", "m", "mme",
        "mlle", "monsieur", "madame", "mademoiselle", "maître", "maitre", "me", "sr", "sra", "srta", "señor",
        "señora", "señorita", "senor", "senora", "don", "doña", "dona", "d", "dña", "lic", "hon", "rev",
    }
)  # fmt: skip
_PARTICLES = frozenset(
    {
        "de", "del", "della", "dello", "dei", "degli", "delle", "di", "da", "dal", "dalla", "do", "dos", "das",
        "du", "des", "la", "le", "les", "lo", "el", "los", "las", "y", "e", "und", "von", "van", "der", "den",
        "dem", "zu", "zur", "zum", "ten", "ter", "ben", "bin", "ibn", "al", "of", "the", "mc", "mac", "san",
        "santa", "st", "saint", "jr", "sr", "ii", "iii",
    }
)  # fmt: skip
_ORDINARY = frozenset(
    {
        "will", "may", "march", "april", "june", "august", "hope", "faith", "grace", "joy", "art", "rich", "page",
        "price", "young", "long", "short", "white", "black", "green", "gold", "case", "chance", "main", "hill",
        "field", "bill", "costa", "rosa", "porta", "sol", "luz", "paz", "mar", "flores", "reyes", "lang", "kurz",
        "jung", "alt", "neu", "klein", "könig", "koch", "sommer", "winter", "petit", "grand", "blanc",
    }
)  # fmt: skip
"""Names that are words: alone, and not beside a title, they stay, or the text around them would lose its sense."""

FIRST, MIDDLE, LAST = "FIRST_NAME", "MIDDLE_NAME", "LAST_NAME"


def without_title(text: str) -> tuple[int, int]:
    """The stretch of a found name behind its titles and before what follows its last word."""
    found = list(_WORD.finditer(text))
    while len(found) > 1 and found[0].group().lower() in _TITLES:
        del found[0]
    if not found or any(char.isdigit() for char in text):
        return 0, len(text)
    return found[0].start(), found[-1].end()


def parts(name: str) -> list[tuple[str, str]]:
    """(word for a placeholder, part) of a name of several words; [] for one of a single word."""
    found = [match.group() for match in _WORD.finditer(name)]
    if len(found) < 2 or any(char.isdigit() for char in name):
        return []
    told: list[tuple[str, str]] = []
    for index, part in enumerate(found):
        if len(part) > 2 and part.lower() not in _PARTICLES and part.lower() not in _TITLES:
            told.append((FIRST if index == 0 else LAST if index == len(found) - 1 else MIDDLE, part))
    return told


def ordinary(part: str) -> bool:
    return part.lower() in _ORDINARY


def titled(text: str, start: int) -> bool:
    """Whether a title stands right before `start`."""
    before = _WORD.findall(text[max(0, start - 14) : start])
    gap = text[max(0, start - 14) : start].rstrip(" .\u00a0")
    return bool(before) and before[-1].lower() in _TITLES and gap.endswith(before[-1])

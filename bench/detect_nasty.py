"""Texts made to be slow: each is 20,000 characters of something that sends a careless rule back and forth."""

from __future__ import annotations

import random
from collections.abc import Mapping

SIZE = 20_000
_NAMES = ["Anna", "Maria", "Rossi", "Bianchi", "Carlos", "García", "Müller", "Jean", "Pierre", "Dupont", "Smith"]

UNITS: Mapping[str, str] = {
    "1 1 1": "1 ",
    "1.1.1.": "1.",
    "1-1-1-": "1-",
    "a.a.a.": "a.",
    "a@a@": "a@",
    "a@b.c ": "a@b.c ",
    "key = key = ": "key = ",
    "password: ": "password: ",
    "+39 346 ": "+39 346 ",
    "IT60 IT60": "IT60 ",
    "brackets": "[{(",
    "quotes": '\\"\\\\',
    "percent": "%25",
    "escapes": "\\u0041",
    "entities": "&#38;",
    "hex pairs": "4a4b",
    "base64 ends": "QUJD=",
    "zero-width": "4\u200b",
    "stacked accents": "a\u0301\u0302\u0303",
    "Cyrillic look-alikes": "раураl ",
    "Arabic-Indic": "\u0661\u0662 ",
    "number words": "uno due tre ",
    "honorifics": "dott. sig.ra Mr. ",
    "capitals": "Ab Cd Ef ",
    "names": " ".join(_NAMES) + " ",
    "kin": "my son Luca, ",
    "illness": "diabete cancro HIV depressione ",
    "one word": "a",
    "one digit": "7",
    "line ends": "\n",
    "spaces": " ",
    "slashes": "https://a/",
    "table": "| 1 ",
}


def texts(size: int = SIZE) -> dict[str, str]:
    """By name; the last two are random, and the same every time."""
    found = {name: (unit * (size // len(unit) + 1))[:size] for name, unit in UNITS.items()}
    dice = random.Random(20)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"
    found["random base64"] = "".join(dice.choices(letters, k=size))
    found["random digits"] = "".join(dice.choices("0123456789 -.", k=size))
    return found

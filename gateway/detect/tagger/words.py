"""Cuts a text into tokens and says what there is to know of one token alone."""

from __future__ import annotations

import re
import unicodedata
from zlib import crc32

TOKEN = re.compile(r"[^\W\d_]+(?:['’](?=[^\W\d_]))?|\d+|\n\s*|[^\w\s]|_")
"""A run of letters (with the apostrophe that ties it to the next word), a run of digits, a line's end, one sign."""

EDGE = "\0"
"""Stands before a text and after it."""
BUCKETS = 1 << 16
LONGEST = 24
"""Letters of a word that count; longer runs are no words."""
FEATURES = 9
"""The most features a token has; rows are padded with bucket 0, which weighs nothing."""

FIRST, LAST, COMMON, PLAIN, PLACE, PROPER = 1, 2, 4, 8, 16, 32
"""What lists know of a word: first name, surname, common word, very common word, place, other proper noun."""

TRIGGERS = frozenset(
    "chiamo chiama chiamano firmato cordialmente saluti llamo llama llaman firmado atentamente saludos name named "
    "regards sincerely heiße heisse heißt heisst heiss gruß grüße gruss grüsse appelle nomme prénomme cordialement "
    "nombre apellidos nome cognome nom prénom vorname nachname".split()
)
"""Lower-case words after which a name may stand in any case."""
STREETS = frozenset(
    "via viale piazza corso largo vicolo strada piazzale calle avenida avda paseo plaza camino carretera ronda "
    "rue avenue boulevard place chemin impasse allée quai route street road lane drive court straße strasse weg "
    "platz allee gasse".split()
)


def plain(word: str) -> str:
    """Lower case, without accents: the form in which lists keep words."""
    word = word.lower()
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def key(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def canonical(token: str) -> str:
    """Tokens that look the same to the model are one: numbers by their length, line ends all."""
    if token[0] == "\n":
        return "\n"
    return "0" * min(len(token), 6) if token[0].isdigit() else token[:LONGEST]


def shape(word: str) -> str:
    bare = word.rstrip("'’")
    tied = "'" if len(bare) < len(word) else ""
    if bare.islower():
        return "a" + tied
    if bare.isupper():
        return ("A" if len(bare) == 1 else "AA" if len(bare) < 4 else "AAA") + tied
    if bare[:1].isupper():
        return ("Aa" if bare[1:].islower() else "AaA") + tied
    return ("x" if bare.isalpha() and bare.lower() == bare.upper() else "aA") + tied


def features(word: str, listed: int) -> list[int]:
    """The buckets of one canonical token. `listed` holds the bits that the lists have for it."""
    if not word[0].isalpha():
        return [_bucket("t:" + word)]
    low = word.lower().rstrip("'’")
    form = shape(word)
    found = [_bucket("w:" + low), _bucket("s:" + form), _bucket("3:" + low[-3:]), _bucket(f"l:{listed}")]
    if form[0] != "a" or listed & (FIRST | LAST):
        size = min(len(low), 8)
        found += [
            _bucket("p:" + low[:3]),
            _bucket("2:" + low[-2:]),
            _bucket("4:" + low[-4:]),
            _bucket(f"z:{form}{size}"),
            _bucket(f"b:{form}{listed}"),
        ]
    return found


def worth_a_look(word: str, listed: int) -> bool:
    """Whether a canonical token may begin or continue a name or an address."""
    first = word[0]
    if not first.isalpha():
        return False
    if first.islower():
        return (
            bool(listed & (FIRST | LAST) and not listed & COMMON) or word in TRIGGERS or word in STREETS or _road(word)
        )
    return not listed & PLAIN or bool(listed & (FIRST | LAST))


def _road(word: str) -> bool:
    return len(word) > 6 and word.endswith(("straße", "strasse", "weg", "gasse", "platz", "allee"))


def _bucket(feature: str) -> int:
    return key(feature) % (BUCKETS - 1) + 1

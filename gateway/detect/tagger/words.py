"""Cuts a text into tokens and says what there is to know of one token alone."""

from __future__ import annotations

import re
import unicodedata
from zlib import crc32

TOKEN = re.compile(r"[^\W\d_]+(?:['’](?=[^\W\d_]))?|\d+|\n\s*|[^\w\s]|_")
"""A run of letters (with the apostrophe that ties it to the next word), a run of digits, a line's end, one sign."""

EDGE = "\0"
"""Stands before a text and after it."""
_FORMS, _SIZES, _LISTED, _BOTH = 1, 32, 192, 256
_SIGNS, _SMALL = 1536, 512
_ENDINGS, _SOME = 2048, 14_000
_WORDS, _MANY = 16_384, 49_152
BUCKETS = _WORDS + _MANY
"""Each kind of feature has its range of buckets. Bucket 0 weighs nothing and fills the rows up."""
LONGEST = 24
"""Letters of a word that count; longer runs are no words."""
FEATURES = 9
"""The most features a token has."""

FIRST, LAST, COMMON, PLAIN, PLACE, PROPER = 1, 2, 4, 8, 16, 32
"""What lists know of a word: first name, surname, common word, very common word, place, other proper noun."""

TRIGGERS = frozenset(
    """
    chiamo chiama chiamano firmato cordialmente saluti llamo llama llaman firmado atentamente saludos name named
    regards sincerely heiße heisse heißt heisst heiss gruß grüße gruss grüsse appelle nomme prénomme
    cordialement nombre apellidos nome cognome nom prénom vorname nachname
    """.split()  # noqa: SIM905  a line of words reads better than a column of strings
)
"""Lower-case words after which a name may stand in any case."""
PARTICLES = frozenset(
    """
    de di da del della dello dalla dal degli dei la lo le li los las el al du des van von den der ten ter zu zur san
    santa santo saint st mac mc ben bin abu
    """.split()  # noqa: SIM905
)
"""Small words that a name may begin with."""
STREETS = frozenset(
    """
    via viale piazza corso largo vicolo strada piazzale calle avenida avda paseo plaza camino carretera ronda
    rue avenue boulevard place chemin impasse allée quai route street road lane drive court straße strasse weg
    platz allee gasse
    """.split()  # noqa: SIM905  a line of words reads better than a column of strings
)


def plain(word: str) -> str:
    """Lower case, without accents: the form in which lists keep words."""
    word = word.lower()
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def key(text: str) -> int:
    return crc32(text.encode("utf-8", "surrogatepass"))


def halves(word: str) -> list[tuple[str, str]]:
    """How a long word may be two words in one, as German builds its nouns; an s may tie them."""
    low = plain(word)
    if not 8 <= len(low) <= LONGEST:
        return []
    cuts = [(low[:cut], low[cut:]) for cut in range(4, len(low) - 3)]
    return cuts + [(left[:-1], right) for left, right in cuts if left[-1] == "s" and len(left) > 4]


def compound(left: int, right: int) -> bool:
    """Whether what lists know of two halves makes the whole a common word."""
    return bool(left & right & COMMON) and not (left | right) & (FIRST | LAST)


def canonical(token: str) -> str:
    """Tokens that look the same to the model are one: numbers by their length, line ends all."""
    if token[0] == "\n":
        return "\n"
    return "0" * min(len(token), 6) if token[0].isdigit() else token[:LONGEST]


def shape(word: str) -> int:
    """How a word is written, as a small number: odd where an apostrophe ties it to the next."""
    bare = word.rstrip("'’")
    tied = len(bare) < len(word)
    if bare.islower():
        return tied
    if bare.isupper():
        return (2 if len(bare) == 1 else 4 if len(bare) < 4 else 6) + tied
    if bare[:1].isupper():
        return (8 if bare[1:].islower() else 10) + tied
    return (12 if bare.lower() == bare.upper() else 14) + tied


def features(word: str, listed: int) -> list[int]:
    """The buckets of one canonical token. `listed` holds the bits that the lists have for it."""
    raw = word.encode("utf-8", "surrogatepass")
    if not word[0].isalpha():
        return [_SIGNS + crc32(raw, 7) % _SMALL]
    form = shape(word)
    if form:
        raw = word.lower().rstrip("'’").encode("utf-8", "surrogatepass")
    found = [
        _WORDS + crc32(raw, 11) % _MANY,
        _ENDINGS + crc32(raw[-3:], 13) % _SOME,
        _FORMS + form,
        _LISTED + listed,
    ]
    if form > 1 or listed & (FIRST | LAST):
        found += (
            _ENDINGS + crc32(raw[:3], 17) % _SOME,
            _ENDINGS + crc32(raw[-2:], 19) % _SOME,
            _ENDINGS + crc32(raw[-4:], 23) % _SOME,
            _BOTH + form * 64 + listed,
            _SIZES + form * 8 + min(len(raw), 8) - 1,
        )
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

"""What kind of thing a placeholder says it stands for, and when two spellings are one value."""

from __future__ import annotations

import re
import unicodedata

_BY_KIND = {
    "payment_card": "CARD", "credit_card": "CARD", "postal_address": "ADDRESS", "address": "ADDRESS",
    "birth_date": "DATE", "date": "DATE", "mac_address": "MAC", "ip_address": "IP", "credentialed_url": "URL",
    "bank_account": "ACCOUNT", "private_key": "PRIVATE_KEY", "passport": "TRAVEL_DOCUMENT",
    "passport_mrz": "TRAVEL_DOCUMENT",
}  # fmt: skip
"""Words of their own: a short one, or one that no rule takes for the beginning of a value as "pass…" and a colon."""
_BY_CATEGORY = {"secret": "SECRET", "credentialed_url": "URL", "person": "PERSON"}
_ENCODED = frozenset("%&\\=")
_ODD = re.compile(r"[^A-Z]+")
_COUNTRY = re.compile(r"\W*([A-Za-z]{2})\W?\d\W?\d")
_SPACES = re.compile(r"\s+")
_MARKS = re.compile(r"[\W_]+")
EXACT = frozenset({"secret", "credentialed_url"})
"""Categories whose values mean what they say to the letter."""

SAID = frozenset({"salary", "debt"})
"""Kinds among the values that a word alone may tell: it is no value, and where it is gone the sum still leaves."""


def word_of(kind: str, category: str, value: str) -> str:
    """`IBAN_DE`, `PERSON`, `SECRET`: what a model needs to know of a value to go on making sense."""
    word = _BY_KIND.get(kind) or _BY_CATEGORY.get(category)
    if word is None:
        word = _ODD.sub("_", kind.upper()).strip("_")[:24].strip("_") or "VALUE"
    if kind == "iban" and (country := _COUNTRY.match(value)):
        word = f"IBAN_{country[1].upper()}"
    return word


_TELLING = frozenset(
    {"email", "ip_address", "mac_address", "date", "birth_date", "address", "postal_address", "username", *SAID}
)
"""Kinds in which a mark tells one value from another: ab@c.de is not a.b@c.de, nor 11/1/1980 the day of 1/11/1980."""
_FEWEST = 8
"""Digits from which on the marks between them only group them."""


def normal(value: str, kind: str, category: str, view: str) -> str:
    """Equal for two spellings of one value. What stands there encoded is a spelling of its own."""
    if category in EXACT or not plain(value, view):
        return "=" + value
    folded = unicodedata.normalize("NFKC", value).casefold().strip()
    if category == "person" or not grouped(value, kind):
        return _SPACES.sub(" ", folded)
    return _MARKS.sub("", folded) or "=" + value


def grouped(value: str, kind: str) -> bool:
    """Whether the marks in a value are there for the eye alone, as in an IBAN or a telephone number."""
    return kind not in _TELLING and "@" not in value and sum(map(str.isdigit, value)) >= _FEWEST


def plain(value: str, view: str) -> bool:
    """Whether the value stands there as it is read, in no code."""
    return view in ("raw", "normal") or (view == "unescaped" and _ENCODED.isdisjoint(value))

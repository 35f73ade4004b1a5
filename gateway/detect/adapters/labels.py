"""From one label for each token to spans: B-, I- and the other schemes, and what common labels are called here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.detect.adapters.options import Meaning
from gateway.detect.tier import Span

_COMMON = {
    "PER": ("person", "person"),
    "PERSON": ("person", "person"),
    "NAME": ("person", "person"),
    "FIRSTNAME": ("person", "person"),
    "LASTNAME": ("person", "person"),
    "GIVENNAME": ("person", "person"),
    "SURNAME": ("person", "person"),
    "PRIVATE_PERSON": ("person", "person"),
    "ADDRESS": ("postal_address", "person"),
    "STREET": ("postal_address", "person"),
    "STREETADDRESS": ("postal_address", "person"),
    "PRIVATE_ADDRESS": ("postal_address", "person"),
    "DATEOFBIRTH": ("birth_date", "person"),
    "DOB": ("birth_date", "person"),
    "EMAIL": ("email", "contact"),
    "PRIVATE_EMAIL": ("email", "contact"),
    "PHONE": ("phone", "contact"),
    "PHONENUMBER": ("phone", "contact"),
    "TELEPHONENUM": ("phone", "contact"),
    "PRIVATE_PHONE": ("phone", "contact"),
    "IBAN": ("iban", "financial"),
    "CREDITCARDNUMBER": ("payment_card", "financial"),
    "ACCOUNTNUMBER": ("bank_account", "financial"),
    "ACCOUNT_NUMBER": ("bank_account", "financial"),
    "SSN": ("us_ssn", "identifier"),
    "SOCIALNUM": ("national_id", "identifier"),
    "IDCARDNUM": ("national_id", "identifier"),
    "IDCARD": ("national_id", "identifier"),
    "PASSPORTNUM": ("passport", "identifier"),
    "PASSPORT": ("passport", "identifier"),
    "DRIVERLICENSENUM": ("driving_licence", "identifier"),
    "TAXNUM": ("tax_number", "identifier"),
    "PASSWORD": ("password", "secret"),
    "SECRET": ("password", "secret"),
}
"""What the well-known models call things. Places, organisations and dates are left out, as everywhere."""

_PREFIXES = ("B", "I", "E", "S", "L", "U")


def stem(label: str) -> tuple[str, str]:
    """`B-PER` → ("B", "PER"); a label without a scheme goes on until another one comes."""
    prefix, sign, rest = label.partition("-")
    return (prefix, rest) if sign and prefix in _PREFIXES else ("I", label)


def meanings(labels: Mapping[int, str], changes: Mapping[str, Meaning | None]) -> dict[str, tuple[str, str]]:
    """What each of the model's labels means here; a label of no meaning is passed over."""
    known = {name: _COMMON[name.upper()] for _, name in map(stem, labels.values()) if name.upper() in _COMMON}
    for name, meaning in changes.items():
        known.pop(name, None)
        if meaning is not None:
            known[name] = (meaning.kind, meaning.category)
    return known


class Grouping:
    """Joins neighbouring tokens of one meaning."""

    def __init__(self, labels: Mapping[int, str], known: Mapping[str, tuple[str, str]], threshold: float) -> None:
        self._labels = {number: stem(label) for number, label in labels.items()}
        self._known = dict(known)
        self._threshold = threshold

    @property
    def words(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._known[name] for _, name in self._labels.values() if name in self._known)

    def spans(self, probabilities: Any, offsets: Sequence[tuple[int, int]], text: str) -> list[Span]:
        spans: list[Span] = []
        open_: Span | None = None
        for row, (start, end) in zip(probabilities, offsets, strict=True):
            number = int(row.argmax())
            prefix, name = self._labels.get(number, ("I", ""))
            meaning = self._known.get(name)
            if meaning is None or float(row[number]) < self._threshold:
                open_ = None
                continue
            start += len(text[start:end]) - len(text[start:end].lstrip())  # some tokens begin with the space before
            sure = min(1.0, float(row[number]))
            if open_ is not None and open_[2:4] == meaning and self._goes_on(prefix, text[open_.end : start]):
                spans[-1] = open_ = Span(open_.start, end, *meaning, max(open_.confidence, sure))
            elif start < end:
                open_ = Span(start, end, *meaning, sure)
                spans.append(open_)
        return spans

    @staticmethod
    def _goes_on(prefix: str, between: str) -> bool:
        """Pieces of one word belong together whatever the scheme says: models stutter inside names."""
        return not between or (prefix not in {"B", "S", "U"} and not between.strip(" \t\n-.'’"))

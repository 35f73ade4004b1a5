"""Checksums that an operator's number format may ask for, by the names a policy uses.

The algorithms are python-stdnum's, each imported when the first rule asks for it; `mod11` is the one of old account and
library numbers, which has no module of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

Check: TypeAlias = Callable[[str], bool]

_MODULES: Mapping[str, str] = MappingProxyType({
    "luhn": "luhn",
    "verhoeff": "verhoeff",
    "damm": "damm",
    "ean13": "ean",
    "mod97": "iso7064.mod_97_10",
    "mod11_2": "iso7064.mod_11_2",
    "mod11_10": "iso7064.mod_11_10",
    "mod37_2": "iso7064.mod_37_2",
    "mod37_36": "iso7064.mod_37_36",
})  # fmt: skip
_WITH_LETTERS = frozenset({"mod97", "mod37_2", "mod37_36"})
_WITH_X = frozenset({"mod11", "mod11_2"})
"""Ten as a check digit is written X."""

NAMES = frozenset({*_MODULES, "mod11"})


def check(name: str) -> Check:
    """Whether the digits of a text, and for some its letters, pass. Raises KeyError for a name nobody knows."""
    passes = _mod11 if name == "mod11" else _by_stdnum(_MODULES[name])

    def holds(text: str) -> bool:
        return passes(_kept(name, text))

    return holds


def _kept(name: str, text: str) -> str:
    signs = "".join(sign for sign in text.upper() if sign.isascii() and sign.isalnum())
    if name in _WITH_LETTERS:
        return signs
    digits = "".join(sign for sign in signs if sign.isdigit())
    return digits + "X" if name in _WITH_X and signs.endswith("X") else digits


def _by_stdnum(module: str) -> Check:
    known = importlib.import_module(f"stdnum.{module}")

    def passes(number: str) -> bool:
        if module == "ean" and len(number) != 13:
            return False
        # Of no digits every algorithm says that they are right.
        return len(number) > 1 and bool(known.is_valid(number))

    return passes


def _mod11(number: str) -> bool:
    """Weights 1, 2, 3 … from the right, the check digit's own first; X is ten."""
    if len(number) < 2 or "X" in number[:-1]:
        return False
    values = [10 if sign == "X" else int(sign) for sign in reversed(number)]
    return sum(weight * value for weight, value in enumerate(values, 1)) % 11 == 0

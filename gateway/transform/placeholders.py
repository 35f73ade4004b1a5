"""The placeholders of one request: which value each stands for, and the tag that tells them from all others.

They live as long as the request. The next turn of the conversation makes the same ones again, from the same text in
the same order under the same tag.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from gateway.core.masking import TAG_DIGITS, TAG_LETTERS
from gateway.core.types import Json, Request

_BOTH = TAG_LETTERS + TAG_DIGITS
_BEGINNING = 4000


def tag_of(request: Request, secret: bytes) -> str:
    """Four characters nobody outside can guess, the same for every turn of one conversation."""
    begins = request.conversation or _beginning(request.body.get("messages"))
    if not begins:
        return _spelled(secrets.token_bytes(8))
    who = request.principal
    said = orjson.dumps([who.tenant, who.subject, bool(request.conversation), begins])
    return _spelled(hmac.new(secret, b"placeholder tag\0" + said, hashlib.sha256).digest())


def _beginning(messages: Json) -> str:
    """What the user said first: system prompts change from turn to turn, with the time of day in them."""
    said = [message for message in messages or () if isinstance(message, Mapping)]
    first = next((message for message in said if message.get("role") == "user"), None)
    if first is None or not first.get("content"):
        return ""
    return orjson.dumps(first["content"], default=str).decode()[:_BEGINNING]


def _spelled(entropy: bytes) -> str:
    number = int.from_bytes(entropy[:8], "big")
    told = []
    for letters in (TAG_LETTERS, TAG_DIGITS, _BOTH, _BOTH):
        number, at = divmod(number, len(letters))
        told.append(letters[at])
    return "".join(told)


@dataclass(slots=True)
class Placeholders:
    """Hands out placeholders and remembers what they stand for."""

    tag: str
    prefix: str = ""
    """Before every kind: `REMOVED_` for what is not put back."""
    values: dict[str, str] = field(default_factory=dict, repr=False)
    """`PERSON_1` → what it stands for."""
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    """Normal spelling → name."""
    _counts: Counter[str] = field(default_factory=Counter)

    def known(self, normal: str) -> str | None:
        return self._known.get(normal)

    def name(self, word: str, normal: str, value: str, number: int | None = None) -> str:
        """The name for a value, `PERSON_1`; the same for every spelling with the same `normal`."""
        known = self._known.get(normal)
        if known is not None:
            return known
        word = self.prefix + word
        if number is None or f"{word}_{number}" in self.values:
            self._counts[word] += 1
            while f"{word}_{self._counts[word]}" in self.values:
                self._counts[word] += 1
            number = self._counts[word]
        name = f"{word}_{number}"
        self.values[name] = value
        self._known[normal] = name
        return name

    def written(self, name: str, *, plain: bool = False) -> str:
        """As it stands in the text: `[PERSON_1_k7f2]`, without brackets where only a plain word is taken."""
        whole = f"{name}_{self.tag}" if self.tag else name
        return whole if plain else f"[{whole}]"


def number_of(name: str) -> int:
    return int(name.rpartition("_")[2])

"""Which names are one person: a full name, what it is later shortened to, and the numbers that tie them together."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.transform.names import FIRST, LAST, MIDDLE, parts
from gateway.transform.placeholders import Placeholders, number_of

PERSON, FULL = "PERSON", "FULL_NAME"


@dataclass(slots=True)
class People:
    """The names of one request, in the order of the text.

    The first spelling is `PERSON_1`; a part of it that comes later `LAST_NAME_1`; a longer form of it `FULL_NAME_1`.
    Each comes back as what stood there, and the model sees by the number that they are one.
    """

    placeholders: Placeholders
    _known: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    """(words of the name, its placeholder's name)"""

    def name(self, value: str, normal: str) -> str:
        known = self.placeholders.known(normal)
        if known is not None:
            return known
        words = tuple(normal.replace(",", " ").split())
        word, number = self._kind(words)
        name = self.placeholders.name(word, normal, value, number)
        self._known.append((words, name))
        return name

    def _kind(self, words: tuple[str, ...]) -> tuple[str, int | None]:
        for longer, name in self._known:
            if len(words) < len(longer) and set(words) <= set(longer):
                place = FIRST if words[0] == longer[0] else LAST if words[-1] == longer[-1] else MIDDLE
                return place, number_of(name)
            if len(words) > len(longer) and set(longer) <= set(words):
                return FULL, number_of(name)
        return PERSON, None

    def parts(self) -> list[tuple[str, str, int]]:
        """(word, part, number) of every part of every name of several words."""
        told: list[tuple[str, str, int]] = []
        for words, name in self._known:
            value = self.placeholders.values[name]
            if len(words) > 1:
                told.extend((word, part, number_of(name)) for word, part in parts(value))
        return told

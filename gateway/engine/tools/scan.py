"""One JSON value, recognised character by character however the text is cut."""

from __future__ import annotations

import re

_DEPTH = 128
"""Deeper than any schema asks for, shallower than what clients' parsers give up at."""
_SPACE = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_HEX = frozenset("0123456789abcdefABCDEF")
_LITERALS = {"t": "rue", "f": "alse", "n": "ull"}
_CLOSES = {"{": "}", "[": "]"}

_NUMBER = {
    ("minus", "0"): "zero",
    ("minus", "1"): "whole",
    ("zero", "."): "point",
    ("zero", "e"): "power",
    ("whole", "0"): "whole",
    ("whole", "1"): "whole",
    ("whole", "."): "point",
    ("whole", "e"): "power",
    ("point", "0"): "fraction",
    ("point", "1"): "fraction",
    ("fraction", "0"): "fraction",
    ("fraction", "1"): "fraction",
    ("fraction", "e"): "power",
    ("power", "+"): "sign",
    ("power", "0"): "exponent",
    ("power", "1"): "exponent",
    ("sign", "0"): "exponent",
    ("sign", "1"): "exponent",
    ("exponent", "0"): "exponent",
    ("exponent", "1"): "exponent",
}
"""The grammar of a number: (what was read so far, kind of the next character) → what is read then."""
_KINDS = {**dict.fromkeys("123456789", "1"), "0": "0", ".": ".", "e": "e", "E": "e", "+": "+", "-": "+"}
_WHOLE_NUMBERS = frozenset({"zero", "whole", "fraction", "exponent"})


class Value:
    """Fed pieces of text until `done` or `broken`; strict JSON, so that whatever it took every client can read."""

    __slots__ = ("_closes", "_literal", "_state", "broken", "done")

    def __init__(self) -> None:
        self._state = "value"
        self._closes: list[str] = []
        """What closes the objects and lists that are open."""
        self._literal = ""
        """What must come yet of true, false, null or of an escape's four digits."""
        self.done = False
        self.broken = False

    def feed(self, text: str, at: int) -> int:
        """Take text from `at`; returns where the value's part of it ends."""
        end = len(text)
        while at < end and not self.done and not self.broken:
            if self._state == "string" or self._state == "key":
                at = _PLAIN.match(text, at).end()  # type: ignore[union-attr]
                if at < end:
                    at = self._in_string(text[at], at)
            elif self._state in ("escape", "key escape", "hex", "key hex"):
                at = self._escaped(text[at], at)
            elif self._state == "literal":
                at = self._literally(text[at], at)
            elif self._state in _NUMBER_STATES:
                at = self._number(text[at], at)
            else:
                at = _SPACE.match(text, at).end()  # type: ignore[union-attr]
                if at < end:
                    at = self._between(text[at], at)
        return at

    def _break(self, at: int) -> int:
        self.broken = True
        return at

    def _in_string(self, char: str, at: int) -> int:
        if char == '"':
            if self._state == "key":
                self._state = "colon"
            else:
                self._ended()
        elif char == "\\":
            self._state = "key escape" if self._state == "key" else "escape"
        else:
            return self._break(at)
        return at + 1

    def _escaped(self, char: str, at: int) -> int:
        inside = "key" if self._state.startswith("key") else "string"
        if self._state.endswith("escape"):
            if char == "u":
                self._state = "key hex" if inside == "key" else "hex"
                self._literal = "0000"
            elif char in '"\\/bfnrt':
                self._state = inside
            else:
                return self._break(at)
        elif char in _HEX:
            self._literal = self._literal[1:]
            if not self._literal:
                self._state = inside
        else:
            return self._break(at)
        return at + 1

    def _literally(self, char: str, at: int) -> int:
        if char != self._literal[0]:
            return self._break(at)
        self._literal = self._literal[1:]
        if not self._literal:
            self._ended()
        return at + 1

    def _number(self, char: str, at: int) -> int:
        following = _NUMBER.get((self._state, _KINDS.get(char, "")))
        if following is not None:
            self._state = following
            return at + 1
        if self._state not in _WHOLE_NUMBERS:
            return self._break(at)
        self._ended()  # by a character that is not the number's any more
        return at

    def _between(self, char: str, at: int) -> int:
        state = self._state
        if state == "colon":
            self._state = "value"
            return at + 1 if char == ":" else self._break(at)
        if state == "after" and char == ",":
            self._state = "next key" if self._closes[-1] == "}" else "value"
            return at + 1
        if state in ("after", "first key", "first value") and char == self._closes[-1]:
            self._closes.pop()
            self._ended()
            return at + 1
        if state in ("first key", "next key") and char == '"':
            self._state = "key"
            return at + 1
        return self._begin(char, at) if state in ("value", "first value") else self._break(at)

    def _begin(self, char: str, at: int) -> int:
        if char == '"':
            self._state = "string"
        elif char in _CLOSES and len(self._closes) < _DEPTH:
            self._closes.append(_CLOSES[char])
            self._state = "first key" if char == "{" else "first value"
        elif char in _LITERALS:
            self._state, self._literal = "literal", _LITERALS[char]
        elif char == "-":
            self._state = "minus"
        elif char in _KINDS and char.isdigit():
            self._state = "zero" if char == "0" else "whole"
        else:
            return self._break(at)
        return at + 1

    def _ended(self) -> None:
        self._state = "after"
        self.done = not self._closes


_NUMBER_STATES = frozenset(state for state, _ in _NUMBER)

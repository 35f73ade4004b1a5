"""One tool call as a model writes it, read as it comes: its name, and its arguments in the very letters it chose."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Protocol

from gateway.engine.tools.scan import Value

_NAMES = frozenset({"name", "tool_name"})
_ARGUMENTS = frozenset({"arguments", "parameters"})
_SPACE = " \t\n\r"
_HEAD = re.compile(r"([a-zA-Z0-9_.-]{1,64})(?:\[CALL_ID\][a-zA-Z0-9_-]{1,64})?(?:\[ARGS\])?[ \t\n\r]*")
_HEAD_LIMIT = 192


class Call(Protocol):
    """Fed text until `done` or `broken`."""

    name: str
    """Set once the call may be told to the client: it is a known function's, and its arguments have begun."""
    whole: bool
    """Whether the arguments are complete."""
    done: bool
    broken: bool

    def feed(self, text: str, at: int) -> int:
        """Take text from `at`; returns how far it came: to the end of the call's part, or of the arguments."""

    def fragment(self) -> str:
        """What was added to the arguments since the last time, once there is a name."""


class _Arguments:
    """A JSON object as raw text, or that text once more inside a string, as some models write it."""

    def __init__(self) -> None:
        self._value = Value()
        self._first = ""
        self._raw: list[str] = []
        self.ready = ""
        """Text for the client that `fragment` has not taken yet."""
        self.begun = False
        self.whole = False
        self.broken = False

    def feed(self, text: str, at: int) -> int:
        if not self._first:
            at = skip_space(text, at)
            if at == len(text):
                return at
            self._first = text[at]
            self.broken = self._first not in '{"n'
            if self.broken:
                return at
        end = self._value.feed(text, at)
        if self._first == "{":
            self.begun = True
            self.ready += text[at:end]
        else:
            self._raw.append(text[at:end])
        self.broken = self._value.broken
        if self._value.done:
            self._complete()
        return end

    def _complete(self) -> None:
        if self._first != "{":
            said = json.loads("".join(self._raw))
            said = "{}" if said is None else said
            self.broken = not _is_object(said)
            if self.broken:
                return
            self.ready = said
        self.begun = self.whole = True

    def take(self) -> str:
        ready, self.ready = self.ready, ""
        return ready


class ObjectCall:
    """`{"name": …, "arguments": {…}}`, its keys in any order."""

    def __init__(self, names: Collection[str], *, certain: bool) -> None:
        """`certain` says that something announced the call. Otherwise it must look like one in every key."""
        self._names = names
        self._certain = certain
        self._state = "open"
        self._value: Value | _Arguments = Value()
        self._raw: list[str] = []
        self._key = ""
        self._keys: set[str] = set()
        self._known = ""
        self._arguments = _Arguments()
        self._news = False
        """The arguments are complete just now, and `feed` returns to say so."""
        self.name = ""
        self.whole = False
        self.done = False
        self.broken = False

    def feed(self, text: str, at: int) -> int:
        self._news = False
        while at < len(text) and not self.done and not self.broken and not self._news:
            if self._state in ("key", "value"):
                at = self._take(text, at)
                continue
            at = skip_space(text, at)
            if at < len(text):
                at = self._between(text[at], at)
        return at

    def fragment(self) -> str:
        return self._arguments.take() if self.name else ""

    def _between(self, char: str, at: int) -> int:
        state = self._state
        if state == "open" and char == "{":
            self._state = "first"
        elif state in ("first", "next") and char == '"':
            self._state, self._value, self._raw = "key", Value(), []
            return at  # the quote is the key's own
        elif state == "colon" and char == ":":
            self._state, self._raw = "value", []
            self._value = self._arguments if self._key in _ARGUMENTS else Value()
        elif state == "after" and char == ",":
            self._state = "next"
        elif state == "after" and char == "}":
            self._close()
        else:
            self.broken = True
        return at if self.broken else at + 1

    def _take(self, text: str, at: int) -> int:
        value = self._value
        end = value.feed(text, at)
        if isinstance(value, _Arguments):
            self.broken = value.broken
            self._tell()
            if value.whole:
                self._state = "after"
            return end
        self._raw.append(text[at:end])
        self.broken = value.broken
        if value.done:
            self._read()
        return end

    def _read(self) -> None:
        """A key is complete, or a value that is not the arguments."""
        raw = "".join(self._raw).strip()
        if self._state == "key":
            self._state, self._key = "colon", json.loads(raw)
            self._meet(self._key)
            return
        self._state = "after"
        if self._key in _NAMES:
            # Strings alone: Python reads no number of five thousand digits.
            said = json.loads(raw) if raw.startswith('"') else ""
            self._known = said if said in self._names else ""
            self.broken = not self._known
            self._tell()

    def _meet(self, key: str) -> None:
        kind = "arguments" if key in _ARGUMENTS else "name" if key in _NAMES else key
        known = kind in ("arguments", "name", "id", "type", "tool_call_id")
        self.broken = kind in self._keys or not (known or self._certain)
        self._keys.add(kind)

    def _tell(self) -> None:
        if self._known and self._arguments.begun:
            # Text after the arguments is none of them: whoever feeds keeps it apart.
            self._news = self._arguments.whole and not self.whole
            self.name = self._known
            self.whole = self._arguments.whole

    def _close(self) -> None:
        if "arguments" not in self._keys and self._certain:
            self._arguments.ready = "{}"
            self._arguments.begun = self._arguments.whole = True
            self._tell()
        self.done = bool(self.name)
        self.broken = not self.done


class NamedCall:
    """A name in plain letters, what separates it, and the arguments."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._head = ""
        self._known = ""
        self._arguments = _Arguments()
        self.name = ""
        self.whole = False
        self.done = False
        self.broken = False

    def feed(self, text: str, at: int) -> int:
        if not self._known:
            at = self._name(text, at)
        if self._known and at < len(text) and not self.done:
            at = self._arguments.feed(text, at)
            self.broken = self._arguments.broken
            self.name = self._known if self._arguments.begun else ""
            self.whole = self.done = self._arguments.whole
        return at

    def fragment(self) -> str:
        return self._arguments.take() if self.name else ""

    def _name(self, text: str, at: int) -> int:
        room = at + _HEAD_LIMIT - len(self._head)
        brace = text.find("{", at, room)
        end = brace if brace >= 0 else min(len(text), room)
        self._head += text[at:end]
        if brace >= 0:
            found = _HEAD.fullmatch(self._head)
            self._known = found[1] if found is not None and found[1] in self._names else ""
            self.broken = not self._known
        elif len(self._head) >= _HEAD_LIMIT:
            self.broken = True
        return end


def skip_space(text: str, at: int) -> int:
    """The first position from `at` on that holds no white space of JSON's."""
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _is_object(said: object) -> bool:
    if not isinstance(said, str):
        return False
    value = Value()
    end = value.feed(said, 0)
    return value.done and not said[end:].strip(_SPACE) and said.lstrip(_SPACE).startswith("{")

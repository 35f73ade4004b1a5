"""A model's answer taken apart as it comes: text stays text, calls become OpenAI's deltas, nothing is lost."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from typing import Any

from gateway.engine.tools.call import Call, NamedCall, ObjectCall, skip_space
from gateway.engine.tools.family import NAMED, Family

Delta = dict[str, Any]


class ToolParser:
    """Fed the answer's text in whatever pieces; what its deltas add up to does not depend on the pieces.

    An attempt at a call is kept aside until its function is known and its arguments have begun. Until then whatever
    is wrong with it makes it text again. From then on its arguments are sent as they come, and if they break, what
    was sent stays sent and the rest is text.
    """

    def __init__(self, family: Family, names: Collection[str], *, parallel: bool) -> None:
        self._family = family
        self._names = frozenset(names)
        self._parallel = parallel
        self._reads: Callable[[str, int], int] = self._start
        """What reads on: takes text from a position and returns how far it came. What it leaves it cannot judge yet."""
        self._tail = ""
        self._space = ""
        """White space that is text if text follows, and nothing if a call does."""
        self._raw: list[str] = []
        """What was read of an attempt and is text if the attempt fails."""
        self._call: Call | None = None
        self._marked = False
        """Whether the attempt began with the family's marker."""
        self._listed = False
        self._comma = False
        self._told = False
        """Whether the client knows of the call that is being read."""
        self._index = -1
        self._deltas: list[Delta] = []
        self.called = False
        """Whether a call is complete."""
        self.done = False
        """Whether no more text is wanted: there may be one call, and it is complete."""

    def feed(self, text: str) -> list[Delta]:
        """OpenAI deltas for what can be told now."""
        text = self._tail + text
        at = 0
        while at < len(text) and not self.done:
            reads, before = self._reads, at
            at = reads(text, at)
            if at == before and self._reads == reads:
                break
        self._tail = text[at:]
        return self._taken()

    def end(self) -> list[Delta]:
        """What was held back. A closing marker cut short is no text; of a call cut short the client has the rest."""
        if not self.done:
            if self._reads == self._text or (self._reads == self._start and self._index < 0):
                self._write(self._space + self._tail)
            elif self._reads in (self._opened, self._in_list) or (self._reads == self._body and not self._told):
                self._write("".join(self._raw) if self._index < 0 or "".join(self._raw).strip(", \t\n\r") else "")
        self._tail = self._space = ""
        self._raw = []
        return self._taken()

    # Text

    def _start(self, text: str, at: int) -> int:
        """At the beginning and after a call, where a body may stand without its marker."""
        end = skip_space(text, at)
        self._space += text[at:end]
        if end == len(text):
            return end
        char = text[end]
        if self._family.bare and char in "{[":
            return self._begin(text, end, marked=False)
        if self._family.bare and char in ";," and self._index >= 0 and not self._space.strip():
            self._space += char
            return end + 1
        self._reads = self._text
        return end

    def _text(self, text: str, at: int) -> int:
        found = text.find(self._family.open, at)
        end = found if found >= 0 else len(text) - _partial(self._family.open, text, at)
        kept = at + len(text[at:end].rstrip(" \t\n\r"))
        if kept > at:
            self._write(self._space + text[at:kept])
            self._space = ""
        self._space += text[kept:end]
        if found < 0:
            return end
        self._raw = [self._space, self._family.open]
        self._space = ""
        self._reads = self._opened
        return found + len(self._family.open)

    # Calls

    def _opened(self, text: str, at: int) -> int:
        """After the marker: the body, or it was none."""
        end = skip_space(text, at)
        self._raw.append(text[at:end])
        if end == len(text):
            return end
        if text[end] in "{[":
            return self._begin(text, end, marked=True)
        if self._family.body == NAMED:
            self._marked, self._listed = True, False
            return self._read(NamedCall(self._names), end)
        return self._fail(end)

    def _begin(self, text: str, at: int, *, marked: bool) -> int:
        if not marked:
            self._raw = [self._space]
            self._space = ""
        self._marked = marked
        self._listed = text[at] == "["
        if not self._listed:
            return self._read(ObjectCall(self._names, certain=marked), at)
        self._raw.append("[")
        self._comma = True
        self._reads = self._in_list
        return at + 1

    def _read(self, call: Call, at: int) -> int:
        self._call, self._told, self._reads = call, False, self._body
        return at

    def _in_list(self, text: str, at: int) -> int:
        """Between the calls of a list."""
        end = skip_space(text, at)
        self._raw.append(text[at:end])
        if end == len(text):
            return end
        char = text[end]
        if char == "{" and self._comma:
            self._comma = False
            return self._read(ObjectCall(self._names, certain=self._marked), end)
        if char == "," and not self._comma:
            self._comma = True
            self._raw.append(char)
        elif char == "]" and not self._comma:
            self._listed = False
            self._after()
        else:
            return self._fail(end)
        return end + 1

    def _body(self, text: str, at: int) -> int:
        call = self._call
        assert call is not None
        beyond = self._told and call.whole
        end = call.feed(text, at)
        if not self._told or beyond:
            self._raw.append(text[at:end])
        if call.name and not self._told:
            self._tell(call.name)
        if self._told:
            self._arguments(call.fragment())
            self.called = self.called or call.whole
        if call.broken:
            return self._fail(end)
        if call.done:
            self.done = not self._parallel
            self._raw = []
            if self._listed:
                self._reads = self._in_list
            else:
                self._after()
        return end

    def _fail(self, at: int) -> int:
        """It was none, or is none any more: what was not sent as a call is text."""
        raw, self._raw = "".join(self._raw), []
        self._reads = self._text
        self._write(raw)
        return at

    def _after(self) -> None:
        self._raw = []
        self._reads = self._closing if self._marked and self._family.close else self._start

    def _closing(self, text: str, at: int) -> int:
        """The marker that closes a call. Models forget it at times; the call stands all the same."""
        end = skip_space(text, at)
        self._space += text[at:end]
        close, rest = self._family.close, text[end : end + len(self._family.close)]
        if rest == close:
            self._space = ""
            self._reads = self._start
            return end + len(close)
        if not close.startswith(rest):
            self._reads = self._start
        return end

    # Deltas

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._deltas and "content" in self._deltas[-1]:
            self._deltas[-1]["content"] += text
        else:
            self._deltas.append({"content": text})

    def _tell(self, name: str) -> None:
        self._told = True
        self._index += 1
        self._raw = []
        function = {"name": name, "arguments": ""}
        call = {"index": self._index, "id": f"call_{secrets.token_hex(12)}", "type": "function", "function": function}
        self._deltas.append({"tool_calls": [call]})

    def _arguments(self, fragment: str) -> None:
        if fragment:
            self._deltas.append({"tool_calls": [{"index": self._index, "function": {"arguments": fragment}}]})

    def _taken(self) -> list[Delta]:
        deltas, self._deltas = self._deltas, []
        return deltas


def _partial(marker: str, text: str, at: int) -> int:
    """How much of the text's end may be the beginning of the marker."""
    first = text.find(marker[0], max(at, len(text) - len(marker) + 1))
    while first >= 0:
        if marker.startswith(text[first:]):
            return len(text) - first
        first = text.find(marker[0], first + 1)
    return 0

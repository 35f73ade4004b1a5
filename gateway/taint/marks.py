"""Makes entries out of texts and tool calls, and computes what a request is compared by."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import orjson

from gateway.core.types import Principal
from gateway.taint.entry import Entry, Owner
from gateway.taint.origin import Origin
from gateway.taint.prints import Hasher, Prints, needed, own, remembered
from gateway.taint.reading import Codes, Reader, Reading
from gateway.taint.strings import SHORTEST, Call, Result

_LEAST_LETTERS = 16
"""Forty characters of dashes and a word are no text."""
_PIECE = 1 << 16
"""Letters in one entry; a longer text is several, and what lies across two is whole in one of them."""
_OVERLAP = 128
_OWNERS_KEPT = 4096
_RANDOM = re.compile(r"(?=[A-Za-z0-9]*(?:\d|[a-z][A-Z]|[A-Z][a-z]))[A-Za-z0-9]{8,}")


class Marks:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._reader = Reader()
        self._hasher = Hasher(secret)
        self._owners: OrderedDict[tuple[str, str], Owner] = OrderedDict()

    def owner(self, principal: Principal) -> Owner:
        who = (principal.tenant, principal.subject)
        owner = self._owners.get(who)
        if owner is None:
            owner = self._owners[who] = Owner.of(self._secret, *who)
            if len(self._owners) > _OWNERS_KEPT:
                self._owners.popitem(last=False)
        return owner

    def compared(self, owner: Owner, strings: Sequence[str]) -> tuple[Reading, Prints]:
        """What `Space.copies` takes, for all strings of a request. Holds nothing, so any thread may do it."""
        reading = self._reader.read(strings)
        return reading, own(self._hasher.every(reading.codes), owner.mix)

    def text(self, owner: Owner, text: str, origin: Origin, expires_at: float) -> Iterator[Entry]:
        """The entries that remember a text; none for one that is too short to be told from others."""
        if len(text) < SHORTEST:
            return
        codes = self._reader.read([text]).codes
        if len(codes) < _LEAST_LETTERS:
            return
        for start in range(0, max(1, len(codes) - _OVERLAP), _PIECE - _OVERLAP):
            piece = codes[start : start + _PIECE]
            kept, wanted = self._prints(owner, piece)
            yield Entry(whole_id(owner, piece), origin, expires_at, len(piece), wanted, kept)

    def call(self, owner: Owner, call: Call, origin: Origin, expires_at: float) -> Iterator[Entry]:
        """The entries that remember a tool call: by what it says, and by an id that no other call has."""
        name = call_name(owner, call)
        if name is not None:
            codes = self._reader.read([call.arguments]).codes[:_PIECE]
            kept, wanted = self._prints(owner, codes)
            if wanted:
                yield Entry(name, origin, expires_at, len(codes), wanted, kept)
            else:
                yield Entry(name, origin, expires_at)
        by_id = call_id(owner, call)
        if by_id is not None:
            yield Entry(by_id, origin, expires_at)

    def _prints(self, owner: Owner, codes: Codes) -> tuple[Prints, int]:
        kept = remembered(own(self._hasher.every(codes), owner.mix))
        wanted = needed(kept, len(codes))
        return (kept, wanted) if wanted else (kept[:0], 0)


def whole_id(owner: Owner, codes: Codes) -> bytes:
    return owner.digest(b"text", codes.astype("<u2").tobytes())


def conversation_id(owner: Owner, conversation: str) -> bytes:
    return owner.digest(b"conversation", conversation.encode("utf-8", "surrogatepass"))


def call_name(owner: Owner, call: Call) -> bytes | None:
    """The call by its name and arguments, in whatever order these are written; None for one like many others."""
    if len(call.name) + len(call.arguments) < SHORTEST:
        return None
    try:
        arguments = orjson.dumps(orjson.loads(call.arguments), option=orjson.OPT_SORT_KEYS)
    except ValueError:
        arguments = call.arguments.encode("utf-8", "surrogatepass")
    return owner.digest(b"call", call.name.encode("utf-8", "surrogatepass") + b"\0" + arguments)


def call_id(owner: Owner, call: Call) -> bytes | None:
    """The call by its id, where that was drawn at random: `call_0` and `functions.search:2` come again and again."""
    return _random_id(owner, call.call_id, call.name)


def answered_call_id(owner: Owner, result: Result) -> bytes | None:
    """The same for the call that a result says it answers."""
    return _random_id(owner, result.call_id, result.name)


def _random_id(owner: Owner, given: str, name: str) -> bytes | None:
    if not _RANDOM.search(given.replace(name, " ") if name else given):
        return None
    return owner.digest(b"call-id", given.encode("utf-8", "surrogatepass"))

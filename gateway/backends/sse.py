"""An upstream's event stream, cut into events: any chunking of the same bytes gives the same events."""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"


class EventTooLong(ValueError):
    """An event passed the limit; the upstream is broken or hostile."""


class EventParser:
    """Feed it bytes as they come; it returns the data of each event that became complete.

    Only `data` matters in a chat-completions stream: comments, `event`, `id` and `retry` lines are skipped. Text is
    never decoded here, so a UTF-8 sequence cut in two by the network is whole again before anyone looks at it.
    """

    __slots__ = ("_after_cr", "_data", "_first", "_limit", "_tail")

    def __init__(self, limit: int = 16 * 1024 * 1024) -> None:
        self._limit = limit
        self._tail = bytearray()  # the last, unfinished line
        self._data: bytes | None = None  # the data lines of the unfinished event
        self._first = True
        self._after_cr = False

    def feed(self, piece: bytes) -> list[bytes]:
        if (whole := self._whole(piece)) is not None:
            return whole
        piece = self._with_plain_newlines(piece)
        if b"\n" not in piece:
            self._tail += piece
            self._check(len(self._tail))
            return []
        if self._tail:
            piece = bytes(self._tail) + piece
            self._tail.clear()
        lines = piece.split(b"\n")
        self._tail += lines.pop()
        self._check(len(self._tail))
        return self._events(lines)

    def _whole(self, piece: bytes) -> list[bytes] | None:
        """The events of a piece that holds whole events of one data line each and nothing else, as nearly all do.

        Only then are there as many line ends as two for each event. None: it has to be read line by line.
        """
        if self._tail or self._after_cr or self._data is not None or not piece.startswith(b"data: "):
            return None
        if not piece.endswith(b"\n\n") or b"\r" in piece or len(piece) > self._limit:
            return None
        events = piece[6:-2].split(b"\n\ndata: ")
        if piece.count(b"\n") != 2 * len(events):
            return None
        self._first = False
        return events

    def finish(self) -> list[bytes]:
        """The event that the end of the stream completes: some upstreams leave out the last blank line."""
        line = bytes(self._tail)
        self._tail.clear()
        return self._events([line, b""] if line else [b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events: list[bytes] = []
        data = self._data
        if self._first and lines:
            self._first = False
            lines[0] = lines[0].removeprefix(BOM)
        for line in lines:
            if not line:
                if data is not None:
                    events.append(data)
                    data = None
            elif line.startswith(b"data:"):
                value = line[6:] if line[5:6] == b" " else line[5:]
                data = value if data is None else data + b"\n" + value
                self._check(len(data))
            elif line == b"data":
                data = b"" if data is None else data + b"\n"
        self._data = data
        return events

    def _with_plain_newlines(self, piece: bytes) -> bytes:
        """A carriage return ends a line at once; a line feed right behind it, even in the next piece, belongs to it."""
        if self._after_cr and piece:
            self._after_cr = False
            piece = piece.removeprefix(b"\n")
        if b"\r" not in piece:
            return piece
        self._after_cr = piece.endswith(b"\r")
        return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise EventTooLong(f"an event of more than {self._limit} bytes")

"""The event parser, against the stream format's corners and against every way to cut the same bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.backends.sse import EventParser, EventTooLong

CASES = {
    "one event": (b"data: a\n\n", [b"a"]),
    "no space after the colon": (b"data:a\n\n", [b"a"]),
    "only one space is taken": (b"data:  a\n\n", [b" a"]),
    "carriage returns": (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
    "both": (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
    "mixed": (b"data: a\r\n\ndata: b\r\r\ndata: c\n\r", [b"a", b"b", b"c"]),
    "comments and other fields": (b": ping\n\nid: 7\nevent: x\nretry: 1\ndata: a\n\n", [b"a"]),
    "several data lines": (b"data: a\ndata: b\ndata\n\n", [b"a\nb\n"]),
    "several data lines, both": (b"data: a\r\ndata: b\r\n\r\n", [b"a\nb"]),
    "an event without data": (b"event: ping\n\ndata: a\n\n", [b"a"]),
    "byte order mark": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "a mark later is text": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    "no blank line at the end": (b"data: a\n\ndata: b", [b"a", b"b"]),
    "a line end but no blank line": (b"data: a\n\ndata: b\n", [b"a", b"b"]),
    "a name that only begins alike": (b"database: a\n\n", []),
    "many blank lines": (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
    "empty data": (b"data:\n\n", [b""]),
    "nothing": (b"", []),
    "letters of several bytes": ("data: è€😀\n\n".encode(), ["è€😀".encode()]),
}


def parse(*pieces: bytes) -> list[bytes]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.finish()


@pytest.mark.parametrize(("raw", "events"), CASES.values(), ids=CASES.keys())
def test_a_stream_gives_its_events(raw: bytes, events: list[bytes]) -> None:
    assert parse(raw) == events


@pytest.mark.parametrize(("raw", "events"), CASES.values(), ids=CASES.keys())
def test_byte_by_byte_is_no_different(raw: bytes, events: list[bytes]) -> None:
    assert parse(*(raw[i : i + 1] for i in range(len(raw)))) == events


PARTS = st.sampled_from(
    [b"data:", b"data: ", b"a", "é😀".encode(), b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf", b": c", b"id: 1", b""]
)


@given(st.lists(PARTS, max_size=40), st.data())
def test_any_chunking_gives_the_same_events(parts: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=10)))
    edges = [0, *cuts, len(raw)]
    pieces = [raw[start:end] for start, end in pairwise(edges)]
    assert parse(*pieces) == parse(raw)


@pytest.mark.parametrize(
    "pieces",
    [[b"data: " + b"x" * 200], [b"x" * 60, b"x" * 60], [b"data: " + b"x" * 60 + b"\n"] * 2],
    ids=["one line", "one line in pieces", "many lines of one event"],
)
def test_an_event_without_end_is_given_up(pieces: list[bytes]) -> None:
    parser = EventParser(limit=100)
    for piece in pieces[:-1]:
        assert parser.feed(piece) == []
    with pytest.raises(EventTooLong):
        parser.feed(pieces[-1])


def test_many_short_events_never_reach_the_limit() -> None:
    parser = EventParser(limit=100)
    assert len(parser.feed(b"data: abc\n\n" * 1000)) == 1000

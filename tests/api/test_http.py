"""Bodies are bounded before anyone parses them, in memory as well as in time."""

from __future__ import annotations

import tracemalloc

import anyio
import pytest
from starlette.types import Message, Receive

from gateway.api.body import Bodies, ClientGone
from gateway.api.errors import HTTPError
from gateway.api.http import MAX_HEADERS, Headers, headers_of, query_of
from gateway.core.errors import QueueFull
from tests.support.still import still

pytestmark = pytest.mark.anyio
MIB = 1_048_576
PART = 65_536


class Sender:
    """A client that sends parts of 64 KiB, and leaves after them if told to."""

    def __init__(self, size: int, *, leaves: bool = False) -> None:
        self._left = size // PART
        self._leaves = leaves
        self.sent = 0

    async def __call__(self) -> Message:
        if not self._left:
            return {"type": "http.disconnect"} if self._leaves else {"type": "http.request", "body": b""}
        self._left -= 1
        self.sent += PART
        return {"type": "http.request", "body": bytes(PART), "more_body": self._left > 0 or self._leaves}


async def read(receive: Receive, headers: Headers, limit: int, *, idle_s: float = 5) -> bytes:
    with Bodies(limit, in_flight=1, idle_s=idle_s).held() as body:
        return await body.read(receive, headers)


async def test_a_body_is_joined_from_its_parts() -> None:
    assert await read(Sender(4 * PART), {}, MIB) == bytes(4 * PART)
    assert await read(Sender(MIB), {}, MIB) == bytes(MIB)


@pytest.mark.parametrize("headers", [{}, {b"content-length": b"%d" % (64 * MIB)}], ids=["chunked", "with a length"])
async def test_what_is_too_large_is_read_on_for_a_while_and_never_kept(headers: dict[bytes, bytes]) -> None:
    sender = Sender(64 * MIB)
    tracemalloc.start()
    with pytest.raises(HTTPError) as caught:
        await read(sender, headers, MIB)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.status == 413
    assert caught.value.headers["connection"] == "close"
    assert peak < 2 * MIB
    assert MIB < sender.sent < 8 * MIB


async def test_a_little_too_much_is_read_to_its_end_so_that_the_client_hears_why() -> None:
    sender = Sender(2 * MIB)
    with pytest.raises(HTTPError):
        await read(sender, {}, MIB)
    assert sender.sent == 2 * MIB


@pytest.mark.parametrize("size", [0, PART, 2 * MIB])
async def test_who_leaves_while_sending_is_not_answered(size: int) -> None:
    with pytest.raises(ClientGone):
        await read(Sender(size, leaves=True), {}, MIB)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"identity, gzip"])
async def test_an_encoded_body_is_refused_unread(encoding: bytes) -> None:
    sender = Sender(PART)
    with pytest.raises(HTTPError) as caught:
        await read(sender, {b"content-encoding": encoding}, MIB)
    assert (caught.value.status, sender.sent) == (415, 0)


async def test_repeated_headers_are_joined() -> None:
    pairs = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    assert headers_of({"headers": pairs}) == {b"a": b"1, 3", b"b": b"2"}
    assert headers_of({"headers": pairs[:2]}) == {b"a": b"1", b"b": b"2"}


async def test_headers_are_bounded_in_number_and_read_in_one_pass() -> None:
    pairs = [(b"x%d" % number, b"1") for number in range(MAX_HEADERS)]
    assert len(headers_of({"headers": pairs})) == MAX_HEADERS
    with pytest.raises(HTTPError) as caught:
        headers_of({"headers": [*pairs, (b"a", b"1")]})
    assert (caught.value.status, caught.value.code) == (431, "headers_too_large")


@still
async def test_a_body_that_stops_coming_is_given_up_and_a_slow_one_is_not() -> None:
    async def slow() -> Message:
        nonlocal left
        await anyio.sleep(0.03)
        left -= 1
        return {"type": "http.request", "body": b"x", "more_body": left > 0}

    async def stalled() -> Message:
        nonlocal left
        if not left:
            await anyio.sleep_forever()
        left -= 1
        return {"type": "http.request", "body": b"x", "more_body": True}

    left = 5
    assert await read(slow, {}, MIB, idle_s=0.1) == b"xxxxx"
    left = 3
    began = anyio.current_time()
    with pytest.raises(HTTPError) as caught:
        await read(stalled, {}, MIB, idle_s=0.1)
    assert (caught.value.status, caught.value.code) == (408, "request_timeout")
    assert caught.value.headers["connection"] == "close"
    assert anyio.current_time() - began == pytest.approx(0.1)


async def test_all_bodies_together_are_bounded_and_make_room_again() -> None:
    bodies = Bodies(MIB, in_flight=1)
    with bodies.held() as first, bodies.held() as second, bodies.held() as third:
        await first.read(Sender(MIB), {})
        await second.read(Sender(MIB), {})
        with pytest.raises(QueueFull) as full:
            await third.read(Sender(PART), {})
        assert full.value.retry_after_s
    with bodies.held() as body:
        assert len(await body.read(Sender(MIB), {})) == MIB


async def test_a_length_of_many_digits_is_too_large() -> None:
    with pytest.raises(HTTPError) as caught:
        await read(Sender(PART), {b"content-length": b"9" * 10_000}, MIB)
    assert caught.value.status == 413


async def test_an_empty_query_value_is_a_value() -> None:
    assert query_of({"query_string": b"zone=&x=%20y"}) == {"zone": "", "x": " y"}
    assert query_of({}) == {}

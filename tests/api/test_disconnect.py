"""A client that leaves stops the work outside at once, at whatever moment, and leaves a record that says so."""

from __future__ import annotations

import json
import socket
import time

import httpx
import pytest

from tests.support.capture import Answer, CaptureServer, completion, event, events, silence
from tests.support.serving import Serving

# what the client asked, what the upstream does, whether the client waits for a first event
MOMENTS: dict[str, tuple[bool, Answer, bool]] = {
    "before the first token of a stream": (True, silence(), False),
    "before a ping can have been sent": (True, silence().but(delay_s=5), False),
    "in the middle of a stream": (True, events(event({"content": "Hel"}), done=False).but(end="hang"), True),
    "before a whole answer": (False, silence(), False),
    "in the middle of a whole answer": (False, completion().but(delay_s=5), False),
}


def connect(gateway: Serving, stream: bool) -> socket.socket:
    url = httpx.URL(gateway.url)
    body = json.dumps(
        {"model": "large", "stream": stream, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
    )
    connection = socket.create_connection((url.host, url.port or 0), 5)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sendall((head + body).encode())
    return connection


def newest_outcome(gateway: Serving, after: int) -> dict[str, object]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if len(outcomes := gateway.records("outcome")) > after:
            facts: dict[str, object] = outcomes[-1]["facts"]
            return facts
        time.sleep(0.02)
    raise AssertionError("no outcome within 5 s")


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_client_that_leaves_stops_the_upstream_and_is_recorded(
    gateway: Serving, upstream: CaptureServer, moment: str
) -> None:
    stream, answer, wait = MOMENTS[moment]
    upstream.always(answer)
    before = len(gateway.records("outcome"))
    with connect(gateway, stream) as connection:
        [request] = upstream.wait_for_requests(1)
        while wait and b"Hel" not in connection.recv(4096):
            pass
        left = time.monotonic()
    assert request.wait_until_left() - left < 3
    outcome = newest_outcome(gateway, before)
    assert (outcome["outcome"], outcome["error"], outcome["attempts"]) == ("client_closed", None, 1)


def test_a_client_that_only_closes_its_sending_side_still_counts_as_gone(
    gateway: Serving, upstream: CaptureServer
) -> None:
    """Half-closed connections look like closed ones to the server, and no client of chat completions makes them."""
    upstream.always(silence())
    with connect(gateway, stream=True) as connection:
        [request] = upstream.wait_for_requests(1)
        connection.shutdown(socket.SHUT_WR)
        request.wait_until_left()


def test_a_client_that_leaves_while_sending_leaves_no_trace(gateway: Serving, upstream: CaptureServer) -> None:
    url = httpx.URL(gateway.url)
    before = len(gateway.records("decided"))
    with socket.create_connection((url.host, url.port or 0), 5) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{")
    time.sleep(0.1)
    assert gateway.ask("Still there?", model="local").status_code == 200
    assert upstream.requests == []
    assert len(gateway.records("decided")) == before + 1


def test_connections_are_kept_after_whole_answers_and_streams(gateway: Serving, upstream: CaptureServer) -> None:
    before = upstream.connections
    with httpx.Client(trust_env=False) as client:
        for stream in (False, True, False, True):
            body = {"model": "large", "stream": stream, "messages": [{"role": "user", "content": "Why?"}]}
            assert client.post(f"{gateway.base_url}/chat/completions", json=body).status_code == 200
    assert upstream.connections - before <= 1

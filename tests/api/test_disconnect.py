"""A client that leaves stops the work outside at once, at whatever moment, and leaves a record that says so."""

from __future__ import annotations

import socket
import time

import httpx
import pytest

from tests.support.capture import Answer, CaptureServer, completion, event, events, silence
from tests.support.serving import Serving
from tests.support.waiting import PATIENCE_S

QUESTION = "Why is the sky blue?"
NEVER_S = 3600
"""An answer that is on its way when the test is long over."""
# what the client asked, what the upstream does, whether the client waits for a first event
MOMENTS: dict[str, tuple[bool, Answer, bool]] = {
    "before the first token of a stream": (True, silence(), False),
    "before a ping can have been sent": (True, silence().but(delay_s=NEVER_S), False),
    "in the middle of a stream": (True, events(event({"content": "Hel"}), done=False).but(end="hang"), True),
    "before a whole answer": (False, silence(), False),
    "in the middle of a whole answer": (False, completion().but(delay_s=NEVER_S), False),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_client_that_leaves_stops_the_upstream_and_is_recorded(
    gateway: Serving, upstream: CaptureServer, moment: str
) -> None:
    stream, answer, wait = MOMENTS[moment]
    upstream.always(answer)
    before = len(gateway.settled())
    with gateway.asked(QUESTION, model="large", stream=stream) as connection:
        [request] = upstream.wait_for_requests(1)
        while wait and b"Hel" not in connection.recv(4096):
            pass
    request.wait_until_left()
    [record] = gateway.settled()[before:]
    outcome = record["facts"]
    assert (outcome["outcome"], outcome["error"], outcome["attempts"]) == ("client_closed", None, 1)


def test_a_client_that_only_closes_its_sending_side_still_counts_as_gone(
    gateway: Serving, upstream: CaptureServer
) -> None:
    """Half-closed connections look like closed ones to the server, and no client of chat completions makes them."""
    upstream.always(silence())
    with gateway.asked(QUESTION, model="large", stream=True) as connection:
        [request] = upstream.wait_for_requests(1)
        connection.shutdown(socket.SHUT_WR)
        request.wait_until_left()


def test_a_client_that_leaves_while_sending_leaves_no_trace(gateway: Serving, upstream: CaptureServer) -> None:
    url = httpx.URL(gateway.url)
    before = len(gateway.settled())
    with socket.create_connection((url.host, url.port or 0), PATIENCE_S) as connection:
        connection.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n{")
    time.sleep(0.1)  # whatever it might leave behind it leaves now
    assert gateway.ask("Still there?", model="local").status_code == 200
    assert upstream.requests == []
    assert len(gateway.settled()) == before + 1
    assert len(gateway.records("decided")) == before + 1


def test_connections_are_kept_after_whole_answers_and_streams(gateway: Serving, upstream: CaptureServer) -> None:
    before = upstream.connections
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        for stream in (False, True, False, True):
            body = {"model": "large", "stream": stream, "messages": [{"role": "user", "content": "Why?"}]}
            assert client.post(f"{gateway.base_url}/chat/completions", json=body).status_code == 200
    assert upstream.connections - before <= 1

"""The wire against the capture server: what it sends, how it fails, how fast it leaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from gateway.backends.openai_wire import OpenAIWire
from gateway.core.errors import (
    BackendBroke,
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnreachable,
    ContextTooLong,
    GatewayError,
    Unsupported,
)
from gateway.core.types import Zone
from tests.support.capture import (
    Answer,
    CaptureServer,
    body,
    completion,
    cut_before_answer,
    error,
    event,
    events,
    silence,
    sse,
    words,
)
from tests.support.remote import answer_of, finishes, make_request, make_spec, permit, text_of, usage_told
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio
Wire = Callable[..., OpenAIWire]
SSE = {"content-type": "text/event-stream"}


async def test_what_is_sent(wire: Wire, capture: CaptureServer) -> None:
    await answer_of(wire(), user="u-1", temperature=0.5, max_completion_tokens=9, top_k=3)
    (request,) = capture.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.json == {
        "model": "gpt-x",
        "messages": [{"role": "user", "content": "Why is the sky blue?"}],
        "temperature": 0.5,
        "max_tokens": 9,
        "store": False,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert request.headers["authorization"] == "Bearer sk-planted"
    assert request.headers["host"] == f"127.0.0.1:{capture.port}"
    allowed = {"host", "authorization", "content-type", "content-length", "accept", "accept-encoding", "user-agent"}
    assert set(request.headers) <= allowed


async def test_what_stays_is_named(wire: Wire) -> None:
    request = make_request(user="u-1", metadata={"a": "b"}, messages=[{"role": "user", "content": "x", "id": "m"}])
    assert wire().prepare(request).dropped == ("messages[].id", "metadata", "user")


@pytest.mark.parametrize(
    ("spec", "options", "has", "lacks"),
    [
        ({}, {"send_store": False}, {}, {"store"}),
        ({"zone": Zone.PRIVATE}, {}, {}, {"store"}),
        ({"zone": Zone.PRIVATE}, {"send_store": True}, {"store": False}, set()),
        ({}, {"usage_in_stream": False}, {"stream": True}, {"stream_options"}),
        ({}, {"max_tokens_field": "max_completion_tokens"}, {"max_completion_tokens": 5}, {"max_tokens"}),
        ({}, {"also": frozenset({"top_k"})}, {"top_k": 3}, set()),
    ],
)
async def test_what_an_operator_may_change(
    wire: Wire, spec: dict[str, Any], options: dict[str, Any], has: dict[str, Any], lacks: set[str]
) -> None:
    payload = wire(make_spec(**spec), **options).prepare(make_request(max_tokens=5, top_k=3)).payload
    assert has.items() <= payload.items()
    assert not lacks & set(payload)


@pytest.mark.parametrize(
    ("host", "field", "role"),
    [
        ("api.openai.com", "max_completion_tokens", "developer"),
        ("eu.api.openai.com", "max_completion_tokens", "developer"),
        ("mine.openai.azure.com", "max_completion_tokens", "developer"),
        ("api.openai.com.evil.net", "max_tokens", "system"),
        ("vllm.example.net", "max_tokens", "system"),
    ],
)
async def test_openai_gets_its_own_words(wire: Wire, host: str, field: str, role: str) -> None:
    request = make_request(max_tokens=5, messages=[{"role": "developer", "content": "be brief"}])
    payload = wire(base_url=f"https://{host}/v1").prepare(request).payload
    assert payload[field] == 5
    assert payload["messages"][0]["role"] == role


async def test_what_cannot_go_is_refused_before_anything_is_sent(wire: Wire, capture: CaptureServer) -> None:
    with pytest.raises(Unsupported):
        wire().prepare(make_request(functions=[{"name": "f"}]))
    assert capture.received == b""


async def test_headers_of_the_operator_go_along(wire: Wire, capture: CaptureServer) -> None:
    await answer_of(wire(headers={"api-key": "k-planted", "authorization": "none"}))
    assert capture.requests[0].headers["api-key"] == "k-planted"
    assert capture.requests[0].headers["authorization"] == "none"


async def test_keys_are_in_no_repr(wire: Wire) -> None:
    made = wire(headers={"api-key": "k-planted"})
    assert "planted" not in repr(made) + repr(made._options)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(
    "script", [completion("Hello."), events(*words("Hel", "lo."))], ids=["answered whole", "answered as stream"]
)
async def test_either_shape_of_answer_will_do(wire: Wire, capture: CaptureServer, stream: bool, script: Answer) -> None:
    capture.answer(script)
    chunks = await answer_of(wire(), stream=stream)
    assert text_of(chunks) == "Hello."
    assert finishes(chunks) == {0: ["stop"]}
    assert usage_told(chunks) == (7, 2, None)


@pytest.mark.parametrize("size", [1, 3, 7, 50, 4096])
async def test_the_networks_cuts_do_not_show(wire: Wire, capture: CaptureServer, size: int) -> None:
    capture.answer(events(*words("è", "€", "😀"), cut_every=size))
    assert text_of(await answer_of(wire())) == "è€😀"


async def test_pieces_come_as_they_are_read(wire: Wire, capture: CaptureServer) -> None:
    capture.answer(events(*words("a", "b", "c"), done=False).but(end="hang"))
    made = wire()
    answer = made.stream(permit(made, make_request()))
    text = ""
    with anyio.fail_after(PATIENCE_S):
        while text != "abc":  # which is all there is before the answer ends, and it never does
            text += text_of(list(await anext(answer)))
    await answer.aclose()


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_one_connection_serves_one_request_after_the_other(
    wire: Wire, capture: CaptureServer, stream: bool
) -> None:
    made = wire()
    for _ in range(5):
        await answer_of(made, stream=stream)
    assert (len(capture.requests), capture.connections) == (5, 1)


async def test_an_error_answer_leaves_the_connection_usable(wire: Wire, capture: CaptureServer) -> None:
    made = wire()
    capture.answer(error(400))
    with pytest.raises(BackendRejected):
        await answer_of(made)
    await answer_of(made)
    assert capture.connections == 1


async def test_a_stream_that_stays_open_behind_done_is_not_waited_for(wire: Wire, capture: CaptureServer) -> None:
    capture.answer(events(*words("a")).but(end="hang"))
    with anyio.fail_after(PATIENCE_S):
        assert text_of(await answer_of(wire())) == "a"


PROSE = "you wrote DE89 3704 0044"
PAGE = Answer((b"<html>" + PROSE.encode(),), headers={"content-type": "text/html"})
FAILURES: dict[str, tuple[Answer, type[GatewayError]]] = {
    "rejected": (error(400, PROSE), BackendRejected),
    "too long": (error(400, PROSE, code="context_length_exceeded"), ContextTooLong),
    "key refused": (error(401, PROSE), BackendBroke),
    "busy": (error(429, PROSE, retry_after="2"), BackendError),
    "broken": (error(500, PROSE), BackendBroke),
    "an HTML page": (
        Answer((b"<html>" + PROSE.encode(),), status=502, headers={"content-type": "text/html"}),
        BackendBroke,
    ),
    "a portal that says 200": (
        Answer((b"<html>" + PROSE.encode(),), headers={"content-type": "text/html"}),
        BackendBroke,
    ),
    "an endless error": (Answer((PROSE.encode() * 10_000,), status=500, end="hang"), BackendBroke),
    "an error cut off": (Answer((PROSE.encode(),), status=500, end="cut"), BackendBroke),
    "malformed JSON": (body(b'{"choices": [' + PROSE.encode()), BackendBroke),
    "malformed HTTP": (
        Answer((b"HTTP/1.1 what " + PROSE.encode() + b"\r\n\r\n",), head=False, framing="close"),
        BackendBroke,
    ),
    "cut before the answer": (cut_before_answer(), BackendBroke),
    "closed before the answer": (Answer(head=False, framing="close"), BackendBroke),
    "cut in the middle": (events(event({"content": "x"}), done=False).but(end="cut"), BackendBroke),
    "closed in the middle": (events(event({"content": "x"}), done=False).but(framing="close"), BackendBroke),
    "ended in the middle": (events(event({"content": "x"}), done=False), BackendBroke),
    "a whole answer cut": (completion().but(headers={"content-length": "9999"}, end="cut"), BackendBroke),
    "an error in the stream": (events(event({"content": "x"}), {"error": {"message": PROSE}}), BackendBroke),
    "silence": (silence(), BackendTimeout),
    "silence in the middle": (events(event({"content": "x"}), done=False).but(end="hang"), BackendTimeout),
}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize(("script", "kind"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_is_told_by_its_kind_and_tried_once(
    wire: Wire, capture: CaptureServer, script: Answer, kind: type[GatewayError], stream: bool
) -> None:
    capture.answer(script)
    with pytest.raises(kind) as failure:
        await answer_of(wire(read_timeout_s=0.3 if kind is BackendTimeout else PATIENCE_S), stream=stream)
    assert type(failure.value) is kind
    assert "DE89" not in str(failure.value)
    assert failure.value.__cause__ is None
    assert len(capture.requests) == 1


async def test_a_connection_that_died_while_idle_is_not_taken_for_an_unsent_request(
    wire: Wire, capture: CaptureServer
) -> None:
    made = wire()
    await answer_of(made)
    capture.answer(cut_before_answer())
    with pytest.raises(BackendBroke):
        await answer_of(made)
    assert len(capture.requests) == 2


async def test_a_cut_behind_the_last_finish_loses_nothing(wire: Wire, capture: CaptureServer) -> None:
    capture.answer(events(*words("a", usage=None), done=False).but(end="cut"))
    chunks = await answer_of(wire())
    assert (text_of(chunks), finishes(chunks)) == ("a", {0: ["stop"]})


async def test_what_came_before_the_cut_was_passed_on(wire: Wire, capture: CaptureServer) -> None:
    capture.answer(events(event({"content": "x"}), done=False).but(end="cut"))
    made = wire()
    seen: list[Any] = []
    answer = made.stream(permit(made, make_request()))
    seen += await anext(answer)
    with pytest.raises(BackendBroke):
        await anext(answer)
    assert text_of(seen) == "x"


async def test_nobody_there_is_unreachable(wire: Wire) -> None:
    with pytest.raises(BackendUnreachable):
        await answer_of(wire(base_url="http://127.0.0.1:9/v1"))


async def test_a_name_that_leads_nowhere_is_unreachable(wire: Wire) -> None:
    with pytest.raises(BackendUnreachable):
        await answer_of(wire(base_url="https://nowhere.invalid/v1"))


async def test_a_server_that_does_not_greet_in_time_is_unreachable(wire: Wire) -> None:
    # TLS to a listener that never says a word: connected, but nothing of the request was sent.
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        with pytest.raises(BackendUnreachable):
            await answer_of(wire(base_url=f"https://127.0.0.1:{port}/v1", connect_timeout_s=0.2))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_redirects_are_not_followed(wire: Wire, capture: CaptureServer, status: int) -> None:
    with CaptureServer() as elsewhere:
        capture.answer(body(b"", status, location=f"{elsewhere.base_url}/chat/completions"))
        with pytest.raises(BackendBroke):
            await answer_of(wire())
        assert elsewhere.connections == 0


async def test_too_much_is_given_up(wire: Wire, capture: CaptureServer) -> None:
    capture.answer(events(event({"content": "x" * 700_000}), event({"content": "y" * 700_000})))
    with pytest.raises(BackendBroke):
        await answer_of(wire(response_limit_mb=1))


# ── Leaving ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_closing_the_answer_cuts_the_upstream_at_once(wire: Wire, capture: CaptureServer) -> None:
    capture.answer(Answer(tuple(sse(*words(*"abc"), done=False)), headers=SSE, gap_s=0.05, end="hang"))
    made = wire()
    answer = made.stream(permit(made, make_request()))
    await anext(answer)
    await answer.aclose()
    await anyio.to_thread.run_sync(capture.requests[0].wait_until_left)


@pytest.mark.parametrize(
    "script",
    [
        silence(),
        Answer(headers=SSE, end="hang"),
        completion().but(pieces=(b'{"choi',), headers={"content-length": "99"}, end="hang"),
    ],
    ids=["before the status", "before the first byte", "in a whole answer"],
)
async def test_a_cancelled_wait_cuts_the_upstream_at_once(wire: Wire, capture: CaptureServer, script: Answer) -> None:
    capture.answer(script)
    made = wire()

    async def wait() -> None:
        async for _ in made.stream(permit(made, make_request())):
            pass

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.to_thread.run_sync(capture.wait_for_requests, 1)
        await anyio.sleep(0.05)
        assert capture.requests[0].left_at is None
        group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(capture.requests[0].wait_until_left)


# ── Zone private ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_private_name_that_leads_home_is_answered(wire: Wire, capture: CaptureServer) -> None:
    url = f"http://localhost:{capture.port}/v1"
    assert text_of(await answer_of(wire(make_spec(zone=Zone.PRIVATE), base_url=url))) == "Hello."

"""What every `RemoteBackend` promises, over each of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import pytest

from gateway.backends.canned import CannedRemote
from gateway.backends.endpoint import validate_endpoint
from gateway.backends.litellm_remote import LiteLLMOptions, LiteLLMRemote
from gateway.backends.openai_wire import OpenAIWire
from gateway.core.errors import EgressDenied, Unsupported
from gateway.core.ports import RemoteBackend
from gateway.core.types import BackendSpec, Zone
from tests.support.capture import CaptureServer
from tests.support.remote import answer_of, finishes, make_request, make_spec, permit, text_of, usage_told

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),  # litellm's own, on every stream
]
KINDS = ["openai", "openai in zone private", "litellm", "canned"]


def build(kind: str, capture: CaptureServer, spec: BackendSpec | None = None) -> RemoteBackend:
    if kind == "canned":
        return CannedRemote(spec or make_spec(wire="canned"))
    if kind == "litellm":
        spec = spec or make_spec(wire="litellm", model="openai/gpt-x")
        return LiteLLMRemote(spec, api_key="sk-planted", options=LiteLLMOptions(api_base=capture.base_url))
    private = "private" in kind
    spec = spec or make_spec(zone=Zone.PRIVATE if private else Zone.REMOTE)
    endpoint = validate_endpoint(spec.name, spec.zone, capture.base_url, plaintext=private, environment={})
    return OpenAIWire(spec, endpoint, api_key="sk-planted")


@pytest.fixture(params=KINDS)
async def backend(request: pytest.FixtureRequest, capture: CaptureServer) -> AsyncGenerator[RemoteBackend, None]:
    made = build(request.param, capture)
    yield made
    await made.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_an_answer_keeps_every_promise_of_a_chunk(backend: RemoteBackend, stream: bool) -> None:
    chunks = await answer_of(backend, stream=stream)
    assert text_of(chunks)
    assert finishes(chunks) == {0: ["stop"]}
    usage = usage_told(chunks)
    assert usage is not None
    assert usage.completion_tokens > 0
    for chunk in chunks:
        assert "role" not in chunk.delta
        assert chunk.usage is None or (chunk.finish is None and not chunk.delta)


async def test_another_backends_permit_is_refused(backend: RemoteBackend, capture: CaptureServer) -> None:
    spec = backend.spec
    for other in (replace(spec, name="other"), replace(spec, digest="d2")):
        foreign = permit(CannedRemote(other), make_request())
        with pytest.raises(EgressDenied):
            await anext(backend.stream(foreign))
    assert capture.received == b""


async def test_only_listed_fields_are_prepared_and_the_rest_is_named(backend: RemoteBackend) -> None:
    fields: dict[str, Any] = {"user": "u", "metadata": {"a": "b"}, "store": True, "prompt_cache_key": "k", "x_new": 1}
    outgoing = backend.prepare(make_request(temperature=0.3, **fields))
    assert set(fields) <= set(outgoing.dropped)
    assert outgoing.dropped == tuple(sorted(set(outgoing.dropped)))
    assert not set(fields) & set(outgoing.payload) - {"store"}
    assert outgoing.payload.get("store", False) is False
    assert (outgoing.payload["model"], outgoing.backend) == (backend.spec.model, backend.spec.name)
    assert outgoing.payload["temperature"] == 0.3


async def test_preparing_sends_nothing_and_changes_nothing(backend: RemoteBackend, capture: CaptureServer) -> None:
    messages = [
        {"role": "developer", "content": "x", "id": 1},
        {"role": "user", "content": [{"type": "text", "text": "y"}]},
    ]
    request = make_request(messages=messages)
    before = repr(request.body)
    assert backend.prepare(request) == backend.prepare(request)
    assert repr(request.body) == before
    assert capture.connections == 0


async def test_what_can_neither_go_nor_stay_is_refused_by_name(backend: RemoteBackend) -> None:
    for param, value in (("functions", [{"name": "f"}]), ("modalities", ["audio"])):
        with pytest.raises(Unsupported) as refusal:
            backend.prepare(make_request(**{param: value}))
        assert refusal.value.param == param


async def test_no_address_goes_out_for_a_vendor_to_fetch(backend: RemoteBackend) -> None:
    part = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}
    with pytest.raises(Unsupported):
        backend.prepare(make_request(messages=[{"role": "user", "content": [part]}]))


async def test_an_answer_may_be_left_after_its_first_piece(backend: RemoteBackend) -> None:
    answer = backend.stream(permit(backend, make_request()))
    assert await anext(answer)
    await answer.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(answer)


async def test_a_backend_serves_many_at_once(backend: RemoteBackend) -> None:
    import anyio

    texts: list[str] = []

    async def one() -> None:
        texts.append(text_of(await answer_of(backend)))

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(one)
    assert len(set(texts)) == 1
    assert len(texts) == 8

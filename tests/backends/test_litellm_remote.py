"""The litellm adapter with the real litellm, against the capture server speaking OpenAI's and Anthropic's wire."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from typing import Any

import anyio
import pytest

from gateway.backends.litellm_remote import LiteLLMOptions, LiteLLMRemote
from gateway.core.errors import (
    BackendBroke,
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnreachable,
    ConfigurationError,
    GatewayError,
    Unsupported,
)
from gateway.core.types import Zone
from tests.support.capture import (
    Answer,
    CaptureServer,
    body,
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

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning"),  # litellm's own, on every stream
]
Make = Callable[..., LiteLLMRemote]
VENDORS = ["openai", "anthropic"]


@pytest.fixture
async def make(capture: CaptureServer) -> AsyncGenerator[Make, None]:
    def make(vendor: str = "openai", **options: Any) -> LiteLLMRemote:
        base = capture.base_url if vendor == "openai" else capture.url
        spec = make_spec(wire="litellm", model=f"{vendor}/{'gpt-x' if vendor == 'openai' else 'claude-sonnet-4-5'}")
        return LiteLLMRemote(spec, api_key="sk-planted", options=LiteLLMOptions(**{"api_base": base, **options}))

    yield make
    await anyio.sleep(0)


def test_making_one_does_not_import_litellm() -> None:
    code = (
        "import sys; from gateway.backends.litellm_remote import *; from gateway.core.types import *;"
        "LiteLLMRemote(BackendSpec('l', Zone.REMOTE, 'litellm', 'anthropic/c')); sys.exit('litellm' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_an_answer_of_either_vendor(make: Make, capture: CaptureServer, vendor: str, stream: bool) -> None:
    chunks = await answer_of(make(vendor), stream=stream)
    assert text_of(chunks) == "Hello."
    assert finishes(chunks) == {0: ["stop"]}
    assert usage_told(chunks)[:2] == (7, 2)  # type: ignore[index]
    assert len(capture.requests) == 1


async def test_only_listed_fields_go_out(make: Make, capture: CaptureServer) -> None:
    made = make("anthropic")
    await made.warm()
    request = make_request(user="u-planted", metadata={"user_id": "u"}, seed=1, temperature=0.5, max_tokens=9)
    assert made.prepare(request).dropped == ("metadata", "seed", "user")
    _ = [_ async for _ in made.stream(permit(made, request))]
    sent = capture.requests[0]
    assert set(sent.json) == {"model", "messages", "temperature", "max_tokens", "stream"}
    assert b"u-planted" not in capture.received


async def test_what_the_vendor_does_not_take_is_refused_by_name(make: Make) -> None:
    made = make("anthropic")
    await made.warm()
    with pytest.raises(Unsupported) as refusal:
        made.prepare(make_request(logprobs=True))
    assert refusal.value.param == "logprobs"


WARMING = """
import anyio
from gateway.backends.litellm_remote import *
from gateway.core.types import *

async def main():
    turns = 0

    async def run():
        nonlocal turns
        while True:
            await anyio.sleep(0.001)
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await LiteLLMRemote(BackendSpec("l", Zone.REMOTE, "litellm", "anthropic/c")).warm()
        group.cancel_scope.cancel()
    print(turns)

anyio.run(main)
"""


def test_importing_leaves_the_event_loop_running() -> None:
    """In a process of its own, where it is not imported yet: that takes seconds, and the loop turns meanwhile."""
    told = subprocess.run([sys.executable, "-c", WARMING], capture_output=True, text=True, check=True, timeout=300)
    assert int(told.stdout) > 20


PROSE = "you wrote DE89 3704"
FAILURES: dict[str, tuple[Answer, type[GatewayError]]] = {
    "rejected": (error(400, PROSE), BackendRejected),
    "key refused": (error(401, PROSE), BackendBroke),
    "busy": (error(429, PROSE, retry_after="2"), BackendError),
    "broken": (error(500, PROSE), BackendBroke),
    "cut": (cut_before_answer(), BackendBroke),
    "silence": (silence(), BackendTimeout),
    "malformed": (body(b'{"x": ' + PROSE.encode()), BackendBroke),
}


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize(("script", "kind"), FAILURES.values(), ids=FAILURES.keys())
async def test_a_failure_is_told_by_its_kind_and_tried_once(
    make: Make,
    capture: CaptureServer,
    script: Answer,
    kind: type[GatewayError],
    vendor: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    capture.answer(script)
    with pytest.raises(GatewayError) as failure:
        await answer_of(make(vendor, read_timeout_s=0.4 if kind is BackendTimeout else PATIENCE_S), stream=False)
    assert type(failure.value) is kind
    printed = capsys.readouterr()
    for place in (str(failure.value), printed.out, printed.err, caplog.text):
        assert "DE89" not in place
        assert "sky" not in place
        assert "sk-planted" not in place
    assert failure.value.__cause__ is None
    assert len(capture.requests) == 1


async def test_a_busy_vendor_says_when_to_come_back(make: Make, capture: CaptureServer) -> None:
    capture.answer(error(429, retry_after="7"))
    with pytest.raises(BackendError) as busy:
        await answer_of(make())
    assert (busy.value.status, busy.value.retry_after_s) == (429, 7.0)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_nobody_there_is_unreachable(make: Make, vendor: str) -> None:
    with pytest.raises(BackendUnreachable):
        await answer_of(make(vendor, api_base="http://127.0.0.1:9"))


@pytest.mark.parametrize("vendor", VENDORS)
async def test_redirects_are_not_followed(make: Make, capture: CaptureServer, vendor: str) -> None:
    with CaptureServer() as elsewhere:
        capture.answer(body(b"", 307, location=f"{elsewhere.base_url}/chat/completions"))
        with pytest.raises(BackendError):
            await answer_of(make(vendor))
        assert elsewhere.connections == 0


async def test_a_stream_broken_off_is_broken(make: Make, capture: CaptureServer) -> None:
    capture.answer(events(event({"content": "x"}), done=False).but(end="cut"))
    with pytest.raises(BackendBroke):
        await answer_of(make())


@pytest.mark.parametrize("vendor", VENDORS)
async def test_without_a_permit_litellm_sends_nothing(make: Make, capture: CaptureServer, vendor: str) -> None:
    made = make(vendor)
    await made.warm()
    payload = made.prepare(make_request(stream=False)).payload
    with pytest.raises(Exception, match=r"(?i)error"):
        await made._litellm.acompletion(**payload, **made._arguments())
    assert capture.requests == []


@pytest.mark.parametrize("early", [True, False], ids=["before the first byte", "in the middle"])
async def test_leaving_cuts_the_upstream_at_once(make: Make, capture: CaptureServer, early: bool) -> None:
    made = make()
    await made.warm()
    sse_head = {"content-type": "text/event-stream"}
    stalled = Answer(tuple(sse(*words("a", "b"), done=False)[:2]), headers=sse_head, end="hang")
    capture.answer(silence() if early else stalled)

    async def wait() -> None:
        async for _ in made.stream(permit(made, make_request())):
            pass

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.to_thread.run_sync(capture.wait_for_requests, 1)
        await anyio.sleep(0.1)
        assert capture.requests[0].left_at is None
        group.cancel_scope.cancel()
    await anyio.to_thread.run_sync(capture.requests[0].wait_until_left)


def test_zone_private_is_not_for_litellm() -> None:
    with pytest.raises(ConfigurationError, match="openai"):
        LiteLLMRemote(make_spec(zone=Zone.PRIVATE, wire="litellm", model="openai/x"))


def test_a_plain_http_address_outside_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="loopback"):
        LiteLLMRemote(make_spec(model="openai/x"), options=LiteLLMOptions(api_base="http://example.com/v1"))


def test_keys_are_in_no_repr() -> None:
    options = LiteLLMOptions(extra={"aws_secret_access_key": "k-planted"})
    made = LiteLLMRemote(make_spec(model="bedrock/x"), api_key="sk-planted", options=options)
    assert "planted" not in repr(made) + repr(options)


# a variable, and a model whose requests it would lead astray
ELSEWHERE = [
    ("OPENAI_BASE_URL", "openai/gpt-x"),
    ("OPENAI_API_BASE", "openai/gpt-x"),
    ("OPENAI_API_BASE", "some-new-vendor/x"),
    ("ANTHROPIC_BASE_URL", "anthropic/claude-x"),
    ("ANTHROPIC_API_BASE", "anthropic/claude-x"),
    ("AWS_BEDROCK_RUNTIME_ENDPOINT", "bedrock/x"),
    ("VERTEXAI_API_BASE", "vertex_ai/gemini-x"),
    ("HF_API_BASE", "huggingface/x"),
    ("WML_URL", "watsonx/x"),
    ("TOGETHER_AI_API_BASE", "together_ai/x"),
]


@pytest.mark.parametrize(("variable", "model"), ELSEWHERE)
def test_a_variable_that_leads_elsewhere_is_refused_by_name(
    variable: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://elsewhere.example/v1")
    with pytest.raises(ConfigurationError, match=f"{variable}.*base_url"):
        LiteLLMRemote(make_spec(wire="litellm", model=model))
    LiteLLMRemote(make_spec(wire="litellm", model=model), options=LiteLLMOptions(api_base="https://vendor.example"))


def test_another_vendors_variable_keeps_nobody_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_BASE", "https://elsewhere.example/v1")
    monkeypatch.setenv("MY_SHOP_BASE_URL", "https://shop.example")
    LiteLLMRemote(make_spec(wire="litellm", model="anthropic/claude-x"))


@pytest.mark.parametrize("option", ["base_url", "api_base"])
def test_an_address_among_the_options_is_refused(option: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        LiteLLMRemote(make_spec(model="openai/x"), options=LiteLLMOptions(extra={option: "http://elsewhere.example"}))


async def test_what_the_environment_says_of_addresses_does_not_reach_litellm(
    capture: CaptureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is set after the start: what counts is what goes over the wire."""
    made = LiteLLMRemote(make_spec(wire="litellm", model="openai/gpt-x"), api_key="sk-planted")
    for variable in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "GROQ_API_BASE"):
        monkeypatch.setenv(variable, capture.base_url)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # nothing really goes out from here
    with pytest.raises(BackendUnreachable):
        await answer_of(made, stream=False)
    assert capture.received == b""


async def test_plain_http_beyond_this_host_is_not_spoken(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make("openai")
    made._options = LiteLLMOptions(api_base="http://192.0.2.1/v1", connect_timeout_s=100)  # past the checks
    with anyio.fail_after(PATIENCE_S), pytest.raises(BackendUnreachable):
        await answer_of(made)

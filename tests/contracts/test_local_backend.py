"""What every `LocalBackend` promises, over each of them."""

from __future__ import annotations

import pytest

from gateway.backends.canned import CannedLocal
from gateway.core.ports import LocalBackend
from gateway.core.types import Zone
from tests.support.remote import decide_for, finishes, local_answer_of, make_request, make_spec, text_of, usage_told

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["canned"])
def backend(request: pytest.FixtureRequest) -> LocalBackend:
    return CannedLocal(make_spec("local", Zone.LOCAL, wire=request.param, model="smollm2-135m-instruct"))


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_an_answer_keeps_every_promise_of_a_chunk(backend: LocalBackend, stream: bool) -> None:
    chunks = await local_answer_of(backend, stream=stream)
    assert text_of(chunks)
    assert set(finishes(chunks)) == {0}
    assert len(finishes(chunks)[0]) == 1
    usage = usage_told(chunks)
    assert usage is not None
    assert min(usage.prompt_tokens, usage.completion_tokens) > 0
    for chunk in chunks:
        assert "role" not in chunk.delta
        assert chunk.usage is None or (chunk.finish is None and not chunk.delta)


async def test_the_answers_limit_is_honoured(backend: LocalBackend) -> None:
    chunks = await local_answer_of(backend, max_tokens=3)
    assert finishes(chunks) == {0: ["length"]}
    assert usage_told(chunks).completion_tokens == 3  # type: ignore[union-attr]


async def test_several_choices_are_honoured(backend: LocalBackend) -> None:
    chunks = await local_answer_of(backend, n=2, max_tokens=3)
    assert set(finishes(chunks)) == {0, 1}
    assert all(len(told) == 1 for told in finishes(chunks).values())


async def test_an_answer_may_be_left_after_its_first_piece(backend: LocalBackend) -> None:
    answer = backend.stream(make_request(), decide_for(backend.spec))
    assert await anext(answer)
    await answer.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(answer)

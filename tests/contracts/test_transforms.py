"""What every `Transform` promises, over each of them."""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import EgressDenied
from gateway.core.ports import Detector, Transform
from gateway.core.types import TRANSFORMS, Assessment, BackendSpec, Chunk, Decision, Pieces, Request, Unreadable, Zone
from gateway.detect.scanner import Scanner
from gateway.transform import Pseudonymise, Rewrite, Strip
from tests.support.remote import make_request

pytestmark = pytest.mark.anyio

EMAIL = "anna.verdi@posta-aziendale.it"


class Local:
    """Rewrites everything into one harmless question."""

    spec = BackendSpec("local", Zone.LOCAL, "canned", "tiny")
    honours = frozenset({"messages"})

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        yield [Chunk(0, {"content": "How does one write a letter?"})]
        yield [Chunk(0, {}, "stop")]


@pytest.fixture(scope="module")
def detector(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=5000)


@pytest.fixture(params=TRANSFORMS)
def transform(request: pytest.FixtureRequest, detector: Scanner) -> Transform:
    made: dict[str, Transform] = {
        "pseudonymise": Pseudonymise(detector, b"k" * 32),
        "strip": Strip(detector),
        "rewrite": Rewrite(Local(), detector),
    }
    return made[request.param]


async def assessed(detector: Detector, request: Request) -> Assessment:
    scan = await detector.scan(request.body)
    return Assessment(scan.findings, scan.unreadable)


def asked() -> Request:
    return make_request(messages=[{"role": "user", "content": f"Write to {EMAIL}"}])


async def test_what_leaves_holds_no_value_and_the_request_is_as_it_was(transform: Transform, detector: Scanner) -> None:
    request = asked()
    before = copy.deepcopy(request.body)
    done = await transform.apply(request, await assessed(detector, request), {})
    assert EMAIL not in str(done.request.body)
    assert not (await detector.scan(done.request.body)).findings
    assert request.body == before
    assert done.replaced == 1
    assert (done.request.id, done.request.principal, done.request.stream) == ("r1", request.principal, request.stream)


async def test_the_same_request_gives_the_same_text_again(transform: Transform, detector: Scanner) -> None:
    request = asked()
    assessment = await assessed(detector, request)
    one, two = [await transform.apply(request, assessment, {}) for _ in range(2)]
    assert one.request.body == two.request.body


async def test_what_nobody_could_read_is_not_changed_but_kept(transform: Transform) -> None:
    assessment = Assessment((), (Unreadable("$.messages[0].content[1]", "image"),))
    with pytest.raises(EgressDenied):
        await transform.apply(asked(), assessment, {})


async def test_an_answer_comes_back_with_one_finish_and_tells_what_was_not_restored(
    transform: Transform, detector: Scanner
) -> None:
    async def answer() -> Any:
        yield [Chunk(0, {"content": "Dear "})]
        yield [Chunk(0, {"content": "Anna"}), Chunk(0, {}, "stop")]

    request = asked()
    done = await transform.apply(request, await assessed(detector, request), {})
    chunks = [chunk async for pieces in done.restore(answer()) for chunk in pieces]
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
    assert "".join(chunk.delta.get("content", "") for chunk in chunks)
    assert done.restore.unrestored == 0


async def test_closing_the_way_back_closes_the_answer(transform: Transform, detector: Scanner) -> None:
    closed = False

    async def answer() -> Any:
        nonlocal closed
        try:
            yield [Chunk(0, {"content": "Dear "})]
            yield [Chunk(0, {"content": "Anna"}, "stop")]
        finally:
            closed = True

    request = asked()
    done = await transform.apply(request, await assessed(detector, request), {})
    back = done.restore(answer())
    await anext(back)
    await back.aclose()
    assert closed

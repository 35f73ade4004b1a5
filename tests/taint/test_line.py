"""Down the whole line: what was private comes back to stay, whoever quotes it, and nobody else is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.types import Chunk, Principal, Request, Usage, Zone
from gateway.pipeline import Pipeline
from gateway.taint import open_taints
from tests.support.line import IBAN, Line, Lines, ScriptedLocal, asking, text_of
from tests.support.tainting import ANSWER, in_pieces

pytestmark = pytest.mark.anyio


@pytest.fixture
def line(tmp_path: Path) -> Line:
    script = [*([chunk] for chunk in in_pieces(ANSWER)), [Chunk(usage=Usage(7, 90))]]
    made = Lines(tmp_path)(local=ScriptedLocal(script), cached=False)
    taints = open_taints(None, secret=b"a secret of thirty-two bytes ....")
    made.pipeline = Pipeline(replace(made.pipeline._parts, taints=taints))
    return made


async def zone_of(line: Line, request: Request) -> Zone:
    reply, _ = await line.ask(request)
    return reply.way.zone


async def test_an_answer_made_here_is_kept_here_when_it_comes_back(line: Line) -> None:
    quoting = f"Find a title for this chat.\nuser: …\nassistant: {ANSWER}"
    assert await zone_of(line, asking(quoting)) is Zone.REMOTE
    reply, chunks = await line.ask(asking(f"My account is {IBAN}: what do they write?"))
    assert (reply.way.zone, text_of(chunks)) == (Zone.LOCAL, ANSWER)
    assert await zone_of(line, asking(quoting)) is Zone.LOCAL
    assert line.outcome.kinds == ("iban",)
    assert await zone_of(line, replace(asking(quoting), principal=Principal(subject="somebody-else"))) is Zone.REMOTE


async def test_a_client_that_leaves_early_does_not_take_it_out(line: Line) -> None:
    async with line.pipeline.handle(asking(f"My account is {IBAN}")) as reply:
        read = ""
        async for pieces in reply.pieces:
            read += text_of(pieces)
            if len(read) > 150:
                break
    assert await zone_of(line, asking(f"Go on: {read}")) is Zone.LOCAL

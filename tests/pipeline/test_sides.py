"""Which turns put a conversation on a side: those that somebody answered, and no others."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from gateway.core.errors import BackendBroke, GatewayError
from gateway.core.types import Request
from gateway.score.sticky import Sides, StayingTraffic
from tests.support.line import IBAN, POLICY, Line, Lines, ScriptedLocal, ScriptedRemote, asking

pytestmark = pytest.mark.anyio

BROKE = BackendBroke("it broke", status=500)


@pytest.fixture
def sides() -> Sides:
    return Sides()


@pytest.fixture
def lines(tmp_path: Path, sides: Sides) -> Lines:
    return Lines(tmp_path, traffic=StayingTraffic(sides))


def later(request: Request) -> Request:
    """The next turn of its conversation."""
    turns = [*request.messages, {"role": "assistant", "content": "Well."}, {"role": "user", "content": "and then?"}]
    return Request("r9", request.principal, "auto", {"messages": turns})


async def ask(line: Line, request: Request) -> None:
    with suppress(GatewayError):
        await line.ask(request)


@pytest.mark.parametrize(
    ("text", "out"), [("What is hard?", True), (f"{IBAN}, what is that?", False)], ids=["outside", "here"]
)
async def test_a_turn_that_was_answered_does(lines: Lines, sides: Sides, text: str, out: bool) -> None:
    await ask(lines(), asking(text))
    assert sides.went_out(later(asking(text))) is out


async def test_one_that_fell_back_is_where_it_was_answered(lines: Lines, sides: Sides) -> None:
    await ask(lines(ScriptedRemote("large", [BROKE])), asking())
    assert sides.went_out(later(asking())) is False


async def test_one_that_was_refused_is_nowhere(lines: Lines, sides: Sides) -> None:
    line = lines(policy=POLICY + "unmet_wish: refuse\n")
    await ask(line, asking(IBAN, model="large"))
    assert (line.outcome.outcome, sides.went_out(later(asking(IBAN)))) == ("refused", None)


async def test_one_that_failed_is_nowhere(lines: Lines, sides: Sides) -> None:
    line = lines(ScriptedRemote("large", [BROKE]), local=ScriptedLocal([BROKE]))
    await ask(line, asking())
    assert (line.outcome.outcome, sides.went_out(later(asking()))) == ("error", None)


async def test_one_out_of_the_cache_leaves_its_conversation_where_it_was(lines: Lines, sides: Sides) -> None:
    line = lines()
    await ask(line, asking(id="r1"))
    assert sides.went_out(later(asking())) is True
    await ask(line, asking(id="r2"))
    assert (line.outcome.outcome, sides.went_out(later(asking()))) == ("cached", True)

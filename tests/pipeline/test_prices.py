"""What an answer cost stands in its outcome, whoever answered and however it ended."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import anyio
import pytest

from gateway.core.errors import BackendBroke, BackendRejected, LocalUnavailable
from gateway.core.types import Chunk, Usage
from gateway.prices import Price, PriceTable, rates
from tests.support.line import ANSWER, IBAN, Line, Lines, ScriptedLocal, ScriptedRemote, asking

pytestmark = pytest.mark.anyio
PRICES = PriceTable({"large": Price(rates(Decimal(2), Decimal(8), Decimal("0.5")))}, "large")


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path, prices=PRICES)


def cost(line: Line) -> tuple[float | None, float | None]:
    return line.outcome.cost_usd, line.outcome.all_remote_usd


async def test_an_answer_from_outside_costs_its_tokens(lines: Lines) -> None:
    line = lines()
    await line.ask(asking())
    assert cost(line) == ((7 * 2 + 2 * 8) / 1e6,) * 2
    (facts,) = [record.facts for record in line.audit.records if record.event == "outcome"]
    assert (facts["cost_usd"], facts["all_remote_usd"]) == cost(line)


async def test_an_answer_made_here_costs_nothing_and_says_what_it_would_have_cost_outside(lines: Lines) -> None:
    """Also where the model here still knew most of the prompt: a vendor would not have."""
    known = Usage(7, 2, {"prompt_tokens_details": {"cached_tokens": 6}})
    line = lines(local=ScriptedLocal([*ANSWER[:2], [Chunk(0, {}, "stop"), Chunk(usage=known)]]))
    await line.ask(asking(f"IBAN {IBAN}"))
    assert line.outcome.zone == "local"
    assert cost(line) == (0.0, (7 * 2 + 2 * 8) / 1e6)


async def test_what_the_vendor_still_knew_is_cheaper(lines: Lines) -> None:
    known = Usage(7, 2, {"prompt_tokens_details": {"cached_tokens": 6}})
    line = lines(ScriptedRemote("large", [*ANSWER[:2], [Chunk(0, {}, "stop"), Chunk(usage=known)]]))
    await line.ask(asking())
    assert cost(line) == ((1 * 2 + 6 * 0.5 + 2 * 8) / 1e6,) * 2


async def test_a_cached_answer_costs_nothing_again(lines: Lines) -> None:
    line = lines()
    await line.ask(asking())
    await line.ask(asking(id="r2"))
    assert line.outcome.outcome == "cached"
    assert cost(line) == (0.0, (7 * 2 + 2 * 8) / 1e6)


async def test_the_backend_that_answered_in_the_end_is_the_one_that_is_paid(lines: Lines) -> None:
    line = lines(ScriptedRemote("other", [BackendBroke("it broke")]), ScriptedRemote("large"))
    await line.ask(asking())
    assert (line.outcome.backend, line.outcome.cost_usd) == ("large", (7 * 2 + 2 * 8) / 1e6)


async def test_an_unknown_price_is_no_number(lines: Lines) -> None:
    line = lines(ScriptedRemote("nobody-knows"))
    await line.ask(asking())
    assert cost(line) == (None, (7 * 2 + 2 * 8) / 1e6)


async def test_a_client_that_leaves_is_reckoned_by_what_had_come(lines: Lines) -> None:
    pause = anyio.Event()
    line = lines(ScriptedRemote(pause=pause))
    async with line.pipeline.handle(asking()) as reply:
        await anext(reply.pieces)
    assert line.outcome.outcome == "client_closed"
    assert line.outcome.cost_usd == (12 * 2 + 1 * 8) / 1e6  # the scorer's estimate, and three letters


async def test_what_was_not_answered_has_no_price(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", [BackendRejected("no", status=400)]))
    with pytest.raises(BackendRejected):
        await line.ask(asking())
    assert cost(line) == (None, None)
    with pytest.raises(LocalUnavailable):
        await (line := lines(off=True)).ask(asking(f"IBAN {IBAN}"))
    assert cost(line) == (None, None)


async def test_a_price_list_that_breaks_costs_the_outcome_nothing(tmp_path: Path) -> None:
    class Broken(PriceTable):
        def all_remote(self, usage: Usage) -> float | None:
            raise ZeroDivisionError

    line = Lines(tmp_path, prices=Broken({}))()
    await line.ask(asking())
    assert (line.outcome.outcome, cost(line)) == ("ok", (None, None))

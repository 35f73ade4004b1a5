"""A shadow is asked after the client has its answer, through the same door, and it reaches nobody but the ledger."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import anyio
import pytest

from gateway.core.errors import BackendBroke
from gateway.core.types import Chunk, Principal, Sensitivity, Usage, Zone
from gateway.policy.load import load_policy
from gateway.prices import Price, PriceTable, rates
from tests.shadow.conftest import EASY, FailingAudit, Shading, measuring, public
from tests.support.line import (
    ANSWER,
    IBAN,
    POLICY,
    FixedScorer,
    ScriptedLocal,
    ScriptedRemote,
    WordDetector,
    asking,
    text_of,
)
from tests.support.still import still
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

NEVER = "name: never\n"
LAX = """
name: lax
permit: [{name: all, zone: remote, when: {sensitivity: {at_most: restricted}, complexity: {at_least: 0.5}}}]
"""
REWRITTEN = """
name: rewritten
permit:
  - {name: all, zone: remote, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.5}}, with: rewrite}
"""
ONLY_ON_REQUEST = """
name: named
permit: [{name: named, zone: remote, when: {sensitivity: {at_most: internal}, named: true}}]
"""


async def test_a_public_answer_made_here_is_compared_with_one_from_outside(shading: Shading) -> None:
    async with shading() as shaded:
        reply, chunks = await shaded.ask(public())
        assert (reply.way.zone, text_of(chunks)) == (Zone.LOCAL, "Hello.")
        assert await shaded.result() == "measured"
        assert shaded.events() == ["decided", "attempt", "outcome"]
        (row,) = shaded.rows
        assert (row.agreement, row.local, row.backend, row.gain) == (1.0, "small", "large", 0.2)
        assert row.tenant == "DEFAULT", "by its pseudonym"
        assert row.usd == (7 * 2 + 2 * 8) / 1e6
        (outcome,) = shaded.line.watcher.outcomes
        assert outcome.request_id == "r1", "a shadow is nobody's request"


async def test_what_goes_out_was_released_for_this_very_attempt_under_its_own_id(shading: Shading) -> None:
    async with shading() as shaded:
        await shaded.ask(public(stream=True, temperature=0.5))
        await shaded.result()
        (released,) = shaded.outside.sent
        assert (released.request_id, released.stream, released.backend.name) == ("r1-shadow", False, "large")
        decided, attempt, _ = (each for each in shaded.line.audit.records if each.request_id == "r1-shadow")
        assert released.sequence > 0
        assert attempt.facts["number"] == 1
        assert (decided.facts["shadow_of"], decided.facts["shadow_to"], decided.facts["gain"]) == ("r1", "large", 1.0)
        assert [way[0] for way in decided.facts["decision"]["allowed"]] == ["large"]


async def test_the_reply_is_complete_before_anything_leaves(shading: Shading) -> None:
    pause = anyio.Event()
    async with shading(ScriptedRemote(pause=pause)) as shaded:
        _, chunks = await shaded.ask(public())
        assert (text_of(chunks), shaded.outside.calls) == ("Hello.", 0)
        _, chunks = await shaded.ask(public("And again.", id="r2"))  # while the first shadow hangs
        assert text_of(chunks) == "Hello."
        pause.set()
        assert [await shaded.result(1), await shaded.result(2)] == ["measured", "measured"]


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(asking(EASY), id="internal, because nobody declared it public"),
        pytest.param(public(f"IBAN {IBAN}"), id="confidential"),
        pytest.param(public(at_least=Sensitivity.INTERNAL), id="raised by the client"),
        pytest.param(public(at_least=Sensitivity.UNKNOWN), id="unknown"),
        pytest.param(public(local_only=True), id="the client asked for a local answer"),
        pytest.param(public(model="large"), id="the client named a model"),
        pytest.param(public(n=2), id="two answers at once"),
    ],
)
async def test_what_may_not_be_measured_is_not(shading: Shading, request_: Any) -> None:
    async with shading() as shaded:
        if request_.model == "large":
            shaded.line.remotes["large"]._scripts = ([BackendBroke("x")],)  # so that it is answered here after all
        await shaded.ask(request_)
        await shaded.nothing()


@pytest.mark.parametrize("confidential", [False, True])
async def test_nothing_confidential_is_ever_asked_whatever_the_policy_permits(
    shading: Shading, confidential: bool
) -> None:
    async with shading(policy=LAX) as shaded:
        await shaded.ask(public(f"IBAN {IBAN}" if confidential else EASY))
        if confidential:
            await shaded.nothing()
            assert shaded.outside.calls == 0
        else:
            assert await shaded.result() == "measured"


@pytest.mark.parametrize(
    "policy",
    [NEVER, ONLY_ON_REQUEST, REWRITTEN],
    ids=["nothing may leave", "only what is asked for by name", "only what is rewritten, and answered here, may"],
)
async def test_what_the_policy_would_not_let_out_were_it_hard_is_not_asked(shading: Shading, policy: str) -> None:
    async with shading(policy=policy) as shaded:
        await shaded.ask(public())
        assert await shaded.result() == "not_permitted"
        assert (shaded.outside.calls, shaded.events(), shaded.rows) == (0, [], [])


@pytest.mark.parametrize(
    "then",
    [measuring(NEVER), POLICY, measuring(POLICY, "share: 1.0, to: other"), measuring(POLICY, "share: 1, to: lrage")],
    ids=["nothing may leave any more", "nothing is measured any more", "somebody else is asked", "nobody is asked"],
)
async def test_a_policy_that_comes_while_a_shadow_waits_is_the_one_that_counts(shading: Shading, then: str) -> None:
    async with shading(pause_s=0.05) as shaded:
        await shaded.ask(public())
        policies: Any = shaded.line.parts.policies
        file = shaded.path.with_name("never.yaml")
        file.write_text(then)
        policies._policy = load_policy(file, [shaded.line.local.spec, shaded.outside.spec])  # type: ignore[union-attr]
        assert await shaded.result() == "not_permitted"
        assert shaded.outside.calls == 0


@pytest.mark.parametrize(
    "measured",
    ["", "share: 1.0, to: lrage", "share: 1.0, to: stage"],
    ids=["the policy says nothing", "a backend that is none", "a stand-in"],
)
async def test_where_nobody_can_be_asked_nothing_is_measured(shading: Shading, measured: str) -> None:
    stage = ScriptedRemote("stage")
    stage.spec = replace(stage.spec, wire="canned")
    async with shading(ScriptedRemote(), stage, measured=measured) as shaded:
        await shaded.ask(public())
        await shaded.nothing()


async def test_each_policy_says_who_is_asked(shading: Shading) -> None:
    async with shading(ScriptedRemote(), ScriptedRemote("other"), measured="share: 1.0, to: other") as shaded:
        await shaded.ask(public())
        assert await shaded.result() == "over_budget", "its price is not known"
    prices = PriceTable({"other": Price(rates(Decimal(1), Decimal(1)))}, "other")
    async with shading(
        ScriptedRemote(), ScriptedRemote("other"), measured="share: 1.0, to: other", parts={"prices": prices}
    ) as shaded:
        await shaded.ask(public(id="r2"))
        assert await shaded.result() == "measured"
        assert [shaded.line.remotes[name].calls for name in ("large", "other")] == [0, 1]
        assert (shaded.rows[0].backend, shaded.rows[0].backend_digest) == ("other", "digest-other")


async def test_the_lower_of_the_policys_budget_and_the_settings_ceiling_counts(shading: Shading) -> None:
    dearest = (12 * 2 + 1024 * 8) / 1e6
    for ceiling, own, result in (
        (1.0, dearest / 2, "over_budget"),
        (dearest / 2, 1.0, "over_budget"),
        (dearest, dearest, "measured"),
    ):
        async with shading(
            budget_usd_per_day=ceiling, measured=f"share: 1.0, to: large, usd_per_day: {own}", cached=False
        ) as shaded:
            await shaded.ask(public())
            assert await shaded.result() == result


async def test_an_answer_that_came_from_outside_or_from_the_cache_is_not_compared(shading: Shading) -> None:
    async with shading(scorer=FixedScorer(0.9)) as shaded:
        reply, _ = await shaded.ask(public())
        assert reply.way.zone is Zone.REMOTE
        await shaded.nothing()
    async with shading() as shaded:
        await shaded.ask(public())
        await shaded.ask(public(id="r2"))
        assert await shaded.result() == "measured"
        assert shaded.line.outcome.outcome == "cached"
        await anyio.sleep(0.05)
        assert len(shaded.results) == 1


async def test_a_failed_way_out_is_not_tried_again_by_a_shadow(shading: Shading) -> None:
    """The request was let out and its backend broke: here it was answered for want of another."""
    async with shading(ScriptedRemote("large", [BackendBroke("x")]), scorer=FixedScorer(0.9)) as shaded:
        reply, _ = await shaded.ask(public())
        assert (reply.decision.zone, reply.way.zone) == (Zone.REMOTE, Zone.LOCAL)
        await shaded.nothing()


async def test_a_client_that_left_has_no_shadow(shading: Shading) -> None:
    async with shading() as shaded:
        async with shaded.pipeline.handle(public()) as reply:
            await anext(reply.pieces)
        assert shaded.line.outcome.outcome == "client_closed"
        await shaded.nothing()


async def test_a_detector_that_fails_means_that_nothing_is_asked(shading: Shading) -> None:
    """Its second look is the shadow's own, its third the one at the door."""
    for broken, result in ((2, "refused"), (3, "refused")):
        async with shading(detector=WordDetector(breaks=frozenset({broken}))) as shaded:
            await shaded.ask(public())
            assert await shaded.result() == result
            assert (shaded.outside.calls, shaded.rows) == (0, [])


async def test_what_a_careless_wire_adds_is_seen_at_the_door(shading: Shading) -> None:
    async with shading(ScriptedRemote(adds=IBAN)) as shaded:
        await shaded.ask(public())
        assert await shaded.result() == "refused"
        assert (shaded.outside.sent, "attempt" in shaded.events()) == ([], False)


async def test_without_a_record_nothing_is_asked_and_the_client_has_its_answer(shading: Shading) -> None:
    async with shading(audit=FailingAudit()) as shaded:
        _, chunks = await shaded.ask(public())
        assert text_of(chunks) == "Hello."
        assert await shaded.result() == "failed"
        assert (shaded.outside.sent, shaded.rows) == ([], [])


async def test_the_days_budget_ends_it_and_a_restart_does_not_give_it_back(shading: Shading) -> None:
    dearest = (12 * 2 + 1024 * 8) / 1e6  # the scorer's twelve tokens and the longest answer
    cost = (7 * 2 + 2 * 8) / 1e6
    async with shading(budget_usd_per_day=dearest + cost / 2, cached=False) as shaded:
        await shaded.ask(public())
        assert await shaded.result() == "measured"
        await shaded.ask(public(id="r2"))
        assert await shaded.result(2) == "over_budget"
    async with shading(budget_usd_per_day=dearest + cost / 2) as again:
        await again.ask(public())
        assert await again.result() == "over_budget"
        assert again.outside.calls == 0


async def test_a_client_that_wants_a_short_answer_is_measured_on_a_short_one(shading: Shading) -> None:
    async with shading(budget_usd_per_day=(12 * 2 + 20 * 8) / 1e6) as shaded:
        await shaded.ask(public(max_tokens=20))
        assert await shaded.result() == "measured"
    async with shading(budget_usd_per_day=(12 * 2 + 20 * 8) / 1e6) as shaded:
        await shaded.ask(public("Another.", id="r3"))
        assert await shaded.result() == "over_budget"


async def test_an_unknown_price_cannot_keep_a_budget(shading: Shading) -> None:
    async with shading(parts={"prices": PriceTable({})}) as shaded:
        await shaded.ask(public())
        assert await shaded.result() == "over_budget"
        assert shaded.outside.calls == 0


async def test_a_backend_that_breaks_off_is_paid_and_measures_nothing(shading: Shading) -> None:
    async with shading(ScriptedRemote("large", [ANSWER[0], BackendBroke("x")])) as shaded:
        await shaded.ask(public())
        assert await shaded.result() == "failed"
        (row,) = shaded.rows
        assert (row.agreement, row.usd > 0) == (None, True)
        assert [each[0] for each in shaded.line.watcher.failures] == ["large"]


async def test_more_answers_than_can_wait_are_not_measured(shading: Shading) -> None:
    async with shading(pause_s=30) as shaded:
        for number in range(12):
            await shaded.ask(public(f"Say {number}.", id=f"r{number}"))
        assert {result for result, _ in shaded.results} == {"dropped"}
        assert 2 <= len(shaded.results) <= 4


async def test_it_stops_with_the_gateway_in_the_middle_of_an_answer(shading: Shading) -> None:
    async with shading(ScriptedRemote(pause=anyio.Event())) as shaded:
        await shaded.ask(public())
        with anyio.fail_after(PATIENCE_S):
            while not shaded.outside.calls:
                await anyio.sleep(0.005)
    assert shaded.outside.closed == 1
    assert shaded.events() == ["decided", "attempt", "outcome"]


@still
async def test_a_share_of_answers_is_a_share_and_always_the_same_ones(shading: Shading) -> None:
    chosen: list[set[str]] = []
    for _ in range(2):
        async with shading(measured="share: 0.3, to: large", cached=False, policy=NEVER) as shaded:
            for number in range(100):
                await shaded.ask(public(id=f"r{number}"))
            await anyio.sleep(0.05)
            chosen.append({call.kwargs["request_id"] for call in shaded.log.calls})
    assert chosen[0] == chosen[1]
    assert 15 < len(chosen[0]) < 45


async def test_nothing_of_what_was_said_is_in_ledger_log_records_or_reprs(shading: Shading) -> None:
    asked, here, outside = "zebra-question", "zebra-here", "zebra-outside"
    remote = ScriptedRemote("large", [[Chunk(0, {"content": outside}, "stop"), Chunk(usage=Usage(7, 2))]])
    local = ScriptedLocal([[Chunk(0, {"content": here}, "stop"), Chunk(usage=Usage(7, 2))]])
    async with shading(remote, local=local) as shaded:
        await shaded.ask(replace(public(asked), principal=Principal(subject="zebra-subject", public=True)))
        assert await shaded.result() == "measured"
        assert "zebra" not in shaded.path.read_text()
        assert "zebra" not in repr(shaded.log.calls)
        told = [(each.event, each.facts) for each in shaded.line.audit.records]
        assert "zebra" not in repr(told)
        assert "zebra" not in repr(shaded.results)
        assert shaded.rows[0].agreement is not None

"""One request down the line: what is recorded in which order, what is cached, what is counted."""

from __future__ import annotations

import anyio
import pytest

from gateway.core.errors import BackendBroke, LocalModelUnfit
from gateway.core.types import Chunk, Decision, Score, Usage
from gateway.transform import Pseudonymise
from tests.support.line import IBAN, Lines, ScriptedLocal, ScriptedRemote, WordDetector, asking, text_of
from tests.support.still import still

pytestmark = pytest.mark.anyio


async def test_what_leaves_is_decided_then_attempted_then_ended_in_the_log(lines: Lines) -> None:
    line = lines()
    reply, chunks = await line.ask(asking())
    assert text_of(chunks) == "Hello."
    assert (reply.way.backend, reply.cache) == ("large", "miss")
    assert line.audit.events("r1") == ["decided", "attempt", "outcome"]
    _, attempt, outcome = line.audit.records
    assert attempt.facts["number"] == 1
    assert attempt.facts["backend_digest"] == "digest-large"
    assert outcome.facts["outcome"] == "ok"
    assert (outcome.facts["prompt_tokens"], outcome.facts["completion_tokens"]) == (7, 2)


async def test_the_permit_that_goes_out_carries_the_number_of_its_own_attempt(lines: Lines) -> None:
    line = lines()
    await line.ask(asking())
    assert [released.sequence for released in line.remotes["large"].sent] == [2]
    assert line.audit.records[1].event == "attempt"


async def test_a_private_request_is_answered_here_and_no_attempt_is_recorded(lines: Lines) -> None:
    line = lines()
    reply, _ = await line.ask(asking(f"my IBAN is {IBAN}"))
    assert reply.way.backend == "local"
    assert line.audit.events("r1") == ["decided", "outcome"]
    assert line.remotes["large"].sent == []
    assert line.outcome.kinds == ("iban",)
    assert line.outcome.attempts == 0


async def test_attempts_are_numbered_from_one_in_their_order(lines: Lines) -> None:
    first = ScriptedRemote("large", [BackendBroke("it broke", status=500)])
    line = lines(first, ScriptedRemote("other"))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "other"
    attempts = [record.facts for record in line.audit.records if record.event == "attempt"]
    assert [(each["number"], each["backend"]) for each in attempts] == [(1, "large"), (2, "other")]
    assert line.outcome.attempts == 2
    assert line.outcome.tried == (("large", "upstream_broke"), ("other", "answered"))
    assert reply.decision.notice == "other answered instead of large (large: upstream_broke)"
    assert line.watcher.failures == [("large", "BackendBroke")]


async def test_what_a_failed_attempt_replaced_is_not_told_of_the_answer_that_came_instead(lines: Lines) -> None:
    detector = WordDetector()
    policy = """
name: masked
permit:
  - {name: hard, zone: remote, when: {sensitivity: {at_most: confidential}}, with: pseudonymise}
"""
    transforms = {"pseudonymise": Pseudonymise(detector, b"k")}
    broken = ScriptedRemote("large", [BackendBroke("it broke")])
    line = lines(broken, policy=policy, detector=detector, transforms=transforms)
    reply, _ = await line.ask(asking(f"IBAN {IBAN}"))
    assert IBAN not in str(broken.sent[0].outgoing.payload)
    assert (reply.way.backend, reply.replaced) == ("local", 0)
    assert (line.outcome.replaced, line.outcome.unrestored) == (0, 0)


async def test_the_edge_is_told_the_decision_before_any_backend_is_asked(lines: Lines) -> None:
    line = lines()
    told: list[tuple[Decision, int]] = []
    calls = line.remotes["large"]
    async with line.pipeline.handle(asking(), lambda decision: told.append((decision, calls.calls))):
        pass
    assert [(decision.rule, asked) for decision, asked in told] == [("hard", 0)]


async def test_a_refusal_is_recorded_and_raised_and_nobody_is_asked(lines: Lines) -> None:
    line = lines(scorer=_Italian())
    with pytest.raises(LocalModelUnfit):
        await line.ask(asking(f"il mio IBAN è {IBAN}"))
    assert line.audit.events("r1") == ["decided", "outcome"]
    assert line.audit.records[0].facts["decision"]["refusal"] == "local_model_unfit"
    assert (line.outcome.outcome, line.outcome.error) == ("refused", "LocalModelUnfit")
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.calls == 0


async def test_fields_that_stay_behind_are_named(lines: Lines) -> None:
    line = lines()
    reply, _ = await line.ask(asking(temperature=0.1, metadata={"team": "a"}))
    assert reply.dropped == ("metadata", "temperature")
    private, _ = await line.ask(asking(IBAN, temperature=0.1, max_tokens=5, id="r2"))
    assert private.dropped == ("temperature",)


# ── Usage ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_usage_is_counted_here_when_the_upstream_sends_none(lines: Lines) -> None:
    silent = ScriptedRemote("large", [[Chunk(0, {"content": "123456789"})], [Chunk(0, {}, "stop")]])
    line = lines(silent)
    _, chunks = await line.ask(asking())
    assert chunks[-1].usage == Usage(12, 3)  # the scorer's estimate; nine characters
    assert (line.outcome.prompt_tokens, line.outcome.completion_tokens) == (12, 3)


async def test_usage_of_the_upstream_is_passed_on_once(lines: Lines) -> None:
    _, chunks = await lines().ask(asking())
    assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(7, 2)]


# ── Cache ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_cached_answer_is_the_same_answer_decided_anew_and_sent_nowhere(lines: Lines) -> None:
    line = lines()
    _, fresh = await line.ask(asking())
    reply, cached = await line.ask(asking(id="r2"))
    assert reply.cache == "hit"
    assert (text_of(cached), cached[-1].usage) == (text_of(fresh), fresh[-1].usage)
    assert line.audit.events("r2") == ["decided", "kept", "outcome"]
    assert (line.outcome.outcome, line.outcome.cache, line.outcome.attempts) == ("cached", "hit", 0)
    assert line.remotes["large"].calls == 1


@pytest.mark.parametrize(
    ("second", "hit"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"stream": True}, True, id="streamed"),
        pytest.param({"user": "u2"}, True, id="another end user"),
        pytest.param({"temperature": 0.5}, False, id="another temperature"),
        pytest.param({"tenant": "other"}, False, id="another tenant"),
        pytest.param({"text": "Prove something else."}, False, id="another text"),
        pytest.param({"use_cache": False}, False, id="the client asked for a fresh one"),
        pytest.param({"unknown_field": 1}, False, id="a field that nobody has heard of"),
    ],
)
async def test_only_an_equal_question_gets_the_stored_answer(
    lines: Lines, second: dict[str, object], hit: bool
) -> None:
    line = lines()
    await line.ask(asking())
    reply, _ = await line.ask(asking(id="r2", **second))  # type: ignore[arg-type]
    assert (reply.cache == "hit") is hit
    assert line.remotes["large"].calls == (1 if hit else 2)


async def test_an_answer_asked_for_without_cache_is_not_stored_either(lines: Lines) -> None:
    line = lines()
    reply, _ = await line.ask(asking(use_cache=False))
    assert reply.cache == "off"
    reply, _ = await line.ask(asking(id="r2"))
    assert reply.cache == "miss"


async def test_a_rule_that_does_not_cache_leaves_nothing_behind(lines: Lines) -> None:
    policy = """
name: test
permit:
  - {name: hard, zone: remote, cache: false, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.5}}}
"""
    line = lines(policy=policy)
    for number in range(2):
        reply, _ = await line.ask(asking(id=f"r{number}"))
        assert reply.cache == "off"
    assert line.remotes["large"].calls == 2


async def test_another_backends_answer_is_not_stored_under_the_first_ones_name(lines: Lines) -> None:
    broken = ScriptedRemote("large", [BackendBroke("it broke")])
    line = lines(broken, ScriptedRemote("other"))
    for number in range(2):
        reply, _ = await line.ask(asking(id=f"r{number}"))
        assert (reply.way.backend, reply.cache) == ("other", "miss")


@pytest.mark.parametrize("streamed", [False, True])
@still
async def test_identical_requests_in_flight_ask_the_upstream_once(lines: Lines, streamed: bool) -> None:
    line = lines()
    texts: list[str] = []

    async def ask(number: int) -> None:
        _, chunks = await line.ask(asking(id=f"r{number}", stream=streamed))
        texts.append(text_of(chunks))

    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(ask, number)
    assert texts == ["Hello."] * 5
    assert line.remotes["large"].calls == 1
    assert sorted(outcome.outcome for outcome in line.watcher.outcomes) == ["cached"] * 4 + ["ok"]
    assert [record.event for record in line.audit.records].count("decided") == 5


async def test_twins_of_a_request_that_another_backend_answers_do_not_wait_for_its_end(lines: Lines) -> None:
    end = anyio.Event()
    line = lines(ScriptedRemote("large", [BackendBroke("it broke")]), ScriptedRemote("other", pause=end))
    begun = 0

    async def ask(number: int) -> None:
        nonlocal begun
        async with line.pipeline.handle(asking(id=f"r{number}")) as reply:
            begun += 1
            if begun == 3:
                end.set()
            async for _ in reply.pieces:
                pass

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(ask, number)
    assert begun == 3


@still
async def test_when_the_first_of_two_twins_leaves_the_second_asks_for_itself(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", pause=anyio.Event()))

    async def leave_early() -> None:
        with anyio.move_on_after(0.05):
            await line.ask(asking(id="early"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(leave_early)
        await anyio.sleep(0.01)
        _, chunks = await line.ask(asking(id="late"))
    assert text_of(chunks) == "Hello."
    assert line.remotes["large"].calls == 2
    assert {outcome.request_id: outcome.outcome for outcome in line.watcher.outcomes} == {
        "early": "client_closed",
        "late": "ok",
    }


# ── Leaving early ───────────────────────────────────────────────────────────────────────────────────────────────────


@still
async def test_a_client_that_leaves_in_the_middle_is_recorded_and_its_backend_is_closed(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", pause=anyio.Event()))
    with anyio.move_on_after(0.05):
        await line.ask(asking())
    assert line.audit.events("r1") == ["decided", "attempt", "outcome"]
    assert line.outcome.outcome == "client_closed"
    assert line.remotes["large"].closed == 1


async def test_a_consumer_that_stops_reading_is_recorded_as_gone_and_nothing_is_cached(lines: Lines) -> None:
    line = lines()
    async with line.pipeline.handle(asking()) as reply:
        await anext(reply.pieces)
    assert line.outcome.outcome == "client_closed"
    assert line.remotes["large"].closed == 1
    again, _ = await line.ask(asking(id="r2"))
    assert again.cache == "miss"


async def test_an_error_of_the_consumer_is_recorded_by_its_class(lines: Lines) -> None:
    line = lines()
    with pytest.raises(ZeroDivisionError):
        async with line.pipeline.handle(asking()):
            raise ZeroDivisionError
    assert (line.outcome.outcome, line.outcome.error) == ("error", "ZeroDivisionError")


class _Italian:
    async def score(self, request: object) -> Score:
        return Score(gain=0.9, confidence=1.0, language="it", language_confidence=1.0)

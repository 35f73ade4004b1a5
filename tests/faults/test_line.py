"""Which way the line fails, one row of the table after the other, with parts that break inside this process."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from gateway.audit.memory import MemoryAudit
from gateway.core.errors import (
    AuditUnavailable,
    BackendBroke,
    BackendRejected,
    BackendTimeout,
    BackendUnreachable,
    DeadlineExceeded,
    EgressDenied,
    LocalUnavailable,
    QueueFull,
    UnsupportedContent,
)
from gateway.core.types import Chunk, Sensitivity, Zone
from gateway.detect import Scanner
from gateway.score.scorer import EnsembleScorer
from tests.support.line import (
    IBAN,
    POLICY,
    FixedScorer,
    Lines,
    ScriptedLocal,
    ScriptedRemote,
    Step,
    WordDetector,
    asking,
    text_of,
)
from tests.support.still import still

pytestmark = pytest.mark.anyio

UNRECORDED = POLICY + "without_record: local\n"
NO_FALLBACK = """
name: test
permit:
  - {name: hard, zone: remote, fallback: none, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.5}}}
"""
ONLY_LARGE = """
name: test
permit:
  - {name: hard, zone: remote, to: [large], when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.5}}}
"""
PRIVATE_TOO = """
name: test
permit:
  - {name: house, zone: private, when: {sensitivity: {at_most: unknown}, complexity: {at_least: 0.5}}}
"""


# ── A detector ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_detector_that_raises_makes_the_request_unknown_and_keeps_it_here(lines: Lines) -> None:
    line = lines(detector=WordDetector(breaks=frozenset({1})))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "local"
    assert line.remotes["large"].calls == 0
    assert line.outcome.level == str(Sensitivity.UNKNOWN)


async def test_a_detector_that_is_too_slow_makes_the_request_unknown_and_keeps_it_here(
    lines: Lines, packs: Path
) -> None:
    line = lines(detector=Scanner.load(cache_dir=packs, deadline_ms=0.000_1))
    reply, _ = await line.ask(asking("word " * 2000))
    assert reply.way.backend == "local"
    assert line.remotes["large"].calls == 0
    assert line.audit.records[0].facts["unreadable"][0]["reason"] == "deadline"


async def test_content_that_nobody_can_read_is_refused_where_no_backend_could_read_it_either(
    lines: Lines, scanner: Scanner
) -> None:
    line = lines(detector=scanner, scorer=EnsembleScorer())
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    with pytest.raises(UnsupportedContent):
        await line.ask(asking(messages=[{"role": "user", "content": [image]}]))
    assert line.remotes["large"].calls == 0


async def test_what_nobody_could_read_may_go_to_an_own_server_where_a_rule_says_so_and_no_further(lines: Lines) -> None:
    house = ScriptedRemote("house", zone=Zone.PRIVATE)
    line = lines(house, ScriptedRemote("large"), policy=PRIVATE_TOO, detector=WordDetector(breaks=frozenset({1})))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "house"
    assert [way.zone for way in reply.decision.allowed if way.zone is Zone.REMOTE] == []
    assert line.remotes["large"].calls == 0


async def test_a_detector_that_raises_at_the_door_keeps_the_request_here(lines: Lines) -> None:
    line = lines(detector=WordDetector(breaks=frozenset({2})))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "local"
    assert line.remotes["large"].calls == 0
    assert line.audit.events("r1") == ["decided", "kept", "outcome"]


# ── The door ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_wire_that_adds_what_nobody_weighed_sends_nothing(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", adds=f"by the way, {IBAN}"))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "local"
    assert line.remotes["large"].sent == []
    assert line.audit.events("r1") == ["decided", "kept", "outcome"]


async def test_a_wire_that_adds_what_nobody_weighed_is_an_error_where_nothing_else_may_answer(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", adds=IBAN), policy=NO_FALLBACK)
    with pytest.raises(EgressDenied):
        await line.ask(asking())
    assert line.remotes["large"].sent == []
    assert (line.outcome.outcome, line.outcome.error) == ("refused", "EgressDenied")


# ── The scorer ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scorer", [FixedScorer(breaks=True), FixedScorer(None)], ids=["raises", "does not know"])
async def test_a_request_that_cannot_be_scored_stays_here(lines: Lines, scorer: FixedScorer) -> None:
    line = lines(scorer=scorer)
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "local"
    assert line.remotes["large"].calls == 0


# ── The audit log ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_record_of_the_decision_nothing_leaves(lines: Lines) -> None:
    audit = MemoryAudit()
    audit.broken = True
    line = lines(audit=audit)
    with pytest.raises(AuditUnavailable):
        await line.ask(asking())
    assert line.remotes["large"].calls == 0


async def test_without_a_record_a_cached_answer_is_not_given_either(lines: Lines) -> None:
    audit = MemoryAudit()
    line = lines(audit=audit, cached=True)
    await line.ask(asking())
    audit.broken = True
    with pytest.raises(AuditUnavailable):
        await line.ask(asking(id="r2"))
    assert line.outcome.cache == "hit"


async def test_without_a_record_what_the_door_keeps_here_is_not_answered_either(lines: Lines) -> None:
    audit = MemoryAudit()
    audit.broken = True
    line = lines(ScriptedRemote("large", adds="IBAN " + IBAN), audit=audit)
    with pytest.raises(AuditUnavailable):
        await line.ask(asking())
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.calls == 0


async def test_without_a_record_of_the_attempt_nothing_leaves_and_nobody_else_is_asked(lines: Lines) -> None:
    line = lines(audit=MemoryAudit(fail_events={"attempt"}))
    with pytest.raises(AuditUnavailable):
        await line.ask(asking())
    assert line.remotes["large"].calls == 0
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.calls == 0
    assert line.outcome.attempts == 0


async def test_without_a_record_a_private_request_gets_no_answer_either(lines: Lines) -> None:
    line = lines(audit=MemoryAudit(fail_events={"decided"}))
    with pytest.raises(AuditUnavailable):
        await line.ask(asking(IBAN))


@pytest.mark.parametrize(
    ("event", "text"), [("decided", IBAN), ("attempt", "Prove it.")], ids=["what stays", "what would leave"]
)
async def test_without_a_record_the_local_model_answers_where_the_policy_lets_it(
    lines: Lines, event: str, text: str
) -> None:
    line = lines(audit=MemoryAudit(fail_events={event}), policy=UNRECORDED)
    reply, chunks = await line.ask(asking(text))
    assert (reply.way.backend, text_of(chunks)) == ("local", "Hello.")
    assert line.remotes["large"].calls == 0


async def test_an_outcome_that_cannot_be_recorded_does_not_take_the_answer_away(lines: Lines) -> None:
    line = lines(audit=MemoryAudit(fail_events={"outcome"}))
    _, chunks = await line.ask(asking())
    assert text_of(chunks) == "Hello."
    assert line.outcome.outcome == "ok"


# ── A remote backend ────────────────────────────────────────────────────────────────────────────────────────────────

EARLY: list[Exception] = [
    BackendUnreachable("cannot be reached"),
    BackendTimeout("silent"),
    BackendBroke("broke", status=503),
]
BEGUN: list[Step] = [[Chunk(0, {"content": "Hel"})], BackendBroke("broke")]


@pytest.mark.parametrize("error", EARLY, ids=lambda error: type(error).__name__)
async def test_before_the_first_piece_the_next_backend_of_the_decision_takes_over(
    lines: Lines, error: Exception
) -> None:
    line = lines(ScriptedRemote("large", [error]), ScriptedRemote("other"))
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, text_of(chunks)) == ("other", "Hello.")
    assert line.watcher.failures == [("large", type(error).__name__)]


async def test_when_all_of_them_fail_the_local_model_answers(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", [EARLY[0]]), ScriptedRemote("other", [EARLY[2]]))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "local"
    assert line.audit.events("r1") == ["decided", "attempt", "attempt", "outcome"]
    assert (line.outcome.zone, line.outcome.attempts) == ("local", 2)


async def test_where_the_rule_has_no_fallback_the_first_failure_is_told(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", [EARLY[1]]), ScriptedRemote("other", [EARLY[2]]), policy=NO_FALLBACK)
    with pytest.raises(BackendTimeout):
        await line.ask(asking())
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.calls == 0


async def test_a_backend_that_the_decision_does_not_name_is_never_asked(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", [EARLY[0]]), ScriptedRemote("other"), policy=ONLY_LARGE)
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "local"
    assert line.remotes["other"].calls == 0
    assert line.remotes["other"].sent == []


async def test_a_backend_that_rejects_the_request_ends_the_search(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", [BackendRejected("no", status=400)]), ScriptedRemote("other"))
    with pytest.raises(BackendRejected):
        await line.ask(asking())
    assert line.remotes["other"].calls == 0


async def test_an_answer_without_a_single_piece_counts_as_a_failure(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", []), ScriptedRemote("other"))
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "other"
    assert line.watcher.failures == [("large", "BackendBroke")]


async def test_after_the_first_piece_there_is_no_second_answer(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", BEGUN), ScriptedRemote("other"))
    with pytest.raises(BackendBroke):
        await line.ask(asking())
    assert line.remotes["other"].calls == 0
    assert (line.outcome.outcome, line.outcome.error, line.outcome.attempts) == ("error", "BackendBroke", 1)
    assert line.watcher.failures == [("large", "BackendBroke")]


async def test_half_an_answer_is_never_cached(lines: Lines) -> None:
    line = lines(ScriptedRemote("large", BEGUN, [[Chunk(0, {"content": "Hello."}, "stop")]]))
    with pytest.raises(BackendBroke):
        await line.ask(asking())
    reply, chunks = await line.ask(asking(id="r2"))
    assert (reply.cache, text_of(chunks)) == ("miss", "Hello.")


# ── The local engine ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("local", [None, ScriptedLocal([LocalUnavailable("dead")])], ids=["switched off", "dead"])
async def test_a_private_request_without_a_local_model_goes_nowhere(lines: Lines, local: ScriptedLocal | None) -> None:
    line = lines(local=local, off=local is None)
    with pytest.raises(LocalUnavailable) as raised:
        await line.ask(asking(IBAN))
    assert raised.value.retry_after_s is not None
    assert line.remotes["large"].calls == 0
    assert line.audit.events("r1") == ["decided", "outcome"]


async def test_a_local_model_that_breaks_off_is_not_replaced_by_a_remote_one(lines: Lines) -> None:
    line = lines(local=ScriptedLocal(BEGUN))
    with pytest.raises(BackendBroke):
        await line.ask(asking(IBAN))
    assert line.remotes["large"].calls == 0


async def test_a_full_queue_is_told_as_such(lines: Lines) -> None:
    line = lines(local=ScriptedLocal([QueueFull("32 requests already wait")]))
    with pytest.raises(QueueFull) as raised:
        await line.ask(asking(IBAN))
    assert raised.value.retry_after_s is not None


async def test_a_local_model_that_takes_too_long_gives_way_to_nobody_where_it_must_stay(lines: Lines) -> None:
    line = lines(local=ScriptedLocal([DeadlineExceeded("longer than 9 s", retry_after_s=4)]))
    with pytest.raises(DeadlineExceeded) as raised:
        await line.ask(asking(IBAN))
    assert raised.value.retry_after_s == 4
    assert line.remotes["large"].calls == 0
    assert line.watcher.failures == [("local", "DeadlineExceeded")]
    assert line.outcome.tried == (("local", "deadline_exceeded"),)


async def test_a_local_answer_cut_by_its_deadline_is_recorded_as_far_as_it_came(lines: Lines) -> None:
    begun = [Chunk(0, {"content": "Half"}, confidence=[(-0.5, 1.0, 2.0)])]
    line = lines(local=ScriptedLocal([begun, DeadlineExceeded("longer than 9 s")]))
    with pytest.raises(DeadlineExceeded):
        await line.ask(asking(IBAN))
    assert (line.outcome.outcome, line.outcome.error) == ("error", "DeadlineExceeded")
    assert line.outcome.confidence is not None
    assert line.outcome.confidence.tokens == 1


# ── The cache and the client ────────────────────────────────────────────────────────────────────────────────────────


@still
@pytest.mark.parametrize("when", ["before the first piece", "in the middle"])
async def test_a_client_that_leaves_closes_the_upstream_and_is_recorded(lines: Lines, when: str) -> None:
    forever = ScriptedRemote("large", [[Chunk(0, {"content": "Hel"})], [Chunk()]], pause=anyio.Event())
    silent = _Silent()
    line = lines(silent if when == "before the first piece" else forever)
    with anyio.move_on_after(0.05):
        await line.ask(asking())
    assert line.audit.events("r1") == ["decided", "attempt", "outcome"]
    assert line.outcome.outcome == "client_closed"
    assert line.remotes["large"].closed == 1


class _Silent(ScriptedRemote):
    """Takes the request and never says anything."""

    async def _play(self):  # type: ignore[no-untyped-def]
        self.calls += 1
        try:
            await anyio.sleep_forever()
            yield []
        finally:
            self.closed += 1

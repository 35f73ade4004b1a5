"""Which way a draft fails: no failure of it lets anything out that its first tokens would not have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.audit.memory import MemoryAudit
from gateway.core.errors import AuditUnavailable, BackendBroke, LocalUnavailable, QueueFull, Unsupported
from gateway.core.types import Assessment
from tests.support.drafting import SAID, SURE, Judging, token
from tests.support.line import POLICY, FixedScorer, Line, Lines, ScriptedLocal, ScriptedRemote, Step, asking, text_of
from tests.support.still import still

pytestmark = [pytest.mark.anyio, still]

EASY, HARD = 0.52, 0.6
UNRECORDED = POLICY + "without_record: local\n"
HALF: tuple[Step, ...] = (token("One"), token(" two"), BackendBroke("broke"))


def drafting(folder: Path, cascade: Judging, *remotes: ScriptedRemote, gain: float = EASY, **parts: Any) -> Line:
    parts.setdefault("local", ScriptedLocal(SURE))
    return Lines(folder, cascade=cascade)(*remotes, scorer=FixedScorer(gain), **parts)


# ── The engine ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("error", [BackendBroke("broke"), LocalUnavailable("dead"), QueueFull("full")], ids=type)
async def test_an_engine_that_says_nothing_is_no_reason_to_leave(tmp_path: Path, error: Exception) -> None:
    line = drafting(tmp_path, Judging(0.9), local=ScriptedLocal([error]))
    with pytest.raises(type(error)):
        await line.ask(asking())
    assert line.remotes["large"].calls == 0
    assert line.audit.events("r1") == ["decided", "outcome"]
    assert [backend for backend, _ in line.outcome.tried] == ["local"]


async def test_an_engine_that_breaks_off_is_judged_by_what_it_said_until_then_and_may_be_left(tmp_path: Path) -> None:
    line = drafting(tmp_path, cascade := Judging(0.9), local=ScriptedLocal(HALF))
    _, chunks = await line.ask(asking())
    assert (text_of(chunks), cascade.shown) == ("Hello.", [("One two", 2, False)])
    assert line.audit.records[1].facts["draft"]["error"] == "BackendBroke"
    assert line.watcher.failures == [("local", "BackendBroke")]


async def test_a_sure_draft_that_breaks_off_is_an_error_and_no_half_answer(tmp_path: Path) -> None:
    line = drafting(tmp_path, Judging(0.2), local=ScriptedLocal(HALF))
    with pytest.raises(BackendBroke):
        async with line.pipeline.handle(asking()):
            pytest.fail("a reply was given")
    assert line.remotes["large"].calls == 0
    assert line.outcome.tried == (("local", "upstream_broke"),)
    assert line.watcher.failures == [("local", "BackendBroke")]


@pytest.mark.parametrize("error", [Unsupported("not here", param="audio"), BackendBroke("broke")], ids=type)
async def test_a_request_that_goes_out_anyway_does_so_when_its_draft_cannot_be_made(
    tmp_path: Path, error: Exception
) -> None:
    line = drafting(tmp_path, Judging(0.2), gain=HARD, local=ScriptedLocal([error]))
    _, chunks = await line.ask(asking())
    assert text_of(chunks) == "Hello."
    assert line.audit.events("r1") == ["decided", "attempt", "outcome"]


async def test_after_the_draft_has_become_the_answer_a_failure_is_told_in_the_middle_of_it(tmp_path: Path) -> None:
    late = ScriptedLocal([*SURE[:4], BackendBroke("broke")])
    line = drafting(tmp_path, Judging(0.2), local=late)
    read: list[str] = []

    async def reading() -> None:
        async with line.pipeline.handle(asking()) as reply:
            async for pieces in reply.pieces:
                read.append(text_of(list(pieces)))

    with pytest.raises(BackendBroke):
        await reading()
    assert "".join(read) == "One two three four"
    assert line.remotes["large"].calls == 0
    assert late.closed == 1


async def test_when_the_remote_fails_after_all_the_local_model_answers_from_the_beginning(tmp_path: Path) -> None:
    broken = ScriptedRemote("large", [BackendBroke("broke", status=500)])
    line = drafting(tmp_path, Judging(0.9), broken)
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, text_of(chunks)) == ("local", SAID)
    assert isinstance(line.local, ScriptedLocal)
    assert (line.local.calls, line.local.closed) == (2, 2)


async def test_a_cascade_that_breaks_before_the_draft_changes_nothing(tmp_path: Path) -> None:
    line = drafting(tmp_path, _Broken(), gain=HARD)
    _, chunks = await line.ask(asking())
    assert text_of(chunks) == "Hello."
    assert line.audit.events("r1") == ["decided", "attempt", "outcome"]


class _Broken(Judging):
    def drafts(self, assessment: Assessment) -> bool:
        raise RuntimeError("it broke")


# ── The audit log ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_without_a_record_of_the_second_decision_its_answer_is_not_given(tmp_path: Path) -> None:
    line = drafting(tmp_path, Judging(0.2), audit=MemoryAudit(fail_at={2}))
    with pytest.raises(AuditUnavailable):
        async with line.pipeline.handle(asking()):
            pytest.fail("a reply was given")
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.closed == 1


async def test_without_a_record_of_the_second_decision_a_draft_goes_on_where_the_policy_lets_it(tmp_path: Path) -> None:
    line = drafting(tmp_path, Judging(0.2), audit=MemoryAudit(fail_at={2}), policy=UNRECORDED)
    _, chunks = await line.ask(asking())
    assert text_of(chunks) == SAID


async def test_without_a_record_of_the_first_decision_no_draft_is_begun(tmp_path: Path) -> None:
    line = drafting(tmp_path, cascade := Judging(0.9), audit=MemoryAudit(fail_at={1}))
    with pytest.raises(AuditUnavailable):
        await line.ask(asking())
    assert isinstance(line.local, ScriptedLocal)
    assert (cascade.shown, line.local.calls) == ([], 0)


@pytest.mark.parametrize("policy", [POLICY, UNRECORDED], ids=["refuse", "local"])
async def test_without_a_record_of_the_attempt_nothing_leaves_however_unsure_the_draft(
    tmp_path: Path, policy: str
) -> None:
    line = drafting(tmp_path, Judging(0.9), audit=MemoryAudit(fail_events={"attempt"}), policy=policy)
    if policy == POLICY:
        with pytest.raises(AuditUnavailable):
            await line.ask(asking())
    else:
        _, chunks = await line.ask(asking())
        assert text_of(chunks) == SAID
    assert line.remotes["large"].sent == []


async def test_a_log_that_hangs_while_the_second_decision_is_written_gives_nothing_away(tmp_path: Path) -> None:
    hold = anyio.Event()
    audit = MemoryAudit()
    line = drafting(tmp_path, _Hanging(0.2, audit, hold), audit=audit)
    with anyio.move_on_after(0.05) as waited:
        async with line.pipeline.handle(asking()):
            pytest.fail("a reply was given")
    hold.set()
    assert waited.cancelled_caught
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.closed == 1


class _Hanging(Judging):
    """From the judgement on, the log takes records in and does not come back."""

    def __init__(self, verdict: float, audit: MemoryAudit, hold: anyio.Event) -> None:
        super().__init__(verdict)
        self._audit, self._hold = audit, hold

    def gain(self, *known: Any) -> float | None:
        self._audit.hold = self._hold
        return super().gain(*known)

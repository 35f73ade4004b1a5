"""The policy is replaced while a request waits: it goes on under the one in force then, or not at all."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.core.errors import BackendBroke, BackendUnreachable, LocalModelUnfit
from gateway.core.ports import Transformed
from gateway.core.release import Released
from gateway.core.types import Assessment, Decision, Pieces, Request, Zone
from gateway.pipeline import Pipeline
from gateway.policy.load import load_policy
from gateway.policy.replay import replay
from gateway.policy.source import FilePolicySource
from tests.support.drafting import SAID, SURE, Judging
from tests.support.line import (
    ANSWER,
    IBAN,
    POLICY,
    FixedScorer,
    Line,
    Lines,
    ScriptedLocal,
    ScriptedRemote,
    Step,
    WordDetector,
    asking,
    text_of,
)

pytestmark = pytest.mark.anyio

STRICT = "name: strict\n"
CHANGED = POLICY.replace("name: test", "name: changed")
MASKED = POLICY.replace("hard, zone: remote", "hard, zone: remote, with: pseudonymise")
DOWN, BROKE = [BackendUnreachable("no connection")], [BackendBroke("it broke", status=500)]


class Admin:
    """Puts another policy in force when somebody calls, once, and says which digests there were."""

    def __init__(self, folder: Path, then: str) -> None:
        self._file, self._then = folder / "policy.yaml", then
        self.source: FilePolicySource | None = None
        self.digests: list[str] = []

    def __call__(self) -> None:
        assert self.source is not None
        if len(self.digests) == 1:
            self._file.write_text(self._then)
            assert self.source.reload()
            self.digests.append(self.source.current().digest)

    def of(self, line: Line) -> Line:
        """The same line, its policy read from its file."""
        home = line.local.spec if line.local else None
        self.source = FilePolicySource(
            self._file, [spec for spec in (home, *(each.spec for each in line.remotes.values())) if spec]
        )
        self.digests = [self.source.current().digest]
        parts = replace(line.parts, policies=self.source)
        return replace(line, parts=parts, pipeline=Pipeline(parts))


class Slow(ScriptedRemote):
    """Somebody does something while it is asked."""

    def __init__(self, meanwhile: Callable[[], None], name: str, *scripts: Sequence[Step], **more: Any) -> None:
        super().__init__(name, *scripts, **more)
        self._meanwhile = meanwhile

    async def stream(self, released: Released) -> AsyncGenerator[Pieces, None]:
        self._meanwhile()
        async for pieces in super().stream(released):
            yield pieces


def decided(line: Line) -> list[dict[str, Any]]:
    return [dict(record.facts) for record in line.audit.records if record.event == "decided"]


# ── Waiting for a server ────────────────────────────────────────────────────────────────────────────────────────────

QUEUE = "name: x\nfloor: {below: 0.6, then: queue, wait_s: 5}\n"


@dataclass
class Unfit(FixedScorer):
    async def score(self, request: Request) -> Any:
        return replace(await FixedScorer(0.5).score(request), competence=0.2)


async def test_who_waits_for_a_server_that_the_policy_closes_meanwhile_is_refused_as_it_says_now(
    tmp_path: Path,
) -> None:
    admin = Admin(tmp_path, "name: x\nfloor: {below: 0.6, then: refuse}\n")
    house = Slow(admin, "house", DOWN, ANSWER, zone=Zone.PRIVATE)
    line = admin.of(Lines(tmp_path)(house, policy=QUEUE, scorer=Unfit(), cached=False))
    with pytest.raises(LocalModelUnfit):
        await line.ask(asking(IBAN))
    assert house.calls == 1, "nothing went there once the permit was gone"
    assert line.audit.events("r1") == ["decided", "attempt", "decided", "outcome"]
    first, second = decided(line)
    assert [each["decision"]["policy_digest"] for each in (first, second)] == admin.digests
    assert ("instead_of" in first, second["instead_of"]) == (False, admin.digests[0])
    assert line.outcome.outcome == "refused"


async def test_who_may_still_go_there_goes_under_the_new_policys_permit(tmp_path: Path) -> None:
    admin = Admin(tmp_path, QUEUE.replace("name: x", "name: y"))
    house = Slow(admin, "house", DOWN, ANSWER, zone=Zone.PRIVATE)
    line = admin.of(Lines(tmp_path)(house, policy=QUEUE, scorer=Unfit(), cached=False))
    reply, chunks = await line.ask(asking(IBAN))
    assert (text_of(chunks), reply.decision.policy) == ("Hello.", "y")
    assert [released.decision.policy_digest for released in house.sent] == admin.digests
    assert line.audit.events("r1") == ["decided", "attempt", "decided", "attempt", "outcome"]
    assert line.outcome.policy == "y"


# ── Other waits on the way to the door ──────────────────────────────────────────────────────────────────────────────


async def test_the_next_backend_is_not_asked_under_a_permit_that_is_gone(tmp_path: Path) -> None:
    admin = Admin(tmp_path, STRICT)
    remotes = Slow(admin, "large", BROKE), ScriptedRemote("other")
    line = admin.of(Lines(tmp_path)(*remotes))
    reply, _ = await line.ask(asking())
    assert (reply.way.backend, reply.decision.policy) == ("local", "strict")
    assert [remote.calls for remote in remotes] == [1, 0]
    assert line.audit.events("r1") == ["decided", "attempt", "decided", "outcome"]


class Rewriting:
    """A transform that takes its time."""

    name = "pseudonymise"

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._meanwhile = meanwhile

    async def apply(self, request: Request, assessment: Assessment, seen: dict[Any, Any]) -> Transformed:
        self._meanwhile()
        return Transformed(request, 0, _Nothing())


class _Nothing:
    unrestored = 0

    def __call__(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        return answer


async def test_what_was_closed_while_a_request_was_changed_stays_closed(tmp_path: Path) -> None:
    admin = Admin(tmp_path, STRICT)
    line = admin.of(Lines(tmp_path)(policy=MASKED, transforms={"pseudonymise": Rewriting(admin)}))
    reply, _ = await line.ask(asking())
    assert (reply.way.backend, line.remotes["large"].calls) == ("local", 0)
    assert line.audit.events("r1") == ["decided", "decided", "outcome"], "nothing was even about to leave"


async def test_a_transform_that_is_demanded_meanwhile_is_made(tmp_path: Path) -> None:
    admin = Admin(tmp_path, MASKED)
    remotes = Slow(admin, "large", BROKE, ANSWER), ScriptedRemote("other")
    line = admin.of(Lines(tmp_path)(*remotes, transforms={"pseudonymise": Rewriting(lambda: None)}))
    reply, _ = await line.ask(asking())
    assert reply.way.transform == "pseudonymise"
    assert [released.outgoing.transform for released in remotes[0].sent] == [None, "pseudonymise"]


async def test_who_waited_for_its_twin_is_decided_by_the_policy_in_force_then(tmp_path: Path) -> None:
    admin, told = Admin(tmp_path, STRICT), anyio.Event()
    line = admin.of(Lines(tmp_path)(ScriptedRemote(pause=told)))
    replies: dict[str, str] = {}

    async def ask(name: str) -> None:
        reply, _ = await line.ask(asking(id=name))
        replies[name] = f"{reply.way.backend} by {reply.decision.policy}, {reply.cache}"

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "first")
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(ask, "twin")
        await anyio.wait_all_tasks_blocked()
        admin()
        told.set()
    assert replies == {"first": "large by test, miss", "twin": "local by strict, miss"}
    assert line.remotes["large"].calls == 1


@pytest.mark.parametrize("gain", [0.52, 0.6], ids=["was to stay", "was to go out"])
async def test_a_draft_is_judged_by_the_policy_in_force_when_it_is_seen(gain: float, tmp_path: Path) -> None:
    class Meanwhile(ScriptedLocal):
        def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
            admin()
            return super().stream(request, decision)

    admin, local = Admin(tmp_path, STRICT), Meanwhile(SURE)
    line = admin.of(Lines(tmp_path, cascade=Judging(0.9))(local=local, scorer=FixedScorer(gain)))
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, text_of(chunks), line.remotes["large"].calls) == ("local", SAID, 0)
    assert local.calls == 1, "it has begun already"
    assert line.audit.events("r1") == ["decided", "decided", "outcome"]
    assert (decided(line)[1]["drafted"], decided(line)[1]["instead_of"]) == (True, admin.digests[0])


async def test_a_draft_that_was_left_for_a_way_that_is_closed_then_is_answered_here(tmp_path: Path) -> None:
    admin = Admin(tmp_path, STRICT)
    line = admin.of(
        Lines(tmp_path, cascade=Judging(0.9))(
            policy=MASKED,
            local=(local := ScriptedLocal(SURE)),
            scorer=FixedScorer(0.52),
            transforms={"pseudonymise": Rewriting(admin)},
        )
    )
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, text_of(chunks), local.calls) == ("local", SAID, 2)
    assert [each.get("draft", {}).get("tokens") for each in decided(line)] == [None, 3, 3]


# ── What is known then ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_is_looked_at_again_since_a_policy_brings_words_of_its_own_to_look_for(tmp_path: Path) -> None:
    admin = Admin(tmp_path, CHANGED)
    remotes = Slow(admin, "large", BROKE), ScriptedRemote("other")
    blind_by_then = WordDetector(breaks=frozenset({4}))  # the request, two doors, and the request once more
    line = admin.of(Lines(tmp_path)(*remotes, detector=blind_by_then))
    reply, _ = await line.ask(asking())
    assert (reply.way.backend, remotes[1].calls) == ("local", 0)
    assert [each["decision"]["level"] for each in decided(line)] == ["internal", "unknown"]


async def test_each_decision_can_be_made_again_under_the_policy_that_it_names(tmp_path: Path) -> None:
    admin = Admin(tmp_path, STRICT)
    line = admin.of(Lines(tmp_path)(Slow(admin, "large", BROKE), ScriptedRemote("other")))
    await line.ask(asking())
    assert line.local is not None
    specs = [line.local.spec, *(remote.spec for remote in line.remotes.values())]
    for facts, text in zip(decided(line), (POLICY, STRICT), strict=True):
        (tmp_path / "kept.yaml").write_text(text)
        policy = load_policy(tmp_path / "kept.yaml", specs)
        again = replay(policy, {**facts, "tenant": "default"})
        assert (policy.digest, again.zone.word) == (facts["decision"]["policy_digest"], facts["decision"]["zone"])


async def test_the_edge_is_told_the_decision_that_stands_last(tmp_path: Path) -> None:
    admin = Admin(tmp_path, STRICT)
    line = admin.of(Lines(tmp_path)(Slow(admin, "large", BROKE), ScriptedRemote("other")))
    told: list[str] = []
    async with line.pipeline.handle(asking(), lambda decision: told.append(decision.policy)):
        pass
    assert told == ["test", "strict"]


async def test_a_file_that_says_the_same_in_other_words_changes_nothing(tmp_path: Path) -> None:
    admin = Admin(tmp_path, "# a comment\n" + POLICY)
    line = admin.of(Lines(tmp_path)(ScriptedRemote("large", BROKE), ScriptedRemote("other")))
    (tmp_path / "policy.yaml").write_text("# a comment\n" + POLICY)
    assert admin.source is not None
    assert not admin.source.reload()
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "other"
    assert line.audit.events("r1") == ["decided", "attempt", "attempt", "outcome"]

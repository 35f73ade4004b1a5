"""A request near the border: the local model begins unseen, and what its first tokens show is decided anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.core.ports import Answer
from gateway.core.types import Assessment, Decision, Pieces, Request, Scan, Score, Standing, Zone
from gateway.policy.load import load_policy
from gateway.policy.replay import replay
from gateway.traffic import RollingTraffic
from gateway.transform import Guard, Pseudonymise
from tests.support.drafting import END, SAID, SURE, Judging, token
from tests.support.line import (
    IBAN,
    POLICY,
    FixedScorer,
    Line,
    Lines,
    ScriptedLocal,
    ScriptedRemote,
    WordDetector,
    asking,
    text_of,
)
from tests.support.still import still

pytestmark = [pytest.mark.anyio, still]

EASY, HARD = 0.52, 0.6
"""Before the draft: on either side of the policy's 0.55, both near it."""

Drafting = Callable[..., Line]


@pytest.fixture
def drafting(tmp_path: Path) -> Drafting:
    """A line with a cascade, whose local model says SAID and whose remote one says Hello."""

    def make(cascade: Judging, *remotes: ScriptedRemote, gain: float = EASY, more: Any = None, **parts: Any) -> Line:
        parts.setdefault("local", ScriptedLocal(SURE))
        parts.setdefault("scorer", FixedScorer(gain))
        return Lines(tmp_path, cascade=cascade, **(more or {}))(*remotes, **parts)

    return make


def local_of(line: Line) -> ScriptedLocal:
    assert isinstance(line.local, ScriptedLocal)
    return line.local


# ── What comes of it ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gain", [EASY, HARD], ids=["was to stay", "was to go out"])
async def test_an_unsure_draft_is_thrown_away_unseen_and_the_request_goes_out(drafting: Drafting, gain: float) -> None:
    line = drafting(cascade := Judging(0.9), gain=gain)
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, reply.decision.rule, text_of(chunks)) == ("large", "hard", "Hello.")
    assert cascade.shown == [("One two three", 3, False)]
    assert (local_of(line).calls, local_of(line).closed) == (1, 1)
    assert line.audit.events("r1") == ["decided", "decided", "attempt", "outcome"]


@pytest.mark.parametrize("gain", [EASY, HARD], ids=["was to stay", "was to go out"])
async def test_a_sure_draft_goes_on_as_the_answer_from_its_first_word(drafting: Drafting, gain: float) -> None:
    line = drafting(Judging(0.2), gain=gain)
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, text_of(chunks)) == ("local", SAID)
    assert local_of(line).calls == 1
    assert line.remotes["large"].calls == 0
    assert line.audit.events("r1") == ["decided", "decided", "outcome"]
    assert line.outcome.confidence is not None
    assert line.outcome.confidence.tokens == 5
    assert (line.outcome.draft, line.outcome.draft_tokens) == ("given", 0)
    assert line.outcome.draft_ms > 0


async def test_what_a_draft_cost_and_showed_is_recorded(drafting: Drafting) -> None:
    line = drafting(Judging(0.9))
    await line.ask(asking())
    first, second, _, outcome = (record.facts for record in line.audit.records)
    assert (first["gain"], first["drafted"], second["gain"], second["drafted"]) == (EASY, False, 0.9, True)
    assert (second["draft"]["tokens"], second["draft"]["finished"], second["draft"]["error"]) == (3, False, None)
    assert second["draft"]["confidence"]["mean_logprob"] == -0.5
    assert "One" not in repr(line.audit.records)
    assert outcome["draft_tokens"] == 3
    assert outcome["draft_ms"] > 0
    assert (line.outcome.gain, line.outcome.draft, line.outcome.draft_tokens) == (EASY, "left", 3)
    assert line.outcome.confidence is None, "the answer was not the local model's"


async def test_the_second_decision_can_be_made_again_from_its_record(drafting: Drafting, tmp_path: Path) -> None:
    line = drafting(Judging(0.9))
    await line.ask(asking())
    specs = [local_of(line).spec, line.remotes["large"].spec]
    policy = load_policy(tmp_path / "policy.yaml", specs)
    for record in line.audit.records[:2]:
        again = replay(policy, {**record.facts, "tenant": "default"})
        assert (again.zone.word, again.rule) == (record.facts["decision"]["zone"], record.facts["decision"]["rule"])


async def test_the_edge_is_told_the_decision_that_stands_and_no_other(drafting: Drafting) -> None:
    line = drafting(Judging(0.9))
    told: list[Decision] = []
    async with line.pipeline.handle(asking(), told.append):
        pass
    assert [decision.rule for decision in told] == ["hard"]


async def test_nothing_is_given_before_the_second_decision_is_recorded(drafting: Drafting) -> None:
    line = drafting(Judging(0.2))
    seen: list[list[str]] = []
    async with line.pipeline.handle(asking()) as reply:
        async for _ in reply.pieces:
            seen.append(line.audit.events("r1"))
    assert seen[0] == ["decided", "decided"]


@pytest.mark.parametrize("verdict", [0.2, 0.9])
@pytest.mark.parametrize("most_tokens", [1, 2, 3, 5, 24])
async def test_a_client_gets_the_one_answer_or_the_other_and_never_a_mixture(
    drafting: Drafting, verdict: float, most_tokens: int
) -> None:
    line = drafting(Judging(verdict, most_tokens))
    _, chunks = await line.ask(asking())
    assert text_of(chunks) == ("Hello." if verdict > 0.55 else SAID)
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
    assert len([chunk for chunk in chunks if chunk.usage]) == 1


# ── How long it is held ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_answer_that_is_over_earlier_is_judged_as_a_whole(drafting: Drafting) -> None:
    line = drafting(cascade := Judging(0.2, most_tokens=24))
    await line.ask(asking())
    assert cascade.shown == [(SAID, 5, True)]


async def test_no_more_than_the_tokens_are_looked_at_however_many_come_at_once(drafting: Drafting) -> None:
    at_once = [piece for step in SURE if not isinstance(step, Exception) for piece in step]
    line = drafting(cascade := Judging(0.2), local=ScriptedLocal([at_once]))
    _, chunks = await line.ask(asking())
    assert cascade.shown == [("One two three", 3, False)]
    assert text_of(chunks) == SAID


async def test_an_engine_that_stands_still_is_not_waited_for_and_no_piece_of_it_is_lost(drafting: Drafting) -> None:
    goes_on = anyio.Event()
    line = drafting(cascade := Judging(0.2, most_s=0.02), local=ScriptedLocal(SURE, pause=goes_on))
    text = ""
    with anyio.fail_after(5):
        async with line.pipeline.handle(asking()) as reply:
            assert cascade.shown == [("One", 1, False)]
            goes_on.set()
            async for pieces in reply.pieces:
                text += text_of(list(pieces))
    assert text == SAID


async def test_an_engine_that_stands_still_is_left_when_its_first_words_are_unsure(drafting: Drafting) -> None:
    line = drafting(Judging(0.9, most_s=0.02), local=ScriptedLocal(SURE, pause=anyio.Event()))
    with anyio.fail_after(5):
        _, chunks = await line.ask(asking())
    assert text_of(chunks) == "Hello."
    assert local_of(line).closed == 1


async def test_who_was_going_out_anyway_does_not_queue_for_the_local_model(drafting: Drafting) -> None:
    busy = ScriptedLocal([[], token("never")], pause=anyio.Event())
    line = drafting(cascade := Judging(0.2, most_s=0.02), gain=HARD, local=busy)
    with anyio.fail_after(5):
        _, chunks = await line.ask(asking())
    assert (text_of(chunks), cascade.shown, busy.closed) == ("Hello.", [], 1)
    assert line.audit.events("r1") == ["decided", "attempt", "outcome"]
    assert line.outcome.draft_tokens == 0
    assert line.outcome.draft_ms > 0


# ── Where there is none ─────────────────────────────────────────────────────────────────────────────────────────────

FORBIDDEN = POLICY + "forbid:\n  - {name: never, zone: remote, when: {model: {in: [auto]}}}\n"
HAVING_NOTHING_TO_DO_WITH_IT = """
name: test
permit:
  - {name: all, zone: remote, when: {sensitivity: {at_most: internal}}}
"""
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    ("request_", "parts"),
    [
        pytest.param(asking(f"my IBAN is {IBAN}"), {}, id="it is private"),
        pytest.param(asking(), {"policy": FORBIDDEN}, id="a forbid keeps it"),
        pytest.param(asking(local_only=True, model="local"), {}, id="the client wants it local"),
        pytest.param(asking(model="large"), {}, id="the client named a backend"),
        pytest.param(asking(n=2), {}, id="several choices"),
        pytest.param(asking(), {"policy": HAVING_NOTHING_TO_DO_WITH_IT}, id="the score does not matter"),
        pytest.param(asking(), {"gain": 0.8}, id="the score is clear"),
        pytest.param(asking(), {"gain": None}, id="there is no score"),
    ],
)
async def test_no_draft_is_made_where(drafting: Drafting, request_: Request, parts: dict[str, Any]) -> None:
    line = drafting(cascade := Judging(0.99), **parts)
    await line.ask(request_)
    assert cascade.shown == []
    assert line.audit.events("r1").count("decided") == 1


@pytest.mark.parametrize("needs", [{"tools": True}, {"schema": True}], ids=["tools", "a response format"])
async def test_no_draft_is_made_under_a_grammar(drafting: Drafting, needs: dict[str, bool]) -> None:
    line = drafting(cascade := Judging(0.99), scorer=_Needing(needs))
    await line.ask(asking())
    assert cascade.shown == []


async def test_what_is_private_stays_however_unsure_the_local_model_is(drafting: Drafting) -> None:
    line = drafting(Judging(1.0))
    reply, chunks = await line.ask(asking(f"my IBAN is {IBAN}"))
    assert (reply.way.zone, text_of(chunks)) == (Zone.LOCAL, SAID)
    assert line.remotes["large"].sent == []


@pytest.mark.parametrize(("gain", "backend"), [(EASY, "local"), (HARD, "large")])
@pytest.mark.parametrize(
    "cascade",
    [Judging(None), Judging(float("nan")), Judging(breaks=True)],
    ids=["says nothing", "is not a number", "breaks"],
)
async def test_a_draft_that_shows_nothing_leaves_the_first_decision_as_it_was(
    drafting: Drafting, cascade: Judging, gain: float, backend: str
) -> None:
    line = drafting(cascade, gain=gain)
    reply, chunks = await line.ask(asking())
    assert (reply.way.backend, text_of(chunks)) == (backend, SAID if backend == "local" else "Hello.")
    assert line.audit.events("r1").count("decided") == 1


# ── The rest of the line ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_client_that_leaves_during_the_hold_stops_the_model_and_is_recorded(drafting: Drafting) -> None:
    line = drafting(Judging(0.9), local=ScriptedLocal(SURE, pause=anyio.Event()))
    with anyio.move_on_after(0.05):
        await line.ask(asking())
    assert local_of(line).closed == 1
    assert line.audit.events("r1") == ["decided", "outcome"]
    assert line.outcome.outcome == "client_closed"
    assert line.remotes["large"].calls == 0


async def test_a_client_that_leaves_while_the_draft_goes_on_as_its_answer_stops_the_model(drafting: Drafting) -> None:
    line = drafting(Judging(0.2))
    async with line.pipeline.handle(asking()) as reply:
        await anext(reply.pieces)
    assert local_of(line).closed == 1
    assert line.outcome.outcome == "client_closed"


async def test_an_escalated_answer_is_found_again_under_its_own_decision(drafting: Drafting) -> None:
    line = drafting(Judging(0.9))
    await line.ask(asking())
    reply, chunks = await line.ask(asking(id="r2"))
    assert (reply.cache, reply.way.backend, text_of(chunks)) == ("hit", "large", "Hello.")
    assert line.audit.events("r2") == ["decided", "decided", "kept", "outcome"]
    assert line.remotes["large"].calls == 1


async def test_an_answer_that_stayed_is_found_again_without_a_draft(drafting: Drafting) -> None:
    line = drafting(cascade := Judging(0.2))
    await line.ask(asking())
    reply, chunks = await line.ask(asking(id="r2"))
    assert (reply.cache, text_of(chunks)) == ("hit", SAID)
    assert (len(cascade.shown), local_of(line).calls) == (1, 1)


async def test_an_answer_that_stayed_against_its_score_is_found_again_by_its_draft(drafting: Drafting) -> None:
    line = drafting(Judging(0.2), gain=HARD)
    await line.ask(asking())
    reply, chunks = await line.ask(asking(id="r2"))
    assert (reply.cache, reply.way.backend, text_of(chunks)) == ("hit", "local", SAID)
    assert local_of(line).closed == 2
    assert (line.outcome.draft, line.outcome.draft_tokens) == ("left", 3)


async def test_a_draft_does_not_hold_the_model_while_a_cached_answer_is_read(drafting: Drafting) -> None:
    line = drafting(Judging(0.2), gain=HARD)
    await line.ask(asking())
    async with line.pipeline.handle(asking(id="r2")) as reply:
        assert reply.cache == "hit"
        assert local_of(line).closed == 2


CAPPED = """
name: capped
permit:
  - name: hard
    zone: remote
    when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.55}, share: {at_most: 0.2}}
"""


@pytest.mark.parametrize("gain", [EASY, HARD], ids=["was to stay", "was to go out"])
async def test_many_drafts_at_once_do_not_all_find_room_under_one_cap(drafting: Drafting, gain: float) -> None:
    line = drafting(Judging(0.9), gain=gain, more={"traffic": RollingTraffic()}, policy=CAPPED)
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(line.ask, asking(f"Question {number}", id=f"r{number}"))
    assert 1 <= line.remotes["large"].calls <= 5


@pytest.mark.parametrize("gain", [EASY, HARD])
@pytest.mark.parametrize("verdict", [0.2, 0.9])
async def test_twins_in_flight_are_answered_once_and_none_waits_for_ever(
    drafting: Drafting, gain: float, verdict: float
) -> None:
    line = drafting(Judging(verdict), gain=gain)
    texts: list[str] = []

    async def ask(number: int) -> None:
        _, chunks = await line.ask(asking(id=f"r{number}"))
        texts.append(text_of(chunks))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for number in range(4):
                tasks.start_soon(ask, number)
    assert texts == ["Hello." if verdict > 0.55 else SAID] * 4
    assert line.remotes["large"].calls == (1 if verdict > 0.55 else 0)
    assert sorted(outcome.outcome for outcome in line.watcher.outcomes) == ["cached"] * 3 + ["ok"]


async def test_what_goes_out_after_all_is_changed_as_its_permit_demands(drafting: Drafting) -> None:
    policy = """
name: masked
permit:
  - name: hard
    zone: remote
    when: {sensitivity: {at_most: confidential}, complexity: {at_least: 0.55}}
    with: pseudonymise
"""
    detector = WordDetector()
    transforms = {"pseudonymise": Pseudonymise(detector, b"k")}
    line = drafting(Judging(0.9), policy=policy, detector=detector, transforms=transforms)
    await line.ask(asking(f"IBAN {IBAN}"))
    [sent] = line.remotes["large"].sent
    assert IBAN not in str(sent.outgoing.payload)
    assert line.outcome.replaced == 1


async def test_a_draft_that_stays_is_read_by_the_answers_guard_and_judged_without_it(drafting: Drafting) -> None:
    detector = WordDetector()
    saying = ScriptedLocal([token(IBAN), token(", I think."), END])
    line = drafting(
        cascade := Judging(0.2),
        local=saying,
        detector=detector,
        policy=POLICY + "scan_answer: confidential\n",
        more={"guard": Guard(detector)},
    )
    _, chunks = await line.ask(asking())
    assert "[redacted: iban]" in text_of(chunks)
    assert IBAN not in text_of(chunks)
    assert cascade.shown == [(f"{IBAN}, I think.", 2, True)]


@pytest.mark.parametrize(("verdict", "remembered"), [(0.2, SAID), (0.9, "Hello.")])
async def test_only_what_the_client_gets_is_remembered_of_a_drafted_request(
    drafting: Drafting, verdict: float, remembered: str
) -> None:
    line = drafting(Judging(verdict), more={"taints": (memory := _Remembering())})
    await line.ask(asking())
    assert memory.kept == remembered


async def test_a_draft_with_another_adapter_than_the_second_decision_names_is_begun_anew(drafting: Drafting) -> None:
    policy = POLICY + "adapters:\n  - {name: l, adapter: legal, when: {complexity: {at_least: 0.5}}, always: true}\n"
    local = ScriptedLocal(SURE)
    local.spec = replace(local.spec, adapters=("legal",))
    line = drafting(Judging(0.53), local=local, policy=policy)
    reply, chunks = await line.ask(asking())
    assert (reply.decision.adapter, text_of(chunks)) == ("legal", SAID)
    assert (local.calls, local.closed) == (2, 2)


async def test_where_the_policy_looks_at_the_rank_the_draft_moves_the_request_in_its_tenants_traffic(
    drafting: Drafting,
) -> None:
    policy = """
name: ranked
permit:
  - {name: upper, zone: remote, when: {sensitivity: {at_most: internal}, rank: {at_least: 0.7}}}
"""
    line = drafting(Judging(0.9), policy=policy, more={"traffic": _Ranked()})
    reply, _ = await line.ask(asking())
    assert reply.way.backend == "large"
    assert [record.facts["rank"] for record in line.audit.records[:2]] == [EASY, 0.9]


class _Ranked:
    """Traffic in which every gain is its own rank."""

    def standing(self, request: Request, score: Score) -> Standing:
        return self.look(request, score)

    def look(self, request: Request, score: Score) -> Standing:
        return Standing(rank=score.gain)

    def went(self, request: Request, assessment: object, zone: Zone, *, answered: bool = False) -> None:
        """Nothing is remembered."""


class _Remembering:
    """Both `Taints` and the `Answer` that is watched."""

    def __init__(self) -> None:
        self.kept = self._noted = ""

    async def recall(self, request: Request) -> Scan:
        return Scan()

    def watch(self, request: Request, assessment: Assessment, decision: Decision) -> Answer:
        return self

    def note(self, pieces: Pieces) -> None:
        self._noted += text_of(pieces)

    async def keep(self) -> None:
        self.kept = self._noted


class _Needing:
    def __init__(self, needs: dict[str, bool]) -> None:
        self._needs = needs

    async def score(self, request: Request) -> Score:
        score = await FixedScorer(EASY).score(request)
        return replace(score, needs=replace(score.needs, **self._needs))

"""Targets and the floor down the line: what counts as gone, caps under load, waiting for a server of one's own."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from gateway.api.errors import describe
from gateway.core.errors import BackendBroke, BackendTimeout, BackendUnreachable, PrivateUnavailable
from gateway.core.records import AuditRecord
from gateway.core.scoring import Score
from gateway.core.types import Request, Zone
from gateway.policy.explain import decision_to_json
from gateway.policy.replay import replay
from gateway.traffic import RollingTraffic
from tests.support.line import ANSWER, IBAN, Line, Lines, ScriptedLocal, ScriptedRemote, asking, text_of
from tests.support.still import still

pytestmark = [pytest.mark.anyio, still]

OUT = "name: x\npermit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}, target: {%s}}}]\n"
EVERYTHING_OUT = "name: x\npermit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}, %s}}]\n"
QUEUE = "name: x\nfloor: {below: 0.6, then: queue, wait_s: %s}\n"


class Told:
    """Scores a request by the number that its text ends with."""

    def __init__(self, competence: float | None = None) -> None:
        self._competence = competence

    async def score(self, request: Request) -> Score:
        gain = int(request.messages[-1]["content"].rsplit(maxsplit=1)[-1]) / 100
        return Score(
            gain, 1.0, "en", 1.0, tokens=12, local=0.9 - (2 * gain - 1), remote=0.9, family="maths",
            competence=self._competence,
        )  # fmt: skip


async def asked(line: Line, number: int, gain: int) -> str:
    """The zone in which it was answered."""
    reply, _ = await line.ask(asking(f"Question {number} of {gain}", id=f"r{number}"))
    return str(reply.way.zone)


def made(tmp_path: Path, policy: str, *remotes: ScriptedRemote, cached: bool = False) -> tuple[Line, RollingTraffic]:
    traffic = RollingTraffic()
    return Lines(tmp_path, traffic=traffic)(*remotes, policy=policy, scorer=Told(), cached=cached), traffic


def share(traffic: RollingTraffic) -> float | None:
    return traffic.look(asking(), Score(None)).share


async def test_the_hardest_three_in_ten_go_out_once_there_is_something_to_compare_with(tmp_path: Path) -> None:
    line, traffic = made(tmp_path, OUT % "remote_share: 0.3")
    zones = [await asked(line, number, (number * 37) % 100) for number in range(230)]
    assert set(zones[:30]) == {"local"}
    assert zones[30:].count("remote") == pytest.approx(60, abs=6)
    assert share(traffic) == zones.count("remote") / 230
    decided = [record for record in line.audit.records if record.event == "decided"]
    assert all(_decided_again(line, record) for record in decided)


def _decided_again(line: Line, record: AuditRecord) -> bool:
    policy = line.parts.policies.current()
    again = decision_to_json(replay(policy, {**record.facts, "tenant": record.tenant}))  # type: ignore[arg-type]
    told = record.facts["decision"]
    return all(told[name] == again[name] for name in ("zone", "rule", "backend", "reasons"))


async def test_a_cap_holds_when_all_ask_at_once(tmp_path: Path) -> None:
    line, traffic = made(tmp_path, OUT % "quality: 1.0, cap: 0.5")
    for number in range(30):
        assert await asked(line, number, 60) == "local"
    async with anyio.create_task_group() as tasks:
        for number in range(30, 130):
            tasks.start_soon(asked, line, number, 90)
    assert line.remotes["large"].calls <= 65
    assert share(traffic) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    ("script", "gone"),
    [
        pytest.param((), True, id="answered outside"),
        pytest.param((BackendBroke("it broke", status=500),), False, id="it failed, and the local model answered"),
    ],
)
async def test_what_counts_is_where_it_was_answered(script: tuple[Exception, ...], gone: bool, tmp_path: Path) -> None:
    remote = ScriptedRemote("large", [*script]) if script else ScriptedRemote("large")
    line, traffic = made(tmp_path, EVERYTHING_OUT % "complexity: {at_least: 0.5}", remote)
    await asked(line, 1, 90)
    assert share(traffic) == (1.0 if gone else 0.0)


async def test_an_answer_out_of_the_cache_went_nowhere(tmp_path: Path) -> None:
    line, traffic = made(tmp_path, EVERYTHING_OUT % "complexity: {at_least: 0.5}", cached=True)
    await line.ask(asking("Question of 90", id="r1"))
    await line.ask(asking("Question of 90", id="r2"))
    assert line.remotes["large"].calls == 1
    assert share(traffic) == 0.5


async def test_asking_what_would_be_decided_counts_for_nothing(tmp_path: Path) -> None:
    line, traffic = made(tmp_path, OUT % "remote_share: 0.3")
    for number in range(31):
        await asked(line, number, 50)
    before = traffic.look(asking(), Score(0.6, family="maths"))
    told = [await line.preview(asking("Question of 99", id=f"p{number}")) for number in range(40)]
    assert {each["zone"] for each in told} == {"remote"}
    assert told[0]["scores"]["rank"] == 1
    assert traffic.look(asking(), Score(0.6, family="maths")) == before


# ── Waiting ─────────────────────────────────────────────────────────────────────────────────────────────────────────

DOWN = [BackendUnreachable("no connection")]
STARTING = [BackendBroke("starting", status=503)]


def waiting(tmp_path: Path, house: ScriptedRemote, wait_s: float = 5) -> Line:
    return Lines(tmp_path)(house, policy=QUEUE % wait_s, scorer=Told(competence=0.2), cached=False)


async def test_what_must_stay_and_is_answered_badly_here_waits_for_the_houses_own_server(tmp_path: Path) -> None:
    house = ScriptedRemote("house", DOWN, STARTING, ANSWER, zone=Zone.PRIVATE)
    line = waiting(tmp_path, house)
    reply, chunks = await line.ask(asking(f"{IBAN}, question of 50"))
    assert (text_of(chunks), reply.way.backend, reply.way.rule, reply.cache) == ("Hello.", "house", "floor", "off")
    assert line.audit.events("r1") == ["decided", "attempt", "attempt", "attempt", "outcome"]
    assert [released.sequence for released in house.sent] == [2, 3, 4]
    assert line.outcome.tried == (
        ("house", "upstream_unreachable"), ("house", "upstream_broke"), ("house", "answered"),
    )  # fmt: skip
    assert isinstance(line.local, ScriptedLocal)
    assert line.local.calls == 0


async def test_when_the_time_is_up_the_client_hears_when_to_come_back(tmp_path: Path) -> None:
    line = waiting(tmp_path, ScriptedRemote("house", DOWN, zone=Zone.PRIVATE), wait_s=0.3)
    with pytest.raises(PrivateUnavailable) as caught:
        await line.ask(asking("Question of 50"))
    status, body, headers = describe(caught.value)
    assert (status, body["error"]["code"], headers["retry-after"]) == (503, "private_unavailable", "5")
    assert (line.outcome.outcome, line.outcome.error) == ("error", "PrivateUnavailable")


async def test_what_may_have_been_read_is_not_sent_again(tmp_path: Path) -> None:
    house = ScriptedRemote("house", [BackendTimeout("late")], zone=Zone.PRIVATE)
    with pytest.raises(BackendTimeout):
        await waiting(tmp_path, house).ask(asking("Question of 50"))
    assert house.calls == 1


async def test_a_client_that_leaves_while_it_waits_is_recorded_and_nobody_waits_on(tmp_path: Path) -> None:
    house = ScriptedRemote("house", DOWN, zone=Zone.PRIVATE)
    line = waiting(tmp_path, house)
    with anyio.move_on_after(0.1):
        await line.ask(asking("Question of 50"))
    assert line.outcome.outcome == "client_closed"
    calls = house.calls
    await anyio.sleep(0.4)
    assert house.calls == calls


async def test_a_request_that_the_local_model_answers_well_does_not_wait_for_anybody(tmp_path: Path) -> None:
    house = ScriptedRemote("house", DOWN, zone=Zone.PRIVATE)
    line = Lines(tmp_path)(house, policy=QUEUE % 5, scorer=Told(competence=0.9))
    reply, _ = await line.ask(asking("Question of 50"))
    assert (reply.way.backend, house.calls) == ("local", 0)

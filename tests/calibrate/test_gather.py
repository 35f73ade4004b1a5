"""Both models are asked once, whatever stops a run in between."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.calibrate.gather import PATIENCE, TRIES, Gathered, gather
from gateway.calibrate.journal import Answer, Journal
from gateway.calibrate.probes import Probe
from gateway.calibrate.sides import Side, beginning
from gateway.core.errors import BackendError, BadRequest, ConfigurationError, GatewayError

pytestmark = pytest.mark.anyio
MakeProbe = Callable[..., Probe]


class Stopped(Exception):
    """The process ends here."""


@dataclass
class Scripted:
    """Answers "4", fails as told, and counts."""

    key: str = "one"
    fails: dict[str, list[GatewayError]] = field(default_factory=dict)
    stop_after: int | None = None
    asked: list[str] = field(default_factory=list)

    async def ask(self, probe: Probe) -> Answer:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            raise Stopped
        self.asked.append(probe.id)
        if left := self.fails.get(probe.id):
            raise left.pop(0)
        return Answer("4", 10, 1)


async def run(probes: list[Probe], side: Side, path: Path, *, at_once: int = 2, fresh: bool = False) -> Gathered:
    with Journal(path, fresh=fresh) as journal:
        return await gather(probes, [("local", side, at_once)], journal, lambda *_: None, pause_s=0.001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calibration.journal.jsonl"


async def test_a_run_that_was_killed_goes_on_where_it_stopped(path: Path, probe: MakeProbe) -> None:
    probes = [probe(str(number)) for number in range(9)]
    first = Scripted(stop_after=4)
    with pytest.raises(ExceptionGroup):
        await run(probes, first, path, at_once=1)
    second = Scripted()
    gathered = await run(probes, second, path)
    assert len(first.asked) == 4
    assert sorted(first.asked + second.asked) == sorted(each.id for each in probes)
    assert len(gathered.answers["local"]) == 9


async def test_a_line_that_a_crash_cut_off_is_asked_for_again(path: Path, probe: MakeProbe) -> None:
    probes = [probe("a"), probe("b")]
    await run(probes, Scripted(), path)
    path.write_text(path.read_text().rstrip("\n")[:-30])
    again = Scripted()
    await run(probes, again, path)
    assert len(again.asked) == 1
    third = Scripted()
    await run(probes, third, path)
    assert third.asked == []


async def test_another_model_and_a_changed_probe_are_asked_anew(path: Path, probe: MakeProbe) -> None:
    await run([probe("a")], Scripted(), path)
    other, changed, fresh = Scripted(key="other"), Scripted(), Scripted()
    await run([probe("a")], other, path)
    await run([probe("a", gold=5)], changed, path)
    await run([probe("a")], fresh, path, fresh=True)
    assert [len(side.asked) for side in (other, changed, fresh)] == [1, 1, 1]


async def test_the_journal_is_for_its_owner_alone(path: Path, probe: MakeProbe) -> None:
    await run([probe("a")], Scripted(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_journal_that_others_could_read_is_closed_to_them(path: Path, probe: MakeProbe) -> None:
    path.touch(mode=0o644)
    path.chmod(0o644)
    await run([probe("a")], Scripted(), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_link_in_place_of_the_journal_is_not_followed(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    elsewhere.write_text("mine")
    path.symlink_to(elsewhere)
    for fresh in (False, True):
        with pytest.raises(ConfigurationError, match="cannot write"):
            Journal(path, fresh=fresh)
    assert elsewhere.read_text() == "mine"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"text": None}, id="no text"),
        pytest.param({"text": 7}, id="a number for a text"),
        pytest.param({"prompt_tokens": "7"}, id="a text for a number"),
        pytest.param({"kept": 1}, id="a number for a word"),
        pytest.param({"begun": "x"}, id="a text for a beginning"),
        pytest.param({"begun": {"text": "x"}}, id="half a beginning"),
        pytest.param({"side": ["a"]}, id="a list for a side"),
    ],
)
async def test_a_line_that_was_changed_is_asked_again(path: Path, probe: MakeProbe, damage: dict[str, Any]) -> None:
    await run([probe("a")], Scripted(), path)
    lines = [line for line in path.read_text().split("\n") if line]
    path.write_text(
        "\n".join(json.dumps(json.loads(line) | damage) for line in [*lines, *lines]) + "\n" + "[" * 100_000
    )
    again = Scripted()
    await run([probe("a")], again, path)
    assert len(again.asked) == 1


async def test_what_may_pass_is_tried_again_and_what_does_not_is_counted(path: Path, probe: MakeProbe) -> None:
    busy = BackendError("busy", status=429, retry_after_s=0.001)
    side = Scripted(fails={"a.en": [busy], "b.en": [busy] * TRIES})
    gathered = await run([probe("a"), probe("b"), probe("c")], side, path)
    assert set(gathered.answers["local"]) == {"a.en", "c.en"}
    assert gathered.failed == {"local": 1}
    assert side.asked.count("b.en") == TRIES


async def test_a_model_that_takes_no_such_request_ends_the_run_with_its_own_words(path: Path, probe: MakeProbe) -> None:
    probes = [probe(str(number)) for number in range(3 * PATIENCE)]
    side = Scripted(fails={each.id: [BadRequest("it takes no temperature")] for each in probes})
    with pytest.raises(BadRequest, match="no temperature"):
        await run(probes, side, path, at_once=1)
    assert len(side.asked) == PATIENCE


async def test_progress_counts_what_is_known_already(path: Path, probe: MakeProbe) -> None:
    probes = [probe(str(number)) for number in range(4)]
    await run(probes[:2], Scripted(), path)
    told: list[tuple[int, int]] = []
    with Journal(path) as journal:
        await gather(probes, [("local", Scripted(), 1)], journal, lambda _, done, total: told.append((done, total)))
    assert told == [(2, 4), (3, 4), (4, 4)]


def test_how_an_answer_began_is_read_again_as_the_cascade_reads_it() -> None:
    begun = {"text": "Par", "figures": [[-0.1, 0.5, 2.0], [-0.3, 0.7, 1.0]], "finished": False}
    told = beginning(Answer("Paris", begun=begun))
    assert told is not None
    assert (told.text, told.tokens, told.finished) == ("Par", 2, False)
    assert told.sureness is not None
    assert told.sureness.mean_logprob == pytest.approx(-0.2)
    assert beginning(Answer("Paris")) is None

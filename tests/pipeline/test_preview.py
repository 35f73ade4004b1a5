"""A preview reads what the line reads and changes nothing: no traffic, no cache, no memory, no backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.memory import MemoryAudit
from gateway.core.confidence import Confidence
from gateway.core.errors import AuditUnavailable
from gateway.core.ports import Answer
from gateway.core.records import AuditRecord, Receipt
from gateway.core.types import Assessment, Decision, Finding, Place, Request, Scan, Score, Standing, Zone
from tests.support.line import IBAN, Lines, WordDetector, asking

pytestmark = pytest.mark.anyio


@dataclass
class CountingTraffic:
    told: list[str] = field(default_factory=list)

    def standing(self, request: Request, score: Score) -> Standing:
        self.told.append("standing")
        return Standing(0.9, 0.8, 0.2)

    def look(self, request: Request, score: Score) -> Standing:
        return Standing(0.9, 0.8, 0.2)

    def went(self, request: Request, assessment: Assessment, zone: Zone, *, answered: bool = False) -> None:
        self.told.append("went")


class OneTaint:
    """Remembers one thing of an earlier request."""

    def __init__(self) -> None:
        self.watched = 0

    async def recall(self, request: Request) -> Scan:
        return Scan((Finding("taint", "iban", "financial", 1.0, Place("$", 0, 0, "taint")),))

    def watch(self, request: Request, assessment: Assessment, decision: Decision) -> Answer | None:
        self.watched += 1
        return None


class Drafting:
    most_tokens, most_s = 8, 1.0

    def drafts(self, assessment: Assessment) -> bool:
        return True

    def gain(self, assessment: Assessment, sureness: Confidence | None, text: str, ended: bool) -> float | None:
        raise AssertionError("nothing is drafted")


class DownAudit(MemoryAudit):
    async def write(self, record: AuditRecord, *, durable: bool = True) -> Receipt:
        raise AuditUnavailable("the disk is full")


async def test_a_preview_counts_nowhere_and_reads_all(tmp_path: Path) -> None:
    traffic, taints = CountingTraffic(), OneTaint()
    line = Lines(tmp_path, traffic=traffic, taints=taints)()
    told = await line.preview(asking())
    assert (told["kinds"], told["level"], told["zone"]) == ({"iban": 1}, "confidential", "local")
    assert [told["scores"][name] for name in ("rank", "quality", "share")] == [0.9, 0.8, 0.2]
    assert (traffic.told, taints.watched, line.watcher.outcomes) == ([], 0, [])
    assert line.local.calls == line.remotes["large"].calls == 0  # type: ignore[union-attr]
    await line.ask(asking())
    assert traffic.told  # the line itself does tell


async def test_what_was_previewed_is_no_hit_in_the_cache(tmp_path: Path) -> None:
    line = Lines(tmp_path)()
    await line.preview(asking())
    await line.ask(asking())
    assert (line.outcome.cache, line.remotes["large"].calls) == ("miss", 1)


async def test_it_is_told_whether_the_local_models_beginning_would_decide(tmp_path: Path) -> None:
    line = Lines(tmp_path, cascade=Drafting())()
    assert (await line.preview(asking()))["draft"] is True
    assert (await line.preview(asking(f"IBAN {IBAN}")))["draft"] is False
    assert (await Lines(tmp_path)().preview(asking()))["draft"] is False


async def test_a_preview_leaves_one_record_without_a_word_of_the_request(tmp_path: Path) -> None:
    line = Lines(tmp_path)()
    await line.preview(asking(f"IBAN {IBAN}"))
    (record,) = line.audit.records
    assert (record.event, record.request_id, record.canonical) == ("explained", "r1", None)
    assert IBAN not in repr(record)


async def test_without_a_log_a_preview_is_still_given_because_nothing_leaves(tmp_path: Path) -> None:
    line = Lines(tmp_path)(audit=DownAudit())
    assert (await line.preview(asking()))["zone"] == "remote"


async def test_a_detector_that_breaks_is_told_as_unreadable(tmp_path: Path) -> None:
    line = Lines(tmp_path)(detector=WordDetector(breaks=frozenset({1})))
    told: Any = await line.preview(asking())
    assert (told["level"], told["unreadable"], told["zone"]) == ("unknown", {"detector_failed": 1}, "local")

"""Which way the privacy of a request fails that may leave only changed: rules 12 and 14 of `test_sensitivity.py`, the
memory of answers, the guard over them, and the door after a transform."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.api.errors import event
from gateway.core.errors import BackendBroke, EgressDenied
from gateway.core.own_rules import OwnException, OwnRules
from gateway.core.types import Chunk
from gateway.detect import Scanner
from gateway.detect.own import OwnDetector
from gateway.transform import Guard, Pseudonymise
from gateway.transform.placeholders import tag_of
from tests.support.failing import (
    ASKED,
    MASKED,
    SECRET,
    BrokenTransform,
    Failing,
    answering,
    fitted,
    stays,
    told,
)
from tests.support.line import IBAN, Line, Lines, ScriptedLocal, ScriptedRemote, Step, asking

pytestmark = pytest.mark.anyio

GUARDED = MASKED + "scan_answer: confidential\n"


# ── 12 The map of placeholders ──────────────────────────────────────────────────────────────────────────────────────

SAID: tuple[Step, ...] = (
    [Chunk(0, {"content": "It is "})],
    [Chunk(0, {"content": "[IBAN_1"})],
    [Chunk(0, {"content": "_k7f2]."})],
    [Chunk(0, {}, "stop")],
)


@pytest.fixture
def masked(lines: Lines, scanner: Scanner) -> Callable[..., Line]:
    def make(*scripts: Any, policy: str = MASKED, **parts: Any) -> Line:
        transforms = {"pseudonymise": Pseudonymise(scanner, SECRET)}
        return fitted(
            lines(ScriptedRemote("large", *scripts), policy=policy, detector=scanner),
            **{"transforms": transforms, "guard": Guard(scanner), **parts},
        )

    return make


@pytest.mark.parametrize(
    "error", [KeyError(IBAN), EgressDenied("cannot"), MemoryError()], ids=lambda e: type(e).__name__
)
async def test_rule_12_a_transform_that_fails_keeps_the_request(masked: Callable[..., Line], error: Exception) -> None:
    line = masked(transforms={"pseudonymise": BrokenTransform(error)})
    await stays(line, ASKED)
    assert line.audit.events("r1") == ["decided", "kept", "outcome"]


async def test_rule_12_a_transform_that_is_not_there_keeps_the_request(masked: Callable[..., Line]) -> None:
    await stays(masked(transforms={}), ASKED)


async def test_rule_12_a_way_back_that_gives_up_ends_the_answer_where_it_is(masked: Callable[..., Line]) -> None:
    line = masked(SAID, transforms={"pseudonymise": BrokenTransform(RuntimeError(f"lost {IBAN}"), pieces=1)})
    text, error = await told(line, asking(ASKED))
    assert text == "It is "
    assert isinstance(error, RuntimeError)
    assert b"DE89" not in event(error)
    assert (line.outcome.outcome, line.outcome.error) == ("error", "RuntimeError")


async def test_rule_12_an_answer_cut_inside_a_placeholder_shows_no_half_of_a_value(masked: Callable[..., Line]) -> None:
    tag = tag_of(asking(ASKED), SECRET)
    script = ([Chunk(0, {"content": f"It is [IBAN_DE_1_{tag[:2]}"})], BackendBroke("gone"))
    text, error = await told(masked(script), asking(ASKED))
    assert isinstance(error, BackendBroke)
    assert "DE89" not in text


async def test_rule_12_what_stands_for_nothing_here_is_left_as_it_is_and_counted(masked: Callable[..., Line]) -> None:
    tag, other = tag_of(asking(ASKED), SECRET), tag_of(asking("Another one."), SECRET)
    script = answering(f"[IBAN_DE_1_{tag}] [IBAN_DE_7_", f"{tag}] [IBAN_DE_1_{other}] [PERSON_1_", "zzzz]")
    line = masked(script)
    text, error = await told(line, asking(ASKED))
    assert error is None
    assert text == f"{IBAN} [IBAN_DE_7_{tag}] [IBAN_DE_1_{other}] [PERSON_1_zzzz]"
    assert line.outcome.unrestored >= 1


async def test_rule_12_no_request_gets_the_value_of_another(masked: Callable[..., Line]) -> None:
    mine, theirs = "IT60 X054 2811 1010 0000 0123 456", IBAN
    one, two = asking(f"Why would {theirs} be refused?"), asking(f"Is {mine} Italian?", id="r2", tenant="other")
    crossed = answering(f"[IBAN_DE_1_{tag_of(one, SECRET)}] and [IBAN_IT_1_{tag_of(two, SECRET)}]")
    line = masked(crossed)
    first, second = await told(line, one), await told(line, two)
    assert theirs in first[0]
    assert mine in second[0]
    assert mine not in first[0]
    assert theirs not in second[0]


# ── 14 An error in the middle of a stream ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [RuntimeError(ASKED), KeyError(ASKED), UnicodeEncodeError("ascii", ASKED, 0, 1, ASKED)],
    ids=lambda e: type(e).__name__,
)
async def test_rule_14_an_error_in_the_middle_says_nothing_of_the_request(lines: Lines, error: Exception) -> None:
    line = lines(local=ScriptedLocal([[Chunk(0, {"content": "Hel"})], error]))
    _, raised = await told(line, asking(ASKED))
    assert raised is error
    assert b"refused" not in event(raised)
    assert b"DE89" not in event(raised)
    assert ASKED not in repr(line.audit.records)
    assert ASKED not in repr(line.outcome)


# ── The memory, the guard, the door ─────────────────────────────────────────────────────────────────────────────────


class RaisingTaints:
    """Breaks its promise never to raise."""

    async def recall(self, request: Any) -> Any:
        raise RuntimeError("the memory broke")

    def watch(self, request: Any, assessment: Any, decision: Any) -> None:
        return None


async def test_a_memory_that_raises_leaves_the_request_unread_and_here(lines: Lines) -> None:
    line = fitted(lines(), taints=RaisingTaints())
    assert await stays(line) == "taint_unavailable"


LONG = "The transfer was booked in the morning and nobody asked about it afterwards. "


@pytest.mark.parametrize("good_for", [2, 3, 4])
async def test_a_guard_that_fails_in_the_middle_shows_nothing_that_was_not_scanned(
    masked: Callable[..., Line], scanner: Scanner, good_for: int
) -> None:
    detector = Failing(scanner, good_for=good_for - 2)
    pieces = [LONG, LONG, f"It went to {IBAN}. ", LONG]
    line = masked(answering(*pieces), policy=GUARDED, guard=Guard(detector))
    text, _ = await told(line, asking())
    assert "DE89" not in text
    assert text.count(LONG.strip()) <= good_for - 2
    assert "redacted: unreadable" in text
    assert detector.scans > detector.good_for


@pytest.mark.parametrize("good_for", [1, 2], ids=["while it transforms", "at the door"])
async def test_a_detector_that_fails_after_the_decision_keeps_the_request(
    masked: Callable[..., Line], scanner: Scanner, good_for: int
) -> None:
    detector = Failing(scanner, good_for=good_for)
    line = masked(detector=detector, transforms={"pseudonymise": Pseudonymise(detector, SECRET)})
    await stays(line, ASKED)
    assert detector.scans == good_for + 1
    assert line.audit.events("r1") == ["decided", "kept", "outcome"]


async def test_a_wire_that_puts_a_value_back_into_masked_text_sends_nothing(lines: Lines, scanner: Scanner) -> None:
    line = lines(ScriptedRemote("large", adds=f"Account {IBAN}"), policy=MASKED, detector=scanner)
    await stays(fitted(line, transforms={"pseudonymise": Pseudonymise(scanner, SECRET)}), ASKED)


async def test_an_exception_of_the_house_does_not_hide_the_value_beside_it(lines: Lines, scanner: Scanner) -> None:
    own = OwnRules(exceptions=(OwnException(("DE89370400440532013000",)),), digest="d")
    line = lines(detector=OwnDetector(scanner, lambda: own))
    assert await stays(line, f"{IBAN} or IT60X0542811101000000123456?") == ""

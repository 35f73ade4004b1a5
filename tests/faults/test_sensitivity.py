"""Which way the privacy of a request fails: fifteen rules, each broken on purpose. Here inside this process; what needs
a running gateway is in `test_sensitivity_served.py`. Zero bytes outside, or an error: there is no third outcome.

    rule                                           tests whose names begin with
     1 a detector raises                           test_rule_01
     2 a detector is late                          test_rule_02
     3 rules missing, damaged or changed           test_rule_03   (served)
     4 a policy that does not parse                test_rule_04   (served)
     5 a body or part that nobody can read         test_rule_05   (here and served)
     6 a text too long                             test_rule_06
     7 a script that no rule reads                 test_rule_07   (here and served)
     8 validators disagree                         test_rule_08
     9 the local model is down                     test_rule_09   (here and served)
    10 the list of other backends                  test_rule_10
    11 the audit log is down                       test_rule_11
    12 the map of placeholders is lost             test_rule_12   (here and served)
    13 a client's header                           test_rule_13   (served)
    14 an error in the middle of a stream          test_rule_14   (here and served)
    15 monitoring instead of enforcing             test_rule_15   (served)
    and: the memory of answers, the transforms, the guard over answers, the door after a transform
"""

from __future__ import annotations

import base64
import io
import os
import signal
import subprocess
import zipfile
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.api.errors import event
from gateway.audit.memory import MemoryAudit
from gateway.core.errors import AuditUnavailable, BackendBroke, EgressDenied, LocalUnavailable, UnsupportedContent
from gateway.core.own_rules import OwnException, OwnRule, OwnRules
from gateway.core.ports import Detector
from gateway.core.types import Chunk, Sensitivity, Zone
from gateway.detect import Scanner, rules
from gateway.detect.attachments import Attachments, Limits
from gateway.detect.candidate import Candidate, Confirmed
from gateway.detect.own import OwnDetector
from gateway.detect.pack import SLICE, Pack, checks, gate_for
from gateway.detect.scripts import Scripts
from gateway.detect.stack import Stack
from gateway.detect.tier import Tier
from gateway.settings import Settings
from gateway.transform import Guard, Pseudonymise
from gateway.transform.placeholders import tag_of
from gateway.wiring.detection import build_stack
from tests.support.detectors import Names
from tests.support.line import HARD, IBAN, Line, Lines, ScriptedLocal, ScriptedRemote, Step, asking, text_of

pytestmark = pytest.mark.anyio

MASKED = """
name: test
permit:
  - {name: masked, zone: remote, with: pseudonymise,
     when: {sensitivity: {at_most: confidential}, complexity: {at_least: 0.55}}}
"""
GUARDED = MASKED + "scan_answer: confidential\n"
HOUSE = """
name: test
permit:
  - {name: house, zone: private, when: {sensitivity: {at_most: confidential}, complexity: {at_least: 0.5}}}
  - {name: out, zone: remote, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.5}}}
"""
UNRECORDED = MASKED + "without_record: local\n"
SECRET = b"s" * 32
ASKED = f"Why would {IBAN} be refused?"


def stayed(line: Line) -> None:
    for remote in line.remotes.values():
        assert (remote.calls, remote.sent) == (0, [])


async def stays(line: Line, text: str = HARD, **more: Any) -> str:
    """The request is answered here and nothing left. Says why nobody could read it."""
    reply, _ = await line.ask(asking(text, **more))
    assert reply.way.backend == "local"
    stayed(line)
    unread = line.audit.records[0].facts["unreadable"]
    return str(unread[0]["reason"]) if unread else ""


def raising(_: Candidate) -> Iterable[Confirmed]:
    raise RuntimeError("a rule broke")


def broken_rules() -> OwnRules:
    raise RuntimeError("the policy's words are gone")


class RaisingNames:
    digest = "raising"

    def spans(self, text: str) -> list[tuple[int, int, str, float]]:
        raise RuntimeError("the tagger broke")


# ── 1 A detector raises ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["a rule", "the tagger", "an optional tier", "the house's own rules", "all of it"])
def raises(request: pytest.FixtureRequest, scanner: Scanner, packs: Path, failing: type[Any]) -> Detector:
    packed = rules.load()
    pack = Pack(packed, gate_for(packed, cache_dir=packs), {**checks(), "iban": raising})
    made: dict[str, Callable[[], Detector]] = {
        "a rule": lambda: Scanner(pack, deadline_ms=5000),
        "the tagger": lambda: Scanner(Pack(packed, pack.gate), deadline_ms=5000, tagger=RaisingNames()),
        "an optional tier": lambda: Stack(scanner, [Tier(Names(fails=RuntimeError("gone")))]),
        "the house's own rules": lambda: OwnDetector(scanner, broken_rules),
        "all of it": lambda: failing(scanner),
    }
    return made[request.param]()


async def test_rule_01_a_detector_that_raises_leaves_the_request_unread_and_here(
    lines: Lines, raises: Detector
) -> None:
    line = lines(detector=raises)
    assert await stays(line, f"{HARD} {IBAN}") == "detector_failed"
    assert line.outcome.level == str(Sensitivity.UNKNOWN)


def docx(text: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", f"<w:document><w:p><w:r><w:t>{text}</w:t></w:r></w:p></w:document>")
    return out.getvalue()


def with_file(data: bytes, name: str = "a.docx") -> list[dict[str, Any]]:
    file = {"file_data": base64.b64encode(data).decode(), "filename": name}
    return [{"role": "user", "content": [{"type": "text", "text": HARD}, {"type": "file", "file": file}]}]


@pytest.fixture
async def attachments(scanner: Scanner) -> AsyncIterator[Attachments]:
    made = Attachments(scanner)
    yield made
    await made.aclose()


async def test_rule_01_a_process_that_dies_over_a_file_leaves_it_unread_and_here(
    lines: Lines, attachments: Attachments
) -> None:
    line = lines(detector=attachments)
    reply, _ = await line.ask(asking(messages=with_file(docx("Nothing to hide."))))
    assert reply.way.backend == "large", "a file that was read to its end and holds nothing may go"
    for child in children():
        os.kill(child, signal.SIGKILL)
    line = lines(detector=attachments)
    assert "detector_failed" in await refused(line, with_file(docx("Nothing to say.")))


def children() -> set[int]:
    told = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return {int(line.split()[0]) for line in told.stdout.splitlines() if "attachments.child" in line}


async def refused(line: Line, messages: list[dict[str, Any]]) -> str:
    """Nothing left, and no model here can read it either. Says why."""
    with pytest.raises(UnsupportedContent) as raised:
        await line.ask(asking(messages=messages))
    stayed(line)
    return str(raised.value)


# ── 2 A detector is late ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(params=["the rules", "an optional tier", "the house's own rules", "a script"])
def late(request: pytest.FixtureRequest, scanner: Scanner, packs: Path) -> Detector:
    own = OwnRules((OwnRule("project", "confidential", literals=("Falcon",)),), digest="d")
    made: dict[str, Callable[[], Detector]] = {
        "the rules": lambda: Scanner.load(cache_dir=packs, deadline_ms=0.0001),
        "an optional tier": lambda: Stack(scanner, [Tier(Names(hangs=True), deadline_s=0.01)]),
        "the house's own rules": lambda: OwnDetector(scanner, lambda: own, deadline_ms=0.0001),
        "a script": lambda: Scripts(scanner, deadline_ms=0.0001),
    }
    return made[request.param]()


async def test_rule_02_a_detector_that_is_late_leaves_the_request_unread_and_here(lines: Lines, late: Detector) -> None:
    assert await stays(lines(detector=late), f"{HARD} Déjà vu. " * 50) == "deadline"


async def test_rule_02_a_file_that_takes_too_long_stays_unread_and_here(lines: Lines, scanner: Scanner) -> None:
    attachments = Attachments(scanner, Limits(wall_s=0.001))
    line = lines(detector=attachments)
    assert "deadline" in await refused(line, with_file(docx("Nothing to hide.")))
    await attachments.aclose()


# ── 5 A part that nobody can read ───────────────────────────────────────────────────────────────────────────────────

PARTS: dict[str, Any] = {
    "a type nobody knows": {"type": "hologram", "text": "hello"},
    "no type": {"hologram": "hello"},
    "no object": 7,
    "an image": {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
    "a sound": {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
    "a file by number": {"type": "file", "file": {"file_id": "file-abc123"}},
    "a file of no known type": {"type": "file", "file": {"file_data": "AAAA", "filename": "a.bin"}},
    "a damaged document": {"type": "file", "file": {"file_data": "UEsDBA==", "filename": "a.docx"}},
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS.keys())
async def test_rule_05_a_part_that_nobody_can_read_goes_nowhere(
    lines: Lines, attachments: Attachments, part: Any
) -> None:
    line = lines(detector=attachments)
    messages = [{"role": "user", "content": [{"type": "text", "text": HARD}, part]}]
    try:
        reply, _ = await line.ask(asking(messages=messages, model="large"))
        assert reply.way.backend == "local"
    except UnsupportedContent:
        assert line.outcome.outcome == "refused"
    stayed(line)
    assert line.outcome.level == str(Sensitivity.UNKNOWN)


# ── 6 A text too long ───────────────────────────────────────────────────────────────────────────────────────────────

BORDERS = [slices * SLICE - before for slices in (1, 2, 14) for before in (0, 1, 11, 21, 26)]


@pytest.mark.parametrize("start", BORDERS)
async def test_rule_06_a_value_across_a_border_of_slices_is_found(lines: Lines, scanner: Scanner, start: int) -> None:
    line = lines(detector=scanner)
    text = ("lorem ipsum " * 6000)[:start] + " " + IBAN + " dolor sit amet" * 100
    assert await stays(line, text) == ""
    assert line.outcome.kinds == ("iban",)


@pytest.mark.parametrize("before", [0, 11, 22, 399])
async def test_rule_06_a_value_across_a_border_of_a_files_windows_is_found(
    lines: Lines, attachments: Attachments, before: int
) -> None:
    text = ("lorem ipsum " * 6000)[: 40_000 - before - 1] + " " + IBAN + " dolor sit amet" * 100
    line = lines(detector=attachments)
    await line.ask(asking(messages=with_file(text.encode(), "a.txt")))
    stayed(line)
    assert "iban" in line.outcome.kinds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("lorem ipsum " * 300_000, "deadline", id="more than can be read in time"),
        pytest.param("x" * 8_000_001, "too_large", id="more than is read at all"),
    ],
)
async def test_rule_06_beyond_the_cap_a_request_stays(lines: Lines, packs: Path, text: str, reason: str) -> None:
    assert await stays(lines(detector=Scanner.load(cache_dir=packs)), text) == reason


async def test_rule_06_what_is_nested_too_deep_stays(lines: Lines, scanner: Scanner) -> None:
    deep: Any = IBAN
    for _ in range(80):
        deep = {"a": deep}
    assert await stays(lines(detector=scanner), metadata=deep) == "too_deep"


# ── 7 A script that no rule reads ───────────────────────────────────────────────────────────────────────────────────

OTHER_SCRIPTS = {
    "Russian": "Докажите, что простых чисел бесконечно много, и обобщите доказательство.",
    "Greek": "Αποδείξτε ότι υπάρχουν άπειροι πρώτοι αριθμοί.",
    "Arabic": "أثبت أن هناك عددا لا نهائيا من الأعداد الأولية.",
    "Hebrew": "הוכח שיש אינסוף מספרים ראשוניים.",
    "Chinese": "请证明素数有无穷多个。",
    "Japanese": "素数が無限に存在することを証明してください。",
    "Korean": "소수가 무한히 많음을 증명하십시오.",
    "Thai": "จงพิสูจน์ว่ามีจำนวนเฉพาะอยู่มากมายไม่สิ้นสุด",
    "English about Russian": f"{HARD} Then answer this: Почему у моего отца болит сердце?",
}
LATIN = {
    "Polish": "Udowodnij, że istnieje nieskończenie wiele liczb pierwszych.",
    "a Greek formula": "Prove that α + β ≤ γ whenever Δ < ε and λ = π.",
    "a Russian word": "What does Достоевский mean?",
    "wide letters": "Ｐｒｏｖｅ ｔｈａｔ ｔｈｅｒｅ ａｒｅ ｍａｎｙ ｐｒｉｍｅｓ",
    "bold letters": "𝐏𝐫𝐨𝐯𝐞 𝐭𝐡𝐚𝐭 𝐭𝐡𝐞𝐫𝐞 𝐚𝐫𝐞 𝐦𝐚𝐧𝐲 𝐩𝐫𝐢𝐦𝐞𝐬",
    "many faces": HARD + "😀" * 200,
}


@pytest.mark.parametrize("text", OTHER_SCRIPTS.values(), ids=OTHER_SCRIPTS.keys())
async def test_rule_07_a_text_in_a_script_that_no_rule_reads_stays(lines: Lines, scanner: Scanner, text: str) -> None:
    assert await stays(lines(detector=Scripts(scanner)), text) == "script"


@pytest.mark.parametrize("text", LATIN.values(), ids=LATIN.keys())
async def test_rule_07_latin_letters_and_a_few_others_do_not_keep_a_text(
    lines: Lines, scanner: Scanner, text: str
) -> None:
    line = lines(detector=Scripts(scanner))
    await line.ask(asking(text))
    assert line.audit.records[0].facts["unreadable"] == []


@pytest.mark.parametrize(("choice", "backend"), [(None, "local"), ("pass", "large")])
async def test_rule_07_the_operator_may_let_other_scripts_pass(
    lines: Lines, packs: Path, choice: str | None, backend: str
) -> None:
    settings = Settings.model_validate({"detect": {"other_scripts": choice} if choice else {}})
    line = lines(detector=build_stack(settings, packs, packs, None))
    reply, _ = await line.ask(asking(OTHER_SCRIPTS["Chinese"]))
    assert reply.way.backend == backend
    reply, _ = await line.ask(asking(f"{OTHER_SCRIPTS['Chinese']} {IBAN}", id="r2"))
    assert reply.way.backend == "local"


# ── 8 Validators disagree ───────────────────────────────────────────────────────────────────────────────────────────


async def test_rule_08_an_account_that_one_validator_turns_down_is_still_one(lines: Lines, scanner: Scanner) -> None:
    """Its own check digits are right; those of the Spanish account inside are not, which the other library minds."""
    from stdnum import iban

    account = "21000418450200051333"
    digits = "".join(str(int(sign, 36)) for sign in account + "ES00")
    value = f"ES{98 - int(digits) % 97:02d}{account}"
    assert iban.is_valid(value, check_country=False)
    assert not iban.is_valid(value)
    line = lines(detector=scanner)
    assert await stays(line, f"{HARD} {value}") == ""
    assert line.outcome.kinds == ("iban",)


async def test_rule_08_a_tier_that_sees_nothing_takes_no_finding_away(lines: Lines, scanner: Scanner) -> None:
    line = lines(detector=Stack(scanner, [Tier(Names())]))
    await stays(line, ASKED)
    assert line.outcome.kinds == ("iban",)


# ── 9, 10, 11 What stands around the request ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("policy", [HOUSE, MASKED], ids=["house", "masked"])
async def test_rule_09_without_the_local_model_a_restricted_request_goes_nowhere(
    lines: Lines, scanner: Scanner, policy: str
) -> None:
    line = lines(ScriptedRemote("large"), ScriptedRemote("house", zone=Zone.PRIVATE), policy=policy, off=True,
                 detector=scanner)  # fmt: skip
    with pytest.raises(LocalUnavailable):
        await line.ask(asking("My key is AKIA" + "IOSFODNN7EXAMPLX, and my card is 4539 1488 0343 6467."))
    stayed(line)


async def test_rule_10_the_next_backend_is_one_that_the_level_permits(lines: Lines, scanner: Scanner) -> None:
    house = ScriptedRemote("house", [BackendBroke("broke", status=503)], zone=Zone.PRIVATE)
    line = lines(house, ScriptedRemote("large"), ScriptedRemote("other"), policy=HOUSE, detector=scanner)
    reply, _ = await line.ask(asking(ASKED))
    assert (reply.way.backend, house.calls) == ("local", 1)
    assert (line.remotes["large"].sent, line.remotes["other"].sent) == ([], [])
    public, _ = await line.ask(asking(id="r2"))
    assert public.way.backend in {"large", "other"}, "what nothing was found in may go there"


@pytest.mark.parametrize("policy", [MASKED, UNRECORDED], ids=["refuse", "local"])
@pytest.mark.parametrize("events", [{"attempt"}, {"decided", "attempt", "kept"}], ids=["the attempt", "anything"])
async def test_rule_11_without_a_record_nothing_leaves_masked_either(
    lines: Lines, scanner: Scanner, fitted: Callable[..., Line], policy: str, events: set[str]
) -> None:
    line = fitted(
        lines(policy=policy, detector=scanner, audit=MemoryAudit(fail_events=events)),
        transforms={"pseudonymise": Pseudonymise(scanner, SECRET)},
    )
    if policy == MASKED:
        with pytest.raises(AuditUnavailable):
            await line.ask(asking(ASKED))
    else:
        assert (await line.ask(asking(ASKED)))[0].way.backend == "local"
    stayed(line)


# ── 12 The map of placeholders ──────────────────────────────────────────────────────────────────────────────────────

SAID: tuple[Step, ...] = (
    [Chunk(0, {"content": "It is "})],
    [Chunk(0, {"content": "[IBAN_1"})],
    [Chunk(0, {"content": "_k7f2]."})],
    [Chunk(0, {}, "stop")],
)


@pytest.fixture
def masked(lines: Lines, scanner: Scanner, fitted: Callable[..., Line]) -> Callable[..., Line]:
    def make(*scripts: Any, policy: str = MASKED, **parts: Any) -> Line:
        transforms = {"pseudonymise": Pseudonymise(scanner, SECRET)}
        return fitted(
            lines(ScriptedRemote("large", *scripts), policy=policy, detector=scanner),
            **{"transforms": transforms, "guard": Guard(scanner), **parts},
        )

    return make


async def told(line: Line, request: Any) -> tuple[str, Exception | None]:
    """All that the client was shown, and what ended it."""
    shown: list[Chunk] = []
    try:
        async with line.pipeline.handle(request) as reply:
            async for pieces in reply.pieces:
                shown.extend(pieces)
    except Exception as error:
        return text_of(shown), error
    return text_of(shown), None


def answering(*texts: str) -> tuple[Step, ...]:
    return (*([Chunk(0, {"content": text})] for text in texts), [Chunk(0, {}, "stop")])


@pytest.mark.parametrize(
    "error", [KeyError(IBAN), EgressDenied("cannot"), MemoryError()], ids=lambda e: type(e).__name__
)
async def test_rule_12_a_transform_that_fails_keeps_the_request(
    masked: Callable[..., Line], broken_transform: type[Any], error: Exception
) -> None:
    line = masked(transforms={"pseudonymise": broken_transform(error)})
    await stays(line, ASKED)
    assert line.audit.events("r1") == ["decided", "kept", "outcome"]


async def test_rule_12_a_transform_that_is_not_there_keeps_the_request(masked: Callable[..., Line]) -> None:
    await stays(masked(transforms={}), ASKED)


async def test_rule_12_a_way_back_that_gives_up_ends_the_answer_where_it_is(
    masked: Callable[..., Line], broken_transform: type[Any]
) -> None:
    line = masked(SAID, transforms={"pseudonymise": broken_transform(RuntimeError(f"lost {IBAN}"), pieces=1)})
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


async def test_a_memory_that_raises_leaves_the_request_unread_and_here(
    lines: Lines, fitted: Callable[..., Line]
) -> None:
    line = fitted(lines(), taints=RaisingTaints())
    assert await stays(line) == "taint_unavailable"


LONG = "The transfer was booked in the morning and nobody asked about it afterwards. "


@pytest.mark.parametrize("good_for", [2, 3, 4])
async def test_a_guard_that_fails_in_the_middle_shows_nothing_that_was_not_scanned(
    masked: Callable[..., Line], scanner: Scanner, failing: type[Any], good_for: int
) -> None:
    detector = failing(scanner, good_for=good_for - 2)
    pieces = [LONG, LONG, f"It went to {IBAN}. ", LONG]
    line = masked(answering(*pieces), policy=GUARDED, guard=Guard(detector))
    text, _ = await told(line, asking())
    assert "DE89" not in text
    assert text.count(LONG.strip()) <= good_for - 2
    assert "redacted: unreadable" in text
    assert detector.scans > detector.good_for


@pytest.mark.parametrize("good_for", [1, 2], ids=["while it transforms", "at the door"])
async def test_a_detector_that_fails_after_the_decision_keeps_the_request(
    masked: Callable[..., Line], scanner: Scanner, failing: type[Any], good_for: int
) -> None:
    detector = failing(scanner, good_for=good_for)
    line = masked(detector=detector, transforms={"pseudonymise": Pseudonymise(detector, SECRET)})
    await stays(line, ASKED)
    assert detector.scans == good_for + 1
    assert line.audit.events("r1") == ["decided", "kept", "outcome"]


async def test_a_wire_that_puts_a_value_back_into_masked_text_sends_nothing(
    lines: Lines, scanner: Scanner, fitted: Callable[..., Line]
) -> None:
    line = lines(ScriptedRemote("large", adds=f"Account {IBAN}"), policy=MASKED, detector=scanner)
    await stays(fitted(line, transforms={"pseudonymise": Pseudonymise(scanner, SECRET)}), ASKED)


async def test_an_exception_of_the_house_does_not_hide_the_value_beside_it(lines: Lines, scanner: Scanner) -> None:
    own = OwnRules(exceptions=(OwnException(("DE89370400440532013000",)),), digest="d")
    line = lines(detector=OwnDetector(scanner, lambda: own))
    assert await stays(line, f"{IBAN} or IT60X0542811101000000123456?") == ""

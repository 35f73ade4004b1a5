"""Which way the privacy of a request fails: fifteen rules, each broken on purpose.

Here is what keeps a request; what changes it and its answer is in `test_sensitivity_changed.py`, what needs a running
gateway in `test_sensitivity_served.py`. Zero bytes outside, or an error: there is no third outcome.

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
    12 the map of placeholders is lost             test_rule_12   (changed and served)
    13 a client's header                           test_rule_13   (served)
    14 an error in the middle of a stream          test_rule_14   (changed and served)
    15 monitoring instead of enforcing             test_rule_15   (served)
    the memory of answers, the guard over them, the door after a transform: in the other two files
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.memory import MemoryAudit
from gateway.core.errors import AuditUnavailable, BackendBroke, LocalUnavailable, UnsupportedContent
from gateway.core.own_rules import OwnRule, OwnRules
from gateway.core.ports import Detector
from gateway.core.types import Sensitivity, Zone
from gateway.detect import Scanner, rules
from gateway.detect.attachments import Attachments, Limits
from gateway.detect.candidate import Candidate, Confirmed
from gateway.detect.own import OwnDetector
from gateway.detect.pack import SLICE, Pack, checks, gate_for
from gateway.detect.scripts import Scripts
from gateway.detect.stack import Stack
from gateway.detect.tier import Tier
from gateway.settings import Settings
from gateway.transform import Pseudonymise
from gateway.wiring.detection import build_stack
from tests.support.detectors import Names
from tests.support.failing import (
    ASKED,
    MASKED,
    SECRET,
    Failing,
    fitted,
    stayed,
    stays,
)
from tests.support.files import docx
from tests.support.line import HARD, IBAN, Line, Lines, ScriptedRemote, asking

pytestmark = pytest.mark.anyio

HOUSE = """
name: test
permit:
  - {name: house, zone: private, when: {sensitivity: {at_most: confidential}, complexity: {at_least: 0.5}}}
  - {name: out, zone: remote, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.5}}}
"""
UNRECORDED = MASKED + "without_record: local\n"


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
def raises(request: pytest.FixtureRequest, scanner: Scanner, packs: Path) -> Detector:
    packed = rules.load()
    pack = Pack(packed, gate_for(packed, cache_dir=packs), {**checks(), "iban": raising})
    made: dict[str, Callable[[], Detector]] = {
        "a rule": lambda: Scanner(pack, deadline_ms=5000),
        "the tagger": lambda: Scanner(Pack(packed, pack.gate), deadline_ms=5000, tagger=RaisingNames()),
        "an optional tier": lambda: Stack(scanner, [Tier(Names(fails=RuntimeError("gone")))]),
        "the house's own rules": lambda: OwnDetector(scanner, broken_rules),
        "all of it": lambda: Failing(scanner),
    }
    return made[request.param]()


async def test_rule_01_a_detector_that_raises_leaves_the_request_unread_and_here(
    lines: Lines, raises: Detector
) -> None:
    line = lines(detector=raises)
    assert await stays(line, f"{HARD} {IBAN}") == "detector_failed"
    assert line.outcome.level == str(Sensitivity.UNKNOWN)


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
    lines: Lines, scanner: Scanner, policy: str, events: set[str]
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

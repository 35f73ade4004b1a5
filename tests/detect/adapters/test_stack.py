"""Several detectors as one: what is merged, what is remembered, and what a tier that fails means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from gateway.core.types import Finding, Place, Scan, Unreadable
from gateway.detect import Scanner
from gateway.detect.stack import Stack
from gateway.detect.tier import Tier
from tests.support.detectors import Names
from tests.support.still import still

pytestmark = pytest.mark.anyio

PATH = "$.messages[0].content"
QUESTION = "What is the difference between a list and a tuple in Python?"


def chat(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text} for text in texts]}


class Said:
    """A first detector that says what it was told to say."""

    pack = "said"
    kinds = categories = contexts = frozenset[str]()

    def __init__(self, *findings: Finding, **scan: Any) -> None:
        self._scan = Scan(findings, pack=self.pack, **scan)

    async def scan(self, document: Any, seen: Any = None) -> Scan:
        return self._scan


def person(start: int, end: int, **more: Any) -> Finding:
    return replace(Finding("rules", "person", "person", 0.6, Place(PATH, start, end), 3), **more)


async def test_without_tiers_it_is_the_first_detector(scanner: Scanner) -> None:
    document = chat("IBAN DE89370400440532013000")
    stack = Stack(scanner)
    assert stack.pack == scanner.pack
    assert await stack.scan(document) == await scanner.scan(document)


async def test_tiers_add_and_take_nothing_away(scanner: Scanner) -> None:
    document = chat("Mario Rossi has DE89370400440532013000")
    before, after = await scanner.scan(document), await Stack(scanner, [Tier(Names())]).scan(document)
    assert before.findings
    assert [replace(f, confidence=0) for f in before.findings] == [
        replace(f, confidence=0) for f in after.findings[: len(before.findings)]
    ]
    assert all(new.confidence >= old.confidence for old, new in zip(before.findings, after.findings, strict=False))
    assert ("person", Place(PATH, 0, 11)) in {(f.kind, f.place) for f in after.findings}


async def test_the_same_thing_is_found_once_however_many_find_it() -> None:
    stack = Stack(Said(person(0, 11)), [Tier(Names("a")), Tier(Names("b"))])
    (finding,) = (await stack.scan(chat("Mario Rossi"))).findings
    assert (finding.detector, finding.confidence) == ("rules", 0.9)  # whoever is surest counts


async def test_a_finding_inside_another_of_its_kind_is_that_one() -> None:
    stack = Stack(Said(person(0, 17)), [Tier(Names())])
    assert len((await stack.scan(chat("Mario Rossi, jun."))).findings) == 1


async def test_another_kind_at_the_same_place_stays_beside_it() -> None:
    stack = Stack(Said(person(0, 11)), [Tier(Names(kind="patient"))])
    assert [f.kind for f in (await stack.scan(chat("Mario Rossi"))).findings] == ["person", "patient"]


async def test_what_is_reserved_stays_reserved() -> None:
    stack = Stack(Said(person(0, 11, reserved=True)), [Tier(Names())])
    (finding,) = (await stack.scan(chat("Mario Rossi"))).findings
    assert finding.reserved


async def test_equal_values_have_one_number_whoever_found_them() -> None:
    document = chat("Mario Rossi", "MARIO ROSSI", "Mario Rossi", "Anna Bianchi")
    scan = await Stack(Said(person(0, 11)), [Tier(Names())]).scan(document)
    assert [(f.place.path[11:12], f.value_id) for f in scan.findings] == [("0", 3), ("2", 3), ("3", 4)]


async def test_one_tiers_failure_is_no_other_tiers_failure() -> None:
    stack = Stack(Said(), [Tier(Names("bad", fails=ValueError("x"))), Tier(Names())])
    scan = await stack.scan(chat("Mario Rossi"))
    assert len(scan.findings) == 1
    assert scan.unreadable == (Unreadable("$", "detector_failed"),)


@pytest.mark.parametrize(
    ("finder", "reason"),
    [
        pytest.param(Names(fails=ValueError("text of a request")), "detector_failed", id="raises"),
        pytest.param(Names(fails=BaseExceptionGroup("x", [ValueError()])), "detector_failed", id="raises a group"),
        pytest.param(Names(fails=MemoryError()), "detector_failed", id="no memory"),
        pytest.param(Names(hangs=True), "deadline", id="hangs"),
        pytest.param(Names(end=99), "detector_failed", id="a span outside its text"),
        pytest.param(Names(start=5, end=4), "detector_failed", id="a span that ends before it begins"),
        pytest.param(Names(category="unheard"), "detector_failed", id="an unknown category"),
        pytest.param(Names(confidence=float("nan")), "detector_failed", id="a confidence that is no number"),
    ],
)
async def test_what_a_tier_did_not_read_is_unread_unless_nobody_needs_it(
    finder: Names, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    document = chat("Mario Rossi")
    needed = await Stack(Said(generic=True), [Tier(finder, deadline_s=0.05)]).scan(document)
    assert needed.unreadable == (Unreadable("$", reason),)
    assert not needed.generic
    optional = await Stack(Said(generic=True), [Tier(finder, deadline_s=0.05, required=False)]).scan(document)
    assert (optional.unreadable, optional.findings, optional.generic) == ((), (), True)
    assert "text of a request" not in caplog.text


async def test_a_tier_that_answers_for_too_few_texts_has_failed() -> None:
    class Short(Names):
        async def find(self, texts: Any) -> Any:
            return (await super().find(texts))[:-1]

    scan = await Stack(Said(), [Tier(Short())]).scan(chat("Mario Rossi", "somebody else"))
    assert scan.unreadable == (Unreadable("$", "detector_failed"),)


@still
async def test_tiers_are_asked_side_by_side() -> None:
    slow = [Names(str(number), hangs=True) for number in range(5)]
    with anyio.fail_after(0.5):
        scan = await Stack(Said(), [Tier(each, deadline_s=0.3) for each in slow]).scan(chat("hello"))
    assert scan.unreadable == (Unreadable("$", "deadline"),)


async def test_a_text_is_read_once_for_one_request() -> None:
    names, seen = Names(), {}
    stack = Stack(Said(), [Tier(names)])
    first = await stack.scan(chat("Mario Rossi", "Mario Rossi", "hello"), seen)
    assert names.asked == [["Mario Rossi", "hello"]]
    assert len(first.findings) == 2
    again = await stack.scan(chat("Mario Rossi", "something new"), seen)
    assert names.asked[1:] == [["something new"]]
    assert len(again.findings) == 1


async def test_a_failure_is_not_remembered() -> None:
    names, seen = Names(fails=ValueError()), {}
    stack = Stack(Said(), [Tier(names)])
    assert (await stack.scan(chat("Mario Rossi"), seen)).unreadable
    names._fails = None
    assert len((await stack.scan(chat("Mario Rossi"), seen)).findings) == 1


@pytest.mark.parametrize(
    ("found", "asked"),
    [pytest.param("iban", 0, id="a kind that makes it pointless"), pytest.param("email", 1, id="another kind")],
)
async def test_a_tier_is_not_asked_where_a_kind_makes_it_pointless(found: str, asked: int) -> None:
    names = Names()
    first = Said(person(0, 11, kind=found))
    await Stack(first, [Tier(names, unless=frozenset({"iban"}))]).scan(chat("Mario Rossi"))
    assert len(names.asked) == asked


async def test_the_last_tier_knows_what_the_others_found() -> None:
    last = Names("last")
    tier = Tier(last, last=True, only_if=lambda scan: not scan.findings)
    stack = Stack(Said(), [tier, Tier(Names())])
    await stack.scan(chat("Mario Rossi"))
    assert last.asked == []
    await stack.scan(chat("hello there"))
    assert last.asked == [["hello there"]]


@pytest.mark.parametrize(
    ("first", "text", "generic"),
    [
        pytest.param(Said(generic=True), "What is a lake?", True, id="nobody found anything"),
        pytest.param(Said(generic=True), "Mario Rossi", False, id="a tier found something"),
        pytest.param(
            Said(generic=True, unreadable=(Unreadable("$.x", "image"),)), "x y z", False, id="not all was read"
        ),
    ],
)
async def test_any_finding_clears_what_was_called_generic(first: Said, text: str, generic: bool) -> None:
    assert (await Stack(first, [Tier(Names())]).scan(chat(text))).generic is generic


async def test_the_pack_tells_every_tier_and_its_terms() -> None:
    def pack(*tiers: Tier) -> str:
        return Stack(Said(), tiers).pack

    a, b = Names("a"), Names("b")
    packs = [pack(), pack(Tier(a)), pack(Tier(b)), pack(Tier(a), Tier(b)), pack(Tier(a, required=False))]
    packs.append(pack(Tier(a, unless=frozenset({"iban"}))))
    assert len(set(packs)) == len(packs)
    assert (await Stack(Said(), [Tier(a)]).scan(chat("hello"))).pack == pack(Tier(a))


async def test_every_string_is_read_keys_and_tool_calls_included() -> None:
    document = {
        **chat("hello"),
        "metadata": {"Anna Bianchi": "yes"},
        "tools": [{"type": "function", "function": {"name": "f", "description": "ask Mario Rossi"}}],
    }
    scan = await Stack(Said(), [Tier(Names())]).scan(document)
    assert {f.place.path for f in scan.findings} == {"$.metadata~key[0]", "$.tools[0].function.description"}


async def test_bytes_of_pictures_are_not_read_out_to_tiers() -> None:
    names = Names()
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9000}}
    await Stack(Said(), [Tier(names)]).scan({"messages": [{"role": "user", "content": [url]}]})
    assert names.asked == []


class Broken(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("text of a request")


async def test_a_document_that_cannot_be_walked_is_unread() -> None:
    scan = await Stack(Said(generic=True), [Tier(Names())]).scan(Broken(messages=[]))
    assert scan.unreadable == (Unreadable("$", "detector_failed"),)
    assert not scan.generic


async def test_a_document_that_the_positive_test_cannot_read_is_unread() -> None:
    scan = await Stack(Said()).scan(Unlisted(messages=[{"role": "user", "content": QUESTION}]))
    assert scan.unreadable == (Unreadable("$", "detector_failed"),)
    assert not scan.generic


class Unlisted(dict[str, Any]):
    def keys(self) -> Any:
        raise RuntimeError("text of a request")


async def test_closing_closes_every_finder() -> None:
    finders = [Names("a"), Names("b")]
    await Stack(Said(), [Tier(finder) for finder in finders]).aclose()
    assert all(finder.closed for finder in finders)


@pytest.mark.parametrize(
    ("document", "generic"),
    [
        pytest.param({"messages": [{"role": "user", "content": QUESTION}]}, True, id="a general question"),
        pytest.param(
            {"model": "auto", "n": 2, "messages": [{"role": "user", "content": QUESTION}]}, True, id="options"
        ),
        pytest.param({"messages": [{"role": "user", "content": QUESTION}], "user": "u"}, False, id="more is told"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}]}, False, id="parts"
        ),
        pytest.param(
            {"messages": [{"role": "user", "content": "Write to our customer about it."}]}, False, id="a house"
        ),
        pytest.param({"text": QUESTION}, True, id="a text by itself"),
        pytest.param({"text": QUESTION, "prompt": "ours"}, False, id="a text and more"),
        pytest.param({"prompt": QUESTION}, False, id="no chat"),
    ],
)
async def test_the_positive_test_looks_at_a_chat_in_which_nothing_was_found(document: Any, generic: bool) -> None:
    assert (await Stack(Said()).scan(document)).generic is generic
    found = await Stack(Said(person(0, 4))).scan(document)
    assert not found.generic

"""What an operator's rules find, what their exceptions let be, and that neither ever fails open."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from gateway.core.own_rules import NO_RULES, OwnException, OwnRule, OwnRules
from gateway.core.types import Finding, Place, Scan, Unreadable
from gateway.detect.clock import Clock
from gateway.detect.own import OwnDetector
from gateway.detect.own.book import Book
from gateway.detect.walk import walk

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Mail:
    """An inner detector that knows one address and one key."""

    pack = "ab"
    kinds = frozenset({"email", "api_key"})
    categories: frozenset[str] = frozenset()
    contexts: frozenset[str] = frozenset()
    known = (("me@house.example", "email", "contact"), ("hunter2hunter2", "api_key", "secret"))

    def __init__(self) -> None:
        self.unreadable: tuple[Unreadable, ...] = ()

    async def scan(self, document: Mapping[str, Any], seen: dict[Any, Any] | None = None) -> Scan:
        findings: list[Finding] = []
        for text in walk(document).texts:
            for number, (value, kind, category) in enumerate(self.known, 1):
                if (at := text.text.find(value)) >= 0:
                    place = Place(text.path, at, at + len(value))
                    findings.append(Finding("mail", kind, category, 1.0, place, value_id=number))
        return Scan(tuple(findings), self.unreadable, self.pack, generic=not findings)


PROJECT = OwnRule("project", "confidential", literals=("Nordlicht", "Project Heron"))
CUSTOMER = OwnRule("customer_number", "identifier", pattern="KD-[0-9]{8}", anchors=("kd-",), checksum="luhn")
STAFF = OwnRule("staff_number", "identifier", fields=("personalNummer", "employee_id"))
ALL = OwnRules((PROJECT, CUSTOMER, STAFF), (), "aa")


def own(rules: OwnRules = ALL, inner: Any = None, **given: Any) -> OwnDetector:
    return OwnDetector(inner or Mail(), lambda: rules, **given)


def document(text: str) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}]}


def values(scan: Scan, text: str) -> list[tuple[str, str]]:
    return [(finding.kind, text[finding.place.start : finding.place.end]) for finding in scan.findings]


FOUND = {
    "a word": ("When does Nordlicht go live?", [("project", "Nordlicht")]),
    "whatever the case": ("NORDLICHT is late", [("project", "NORDLICHT")]),
    "two words": ("about Project Heron.", [("project", "Project Heron")]),
    "two words joined otherwise": ("see project-heron and PROJECT_HERON", [
        ("project", "project-heron"), ("project", "PROJECT_HERON"),
    ]),
    "a look-alike": ("Nоrdlicht", [("project", "Nоrdlicht")]),
    "something invisible in it": ("Nord\u200blicht", [("project", "Nord\u200blicht")]),
    "a number that passes": ("for KD-12345674 please", [("customer_number", "KD-12345674")]),
    "a number in small letters": ("for kd-12345674", [("customer_number", "kd-12345674")]),
    "a number in other digits": ("KD-１２３４５６７４", [("customer_number", "KD-１２３４５６７４")]),
    "a field in JSON": ('{"employee_id": "A 17", "x": 1}', [("staff_number", "A 17")]),
    "a field in escaped JSON": (r'"{\"employee_id\": \"A17\"}"', [("staff_number", "A17")]),
    "a field spelled otherwise": ("Employee-ID: A17", [("staff_number", "A17")]),
    "a field in a URL": ("https://h.example/?personalnummer=A17&x=1", [("staff_number", "A17")]),
    "a field in XML": ("<PersonalNummer>Anna 17</PersonalNummer>", [("staff_number", "Anna 17")]),
    "a field with several": ('{"employee_id": [17, 18]}', [("staff_number", "17, 18")]),
}  # fmt: skip

LET_BE = {
    "part of a word": "Nordlichter",
    "words far apart": "a project. \n\n\n\nHeron",
    "a number that does not pass": "KD-12345675",
    "a number in a longer one": "KD-123456740 or XKD-12345674",
    "a field without a value": '{"employee_id": null}',
    "a field that is only spoken of": "What is an employee id good for?",
    "a field of another name": '{"employee_identity": "A17"}',
    "other text": "Why is the sky blue?",
}


@pytest.mark.parametrize(("text", "want"), FOUND.values(), ids=FOUND.keys())
async def test_what_the_house_calls_private_is_found_at_its_place(text: str, want: list[tuple[str, str]]) -> None:
    scan = await own().scan(document(text))
    assert values(scan, text) == want
    assert all(finding.detector == "own" and finding.place.path == "$.messages[0].content" for finding in scan.findings)
    assert not scan.generic
    assert scan.unreadable == ()


@pytest.mark.parametrize("text", LET_BE.values(), ids=LET_BE.keys())
async def test_what_only_looks_like_it_is_let_be(text: str) -> None:
    scan = await own().scan(document(text))
    assert scan.findings == ()
    assert scan.generic


async def test_a_field_of_the_request_itself_is_found_with_all_that_stands_in_it() -> None:
    body = document("hi") | {"extra": {"employee_id": {"now": "A17", "before": ["A16", 15]}, "other": "A18"}}
    scan = await own().scan(body)
    assert {finding.kind for finding in scan.findings} == {"staff_number"}
    assert [finding.place.path for finding in scan.findings] == [
        "$~value[2]~value[0]~value[0]", "$~value[2]~value[0]~value[1][0]", "$~value[2]~value[0]~value[1][1]",
    ]  # fmt: skip
    assert len({finding.value_id for finding in scan.findings}) == 3


async def test_a_field_that_a_tool_describes_holds_nobodys_value() -> None:
    described = {"type": "object", "properties": {"employee_id": {"type": "string", "description": "the number"}}}
    body = document("hi") | {"tools": [{"type": "function", "function": {"name": "look_up", "parameters": described}}]}
    assert (await own().scan(body)).findings == ()
    body["messages"].append({"role": "assistant", "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": '{"employee_id": "A17"}'}},
    ]})  # fmt: skip
    assert [finding.kind for finding in (await own().scan(body)).findings] == ["staff_number"]


async def test_equal_values_share_a_number_and_go_on_from_the_inner_ones() -> None:
    text = "me@house.example on Nordlicht, nordlicht and Project Heron"
    scan = await own().scan(document(text))
    assert [(finding.detector, finding.value_id) for finding in scan.findings] == [
        ("mail", 1), ("own", 2), ("own", 2), ("own", 3),
    ]  # fmt: skip


EXCEPTIONS = {
    "a value": (OwnException(("me@house.example",)), ["api_key", "project"]),
    "a value written otherwise": (OwnException(("ME @ House.Example",)), ["api_key", "project"]),
    "an address with its marks elsewhere": (OwnException(("m.e@house.example",)), ["api_key", "email", "project"]),
    "a value of another kind": (OwnException(("me@house.example",), ("phone",)), ["api_key", "email", "project"]),
    "a value by its category": (OwnException(("me@house.example",), ("contact",)), ["api_key", "project"]),
    "never a secret": (OwnException(("hunter2hunter2",)), ["api_key", "email", "project"]),
    "a secret that is named": (OwnException(("hunter2hunter2",), ("api_key",)), ["email", "project"]),
    "an own word": (OwnException(("nordlicht",)), ["api_key", "email"]),
    "part of a value": (OwnException(("house.example",)), ["api_key", "email", "project"]),
}


@pytest.mark.parametrize(("exception", "left"), EXCEPTIONS.values(), ids=EXCEPTIONS.keys())
async def test_an_exception_lets_exactly_its_value_be(exception: OwnException, left: list[str]) -> None:
    rules = OwnRules((PROJECT,), (exception,), "bb")
    scan = await own(rules).scan(document("me@house.example said hunter2hunter2 about Nordlicht"))
    assert sorted(finding.kind for finding in scan.findings) == left


async def test_without_rules_it_is_the_inner_detector() -> None:
    inner = Mail()
    body = document("me@house.example on Nordlicht")
    assert await own(NO_RULES, inner).scan(body) == await inner.scan(body)
    assert own(NO_RULES, inner).pack == inner.pack


async def test_the_pack_tells_the_rules_apart_and_is_told_with_every_scan() -> None:
    packs = {own(rules).pack for rules in (NO_RULES, ALL, OwnRules((PROJECT,), (), "bb"))}
    assert len(packs) == 3
    detector = own()
    assert (await detector.scan(document("hi"))).pack == detector.pack
    assert int(detector.pack, 16)
    assert detector.kinds == {"email", "api_key", "project", "customer_number", "staff_number"}
    assert detector.categories == {"confidential", "identifier"}


async def test_rules_that_change_hold_from_the_next_request_on() -> None:
    rules = [NO_RULES]
    detector = OwnDetector(Mail(), lambda: rules[-1])
    memory: dict[Any, Any] = {}
    assert (await detector.scan(document("Nordlicht"), memory)).findings == ()
    rules.append(ALL)
    assert [finding.kind for finding in (await detector.scan(document("Nordlicht"), memory)).findings] == ["project"]
    rules.append(OwnRules((), (OwnException(("me@house.example",)),), "cc"))
    assert (await detector.scan(document("Nordlicht, me@house.example"), memory)).findings == ()


def _broken() -> OwnRules:
    raise RuntimeError


FAULTS: dict[str, Callable[[], OwnDetector]] = {
    "rules that cannot be had": lambda: OwnDetector(Mail(), _broken),
    "a pattern no policy has checked": lambda: own(OwnRules((OwnRule("x", "code", pattern="("),), (), "dd")),
    "a checksum nobody knows": lambda: own(OwnRules((OwnRule("x", "code", pattern="abc", checksum="?"),), (), "ee")),
}


@pytest.mark.parametrize("make", FAULTS.values(), ids=FAULTS.keys())
async def test_what_fails_leaves_the_request_unread_and_keeps_what_was_found(make: Callable[[], OwnDetector]) -> None:
    body = document("me@house.example")
    scan = await make().scan(body)
    assert scan.unreadable == (Unreadable("$", "detector_failed"),)
    assert [finding.kind for finding in scan.findings] == ["email"]
    assert not scan.generic


async def test_what_takes_too_long_is_unread() -> None:
    scan = await own(deadline_ms=0.0).scan(document("Nordlicht " * 5000))
    assert Unreadable("$", "deadline") in scan.unreadable


async def test_what_the_inner_detector_could_not_read_stays_unread() -> None:
    inner = Mail()
    inner.unreadable = (Unreadable("$.messages[0]", "image"),)
    assert (await own(inner=inner).scan(document("Nordlicht"))).unreadable == inner.unreadable


async def test_a_string_scanned_once_is_not_scanned_again() -> None:
    memory: dict[Any, Any] = {}
    detector = own(deadline_ms=2000.0)
    body = document("Nordlicht " * 30_000)
    first = await detector.scan(body, memory)
    began = time.thread_time()
    assert await detector.scan(body, memory) == first
    assert time.thread_time() - began < 5
    assert all("Nordlicht" not in repr(kept) for kept in memory.values())


HOSTILE = {
    "first words": "project " * 40_000,
    "whole words": "project heron " * 20_000,
    "literals of the pattern": "kd-" * 100_000,
    "almost numbers": "KD-1234567 " * 25_000,
    "wrong numbers": "KD-12345675 " * 25_000,
    "field names": "employee_id " * 25_000,
    "field names and backslashes": "employee_id" + "\\" * 300_000,
    "open quotes": 'employee_id:"' * 22_000,
}


@pytest.fixture
def _uncollected() -> Iterator[None]:
    """The objects of every test before this one are looked through when the collector runs: not this test's time."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_uncollected")
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_takes_more_than_linear_time(text: str) -> None:
    book = Book(ALL)

    def took_s(size: int) -> float:
        began = time.thread_time()
        walked = walk(document(text[:size]))
        list(book.in_fields(walked.texts))
        for each in walked.texts:
            book.in_text(each.text, Clock(60_000.0))
        return time.thread_time() - began

    # Four times the text; what does not grow with it is allowed for, and so is a machine that is noisy now and then.
    assert any(took_s(len(text)) < 12 * max(took_s(len(text) // 4), 0.02) for _ in range(5))


@pytest.mark.parametrize(
    "value",
    ["[STAFF_NUMBER_1_k7f2]", "REMOVED_STAFF_NUMBER_3", " [PERSON_12_b2cc] ", '["[PERSON_1_b2cc]", "[PERSON_2_b2cc]"]'],
)
async def test_a_placeholder_in_a_field_is_no_value(value: str) -> None:
    body = {"messages": [{"role": "user", "content": f"employee_id: {value}"}], "employee_id": value}
    assert (await own().scan(body)).findings == ()


@pytest.mark.parametrize(
    "value",
    [
        "[STAFF_NUMBER_1]",
        "[ANNA_1_anna]",
        "x [PERSON_1_k7f2]",
        "PERSON_1_k7f2 Rossi",
        "XPERSON_1_k7f2x",
        "\u0416PERSON_1_k7f2",
    ],
)
async def test_what_only_resembles_one_is_a_value(value: str) -> None:
    assert (await own().scan({"messages": [], "employee_id": value})).findings

"""Verdicts kept across requests: a long chat costs its new turn, and nothing of the text is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.core.types import Scan
from gateway.detect import Scanner, rules
from gateway.detect.hits import Hit
from gateway.detect.pack import Pack, gate_for
from gateway.detect.verdicts import NOTHING, Verdict, Verdicts

pytestmark = pytest.mark.anyio

IBAN, OTHER = "DE10 2972 9975 2882 0018 26", "NL84 QZTX 8058 8871 80"


class Counting:
    """A gate that counts the characters it is shown."""

    def __init__(self, cache_dir: Path) -> None:
        packed = rules.load()
        self._gate = gate_for(packed, cache_dir=cache_dir)
        self.name = "counting"
        self.characters = 0
        self.pack = Pack(packed, self)

    def fired(self, text: str) -> Any:
        self.characters += len(text)
        return self._gate.fired(text)


def turn(number: int) -> dict[str, str]:
    said = f"Turn {number}: the meeting about the new catalogue is moved, please tell everybody in the team. " * 6
    return {"role": "user" if number % 2 else "assistant", "content": said + f"Our account is {IBAN}."}


def facts(scan: Scan) -> list[tuple[str, str, int, int, int]]:
    return sorted((f.kind, f.place.path, f.place.start, f.place.end, f.value_id) for f in scan.findings)


async def test_a_chat_of_forty_turns_costs_its_new_turn(cache_dir: Path) -> None:
    counting = Counting(cache_dir)
    scanner = Scanner(counting.pack, deadline_ms=5000)
    chat = [turn(number) for number in range(40)]
    await scanner.scan({"messages": chat})
    first, counting.characters = counting.characters, 0
    again = await scanner.scan({"messages": [*chat, turn(40)]})
    assert counting.characters * 8 < first
    assert len(again.findings) == 41


async def test_what_is_remembered_is_what_was_found(cache_dir: Path) -> None:
    body = {"messages": [turn(1), {"role": "user", "content": f"My daughter of 9 has asthma. {OTHER}"}]}
    scanner = Scanner.load(cache_dir=cache_dir, tagger=None)
    assert facts(await scanner.scan(body)) == facts(await scanner.scan(body))


async def test_numbers_of_values_are_a_requests_own(cache_dir: Path) -> None:
    scanner = Scanner.load(cache_dir=cache_dir, tagger=None)
    await scanner.scan({"messages": [{"role": "user", "content": f"first {IBAN}"}]})
    scan = await scanner.scan({"messages": [{"role": "user", "content": f"{OTHER} then"}, turn(1)]})
    assert {finding.value_id for finding in scan.findings} == {1, 2}


async def test_the_same_words_behind_another_key_are_looked_at_again(cache_dir: Path) -> None:
    scanner = Scanner.load(cache_dir=cache_dir, tagger=None)
    assert (await scanner.scan({"comment": "536482917"})).findings == ()
    assert [f.kind for f in (await scanner.scan({"social_security": "536482917"})).findings] == ["us_ssn"]


async def test_a_failure_is_not_kept(cache_dir: Path) -> None:
    counting = Counting(cache_dir)
    verdicts = Verdicts()
    broken = Scanner(counting.pack, deadline_ms=-1, verdicts=verdicts)
    assert (await broken.scan({"messages": [turn(1)]})).unreadable
    assert len(verdicts) == 0


def test_names_differ_by_key_and_by_part() -> None:
    one, two = Verdicts(), Verdicts()
    assert one.name("a", "bc") == one.name("a", "bc")
    assert one.name("a", "bc") != one.name("ab", "c")
    assert one.name("a", "bc") != two.name("a", "bc")


def test_the_oldest_go_first_and_a_read_one_stays() -> None:
    verdicts = Verdicts(entries=2)
    first, second, third = (verdicts.name(str(number)) for number in range(3))
    verdicts.put(first, NOTHING)
    verdicts.put(second, NOTHING)
    assert verdicts.get(first) is NOTHING
    verdicts.put(third, NOTHING)
    assert verdicts.get(second) is None
    assert verdicts.get(first) is verdicts.get(third) is NOTHING


def test_findings_count_towards_the_room_there_is() -> None:
    verdicts = Verdicts()
    hits = tuple(Hit("iban", "financial", 1.0, place, place + 1, 7) for place in range(3000))
    for number in range(40):
        verdicts.put(verdicts.name(str(number)), Verdict(hits))
    assert len(verdicts) == 13
    verdicts.put(verdicts.name("too much"), Verdict(hits * 2))
    assert verdicts.get(verdicts.name("too much")) is None

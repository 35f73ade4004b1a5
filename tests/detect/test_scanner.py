"""The detector as a port: it never raises, keeps its deadline, remembers, and joins what was split."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.types import Scan
from gateway.detect import Scanner, rules
from gateway.detect.candidate import Candidate, Confirmed
from gateway.detect.pack import Pack, checks, gate_for, ungated
from gateway.detect.rules import Rules

pytestmark = pytest.mark.anyio

IBAN = "DE10 2972 9975 2882 0018 26"
CARD = "4478 8783 8483 7260"


def chat(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"model": "auto", "messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]}


def facts(scan: Scan) -> list[tuple[str, str, int, int, str]]:
    return sorted((f.kind, f.place.path, f.place.start, f.place.end, f.place.view) for f in scan.findings)


@pytest.fixture(scope="session")
def packed() -> Rules:
    return rules.load()


# ── where a finding stands ───────────────────────────────────────────────────────────────────────────────────────────

# Letters and digits next to the number would be part of it; everything else must not matter.
SURROUNDINGS = st.text(st.characters(exclude_categories=["Cs", "L", "N", "M", "Cf"]), max_size=60)


@settings(max_examples=120)
@given(before=SURROUNDINGS, after=SURROUNDINGS)
def test_a_known_iban_is_found_at_its_span_in_any_surroundings(scanner: Scanner, before: str, after: str) -> None:
    text = f"{before} {IBAN} {after}"
    spans = [(f.place.start, f.place.end) for f in scanner.find_in_text(text).findings if f.kind == "iban"]
    assert spans == [(len(before) + 1, len(before) + 1 + len(IBAN))]


@pytest.mark.parametrize("offset", [0, 3990, 3999, 4000, 4001, 7999, 8200, 12345])
async def test_a_value_is_found_across_the_borders_of_slices(scanner: Scanner, offset: int) -> None:
    text = "." * offset + f" {IBAN} " + "." * 9000
    (finding,) = (await scanner.scan(chat(text))).findings
    assert text[finding.place.start : finding.place.end] == IBAN


def test_equal_values_share_a_number_and_different_ones_do_not(scanner: Scanner) -> None:
    found = scanner.scan_now(chat(f"{IBAN} and {CARD}", f"DE10297299752882001826, {IBAN}")).findings
    ids: dict[str, set[int]] = {finding.kind: set() for finding in found}
    for finding in found:
        ids[finding.kind].add(finding.value_id)
    assert len(found) == 4
    assert len(ids["iban"]) == len(ids["payment_card"]) == 1
    assert ids["iban"] != ids["payment_card"]


def test_nothing_that_is_kept_shows_the_value(scanner: Scanner) -> None:
    seen: dict[Any, Any] = {}
    scan = scanner.scan_now(
        chat(IBAN),
    )
    assert "2972" not in repr(scan)
    assert "2972" not in repr(Candidate(IBAN, 0, 27))
    assert seen == {}


# ── remembering ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_string_seen_before_is_not_scanned_again(packed: Rules, cache_dir: Path) -> None:
    counted = Counting(packed, cache_dir)
    scanner = Scanner(counted.pack, deadline_ms=5000)
    seen: dict[Any, Any] = {}
    body = chat("Be brief.", f"Write to {IBAN}.", "Done.")
    first = await scanner.scan(body, seen)
    looked = counted.looks
    again = await scanner.scan({"messages": body["messages"], "store": False}, seen)
    assert looked > 0
    assert counted.looks == looked
    assert facts(again) == facts(first)


async def test_a_changed_string_is_scanned(scanner: Scanner) -> None:
    seen: dict[Any, Any] = {}
    assert (await scanner.scan(chat("nothing here"), seen)).findings == ()
    assert len((await scanner.scan(chat(f"nothing here {IBAN}"), seen)).findings) == 1


async def test_the_memory_holds_no_matched_text_of_its_own(scanner: Scanner) -> None:
    seen: dict[Any, Any] = {}
    await scanner.scan(chat(f"Write to {IBAN}."), seen)
    assert seen
    assert not any("2972" in repr(memory) for memory in seen.values())


class Counting:
    """A pack whose gate counts how often it is asked."""

    def __init__(self, packed: Rules, cache_dir: Path) -> None:
        self._gate = gate_for(packed, cache_dir=cache_dir)
        self.name = "counting"
        self.looks = 0
        self.pack = Pack(packed, self)

    def fired(self, text: str) -> Any:
        self.looks += 1
        return self._gate.fired(text)


# ── joining what was split ───────────────────────────────────────────────────────────────────────────────────────────

SPLITS = {
    "two messages, a reply between": chat("my card is 4478 8783", "ok, go on", "8483 7260"),
    "three messages": chat("4478 87", "yes", "83 8483", "yes", "7260"),
    "a border inside a group": chat("carta 4478 8783 84", "ok", "83 7260 grazie"),
    "a key": chat("ghp_FBNOfQ5xj7t2ydf0", "…", "K5uY8iH1wOLaQan8ePsq"),
    "two parts of one message": {
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "4478 8783"}, {"type": "text", "text": "8483 7260"}]}
        ]
    },
}


@pytest.mark.parametrize("document", SPLITS.values(), ids=SPLITS)
async def test_a_value_split_over_messages_is_found(scanner: Scanner, document: dict[str, Any]) -> None:
    found = (await scanner.scan(document)).findings
    assert {finding.place.view for finding in found} == {"joined"}
    assert {finding.kind for finding in found} <= {"payment_card", "github_pat"}
    content = found[0].place
    assert content.path.startswith("$.messages[")
    assert content.start < content.end


async def test_messages_that_only_stand_beside_each_other_hold_nothing(scanner: Scanner) -> None:
    assert (await scanner.scan(chat("add 4478", "that makes 8783", "and 8483", "sure", "so 7260"))).findings == ()


async def test_a_value_inside_one_message_is_not_told_twice(scanner: Scanner) -> None:
    found = (await scanner.scan(chat(CARD, "ok", CARD))).findings
    assert [finding.place.view for finding in found] == ["raw", "raw"]


# ── failing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def failing(candidate: Candidate) -> Iterable[Confirmed]:
    raise RuntimeError(candidate.value)


async def test_a_check_that_raises_makes_its_text_unreadable_and_no_other(packed: Rules, cache_dir: Path) -> None:
    gate = gate_for(packed, cache_dir=cache_dir)
    scanner = Scanner(Pack(packed, gate, {**checks(), "iban": failing}), deadline_ms=5000)
    scan = await scanner.scan(chat(f"pay {IBAN}.", f"pay {CARD}."))
    assert [(item.path, item.reason) for item in scan.unreadable] == [("$.messages[0].content", "detector_failed")]
    assert [finding.kind for finding in scan.findings] == ["payment_card"]
    assert "2972" not in repr(scan)


async def test_a_failure_is_not_remembered_as_nothing_found(packed: Rules, cache_dir: Path) -> None:
    gate = gate_for(packed, cache_dir=cache_dir)
    scanner = Scanner(Pack(packed, gate, {**checks(), "iban": failing}), deadline_ms=5000)
    seen: dict[Any, Any] = {}
    await scanner.scan(chat(IBAN), seen)
    assert (await scanner.scan(chat(IBAN), seen)).unreadable


@pytest.mark.parametrize(
    "document", [None, 7, "text", {"messages": 3}, {"messages": [None, 4]}, {"messages": {"a": 1}}, {3: "x"}]
)
async def test_no_document_makes_it_raise(scanner: Scanner, document: Any) -> None:
    assert (await scanner.scan(document)).pack == scanner.pack


@pytest.mark.parametrize("size", [20_000, 200_000], ids=["on the loop", "in a thread"])
async def test_past_its_deadline_a_text_is_unreadable(packed: Rules, cache_dir: Path, size: int) -> None:
    scanner = Scanner(Pack(packed, gate_for(packed, cache_dir=cache_dir)), deadline_ms=1)
    scan = await scanner.scan(chat("4478 8783 a@b.it 12.5 " * (size // 22)))
    assert "deadline" in {item.reason for item in scan.unreadable}


HOSTILE = {
    "digits and spaces": "1 ", "dotted letters": "a.", "dotted digits": "1.", "at signs": "a@", "plus signs": "+1 ",
    "assignments": "key = ", "quotes": "password: '", "brackets": "(1)", "percents": "%41", "escapes": "\\u0041",
    "curl": "curl -H ", "letters and spaces": "A ", "entities": "&#49;", "digit words": "one two ",
    "iban heads": "DE12 ",
    "base64 lines": "QUJDREVGR0hJSktM\n", "urls": "http://a:", "long word": "a", "digits": "4", "hexadecimal": "41",
    "kubernetes": "kind: secret data: ", "sentences": "the password is the ",
    "begin key": "-----BEGIN PRIVATE KEY-----", "cells": "1234,", "cells of two kinds": "A1|B2|", "tags": "<b>1</b>",
    "quoted-printable": "=41=42", "digit words glued": "zeroone", "doubled": "double ", "dots in words": "a dot b ",
    "logins": "login x password ", "cookies": "cookie: a=b; ", "fields": "x.y:5432:a:", "strikes": "4\u0336",
    "expanding": "½é\u200b1", "glued heads": "IBANDE12",
    "kin": "my son ", "selves": "I have asthma ", "patients": "il paziente 54 anni ", "ages": "8 years old ",
    "names": "Anna Verdi ", "titles": "Mr. X ", "births": "born on 1.1.", "streets": "via Roma ", "codes": "code 1 ",
    "accents": "è ", "phrases": "sclerosi ", "sentences of one word": "Son. ",
}  # fmt: skip


@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_end_within_the_deadline(packed: Rules, cache_dir: Path, unit: str) -> None:
    scanner = Scanner(Pack(packed, gate_for(packed, cache_dir=cache_dir)), deadline_ms=250)
    text = (unit * 20_000)[:20_000]
    scanner.find_in_text(text[:500])  # patterns compile when first needed
    start = time.thread_time()
    scanner.find_in_text(text)
    assert time.thread_time() - start < 3


# ── gates ────────────────────────────────────────────────────────────────────────────────────────────────────────────

PIECES = st.sampled_from(
    [
        IBAN, CARD, "TSTPRV72C48D612F", "47382915V", "anna@posta.it", "+39 346 5075291", "06 12 48 75 93", "tel", "SSN",
        "536-48-2917", "password: Ve1tro-9x", "La password è Ve1tro-9x", "ghp_FBNOfQ5xj7t2ydf0K5uY8iH1wOLaQan8ePsq",
        "AKIA7GCQNKMWG5N6BXV2", "postgres://a:Ve1tro9@h.it/x", "NDQ3ODg3ODM4NDgzNzI2MA==",
        "quattro uno uno due tre sei",
        "\n", " ", "é", "\u200b", "\u0130", "ſecret: ", "KEY=", "Partita IVA", "05260181598", "Steuer-ID 85291703420",
        "%34%31", "\\u0034", "&#52;", "sourcegraph", "9a038989604e8da62ecddbe2094b16ce1b778be1", "2024-05-17", "3.11.4",
        "TÉLÉPHONE", "ÜBERWEISUNG", "-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEAx7Qm", "{'a': 1}",
        "api_key = ", "x7Qm9Lr2",
    ]
)  # fmt: skip
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=14).map(" ".join)


@settings(max_examples=150)
@given(text=TEXTS)
def test_the_gates_lose_nothing(scanner: Scanner, others: tuple[Scanner, Scanner], text: str) -> None:
    wanted = scanner.find_in_text(text)
    for other in others:
        got = other.find_in_text(text)
        assert facts(got) == facts(wanted)
        assert got.unreadable == wanted.unreadable


@pytest.fixture(scope="session")
def others(packed: Rules) -> tuple[Scanner, Scanner]:
    """Without a gate, and with the gate for machines without hyperscan."""
    return (
        Scanner(ungated(packed), deadline_ms=20_000),
        Scanner(Pack(packed, gate_for(packed, use_hyperscan=False)), deadline_ms=20_000),
    )


async def test_the_pack_is_named_by_its_rules(scanner: Scanner, others: tuple[Scanner, Scanner]) -> None:
    assert {scanner.pack, others[0].pack, others[1].pack} == {(await scanner.scan({})).pack}
    assert len(scanner.pack) == 64


def test_a_damaged_cache_is_compiled_again(cache_dir: Path, scanner: Scanner, tmp_path: Path) -> None:
    cached = max(cache_dir.glob("*.hs"), key=lambda path: path.stat().st_mtime)
    damaged = bytearray(cached.read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    (tmp_path / cached.name).write_bytes(damaged)
    assert Scanner.load(cache_dir=tmp_path).find_in_text(IBAN).findings[0].kind == "iban"
    assert (tmp_path / cached.name).read_bytes()[:64] == cached.read_bytes()[:64]


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    assert Scanner.load(cache_dir=tmp_path / "file").find_in_text(IBAN).findings[0].kind == "iban"

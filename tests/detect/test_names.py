"""The third tier behind its port: what a tagger sees is told, ties words to people, and joins what the rules saw."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.detect import Scanner
from gateway.detect.clock import Clock
from gateway.detect.names import search


class Listed:
    """A tagger that knows two names and a street."""

    digest = "listed"
    _KNOWN = re.compile(r"(Wanda Kowalczyk|Ugo Brambati)|(Lindenhof)")

    def __init__(self) -> None:
        self.read: list[str] = []

    def spans(self, text: str) -> list[tuple[int, int, str, float]]:
        self.read.append(text)
        return [
            (match.start(), match.end(), "person" if match[1] else "postal_address", 0.9)
            for match in self._KNOWN.finditer(text)
        ]


@pytest.fixture(scope="module")
def named(cache_dir: Path) -> Scanner:
    return Scanner.load(cache_dir=cache_dir, deadline_ms=5000, tagger=Listed())


def kinds(scanner: Scanner, text: str) -> list[tuple[str, str]]:
    found = sorted(scanner.find_in_text(text).findings, key=lambda finding: finding.place.start)
    return [(finding.kind, finding.detector) for finding in found]


def test_a_person_is_told_by_the_tier_that_saw_them(named: Scanner) -> None:
    assert kinds(named, "ask Wanda Kowalczyk") == [("person", "names")]


def test_a_name_ties_an_illness_to_somebody(named: Scanner) -> None:
    assert ("health_fact", "topics") in kinds(named, "Ugo Brambati wird wegen Leukämie behandelt")


def test_without_the_name_the_illness_is_nobodys(scanner: Scanner) -> None:
    assert kinds(scanner, "Leukämie wird so behandelt") == []


def test_what_two_tiers_saw_of_one_place_is_one_finding(named: Scanner) -> None:
    text = "wohnt Lange Lindenhof Straße 7"
    (finding,) = named.find_in_text(text).findings
    assert (finding.kind, text[finding.place.start : finding.place.end]) == (
        "postal_address",
        "Lange Lindenhof Straße 7",
    )


@pytest.mark.parametrize(
    "text",
    [
        "V2FuZGEgS293YWxjenlrIGlzdCBkYQ==",
        "57616e6461204b6f77616c637a796b20697374206461",
        "https://crm.intern/search?q=Wanda%20Kowalczyk",
        "".join(f"\\u{ord(sign):04x}" for sign in "Wanda Kowalczyk"),
        "".join(f"&#{ord(sign)};" for sign in "Wanda Kowalczyk"),
        r"{\"note\": \"call back\\nWanda Kowalczyk\"}",
    ],
    ids=["base64", "hex", "percent", "escapes", "entities", "line end in JSON"],
)
def test_a_name_is_seen_in_what_was_decoded(named: Scanner, text: str) -> None:
    (finding,) = named.find_in_text(text).findings
    assert (finding.kind, finding.detector) == ("person", "names")


@pytest.mark.parametrize("label", ["Steuer-ID", "Konto_Nr", "Kunden-Nummer"])
def test_half_a_label_is_nobody(label: str) -> None:
    class First(Listed):
        _KNOWN = re.compile(r"(Steuer|Konto|Kunden)|(Lindenhof)")

    assert [hit for hits in search(First(), f"Bitte {label} angeben.", Clock(5000)) for hit in hits] == []
    assert [hit for hits in search(First(), "Frau Steuer-Lindenau", Clock(5000)) for hit in hits]


def test_letters_pushed_together_are_not_shown_to_the_tagger(cache_dir: Path) -> None:
    tagger = Listed()
    Scanner.load(cache_dir=cache_dir, deadline_ms=5000, tagger=tagger).find_in_text(
        "n. 4 4 7 8 8 7 8 3 8 4 8 3 7 2 6 0"
    )
    assert tagger.read == ["n. 4 4 7 8 8 7 8 3 8 4 8 3 7 2 6 0"]


def test_a_long_text_is_read_in_pieces_that_cut_no_word() -> None:
    tagger = Listed()
    text = "uno due tre quattro\n" * 900
    hits = [hit for found in search(tagger, text + "Wanda Kowalczyk", Clock(5000)) for hit in found]
    assert "".join(tagger.read) == text + "Wanda Kowalczyk"
    assert max(map(len, tagger.read)) <= 4000
    assert all(piece.endswith("\n") for piece in tagger.read[:-1])
    assert [(hit.start, hit.end) for hit in hits] == [(len(text), len(text) + len("Wanda Kowalczyk"))]


def test_the_pack_is_named_by_its_weights_too(named: Scanner, scanner: Scanner) -> None:
    assert named.pack != scanner.pack
    assert named.kinds == scanner.kinds | {"person", "postal_address"}


def test_the_shipped_tagger_runs_by_default(cache_dir: Path) -> None:
    scan = Scanner.load(cache_dir=cache_dir, deadline_ms=5000).find_in_text("Please call Margaret Hollins tomorrow.")
    assert ("person", "names") in {(finding.kind, finding.detector) for finding in scan.findings}


@pytest.mark.parametrize("noise", ["ACGTTTGACCAGTACGATTACAGG", "xXXXXX-XXXXX", "A1B2C3 key"])
def test_what_cannot_be_a_name_is_none(noise: str) -> None:
    class Everything:
        digest = "everything"

        def spans(self, text: str) -> list[tuple[int, int, str, float]]:
            return [(0, len(text), "person", 1.0)]

    assert list(search(Everything(), noise, Clock(5000))) == [[]]

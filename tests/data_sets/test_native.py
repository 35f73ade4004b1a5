"""The project's own labelled requests: well-formed, large enough, and their identifiers are what they claim to be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
import yaml
from stdnum import iban, luhn
from stdnum.ch import ssn as ch_ssn
from stdnum.de import idnr
from stdnum.es import cif, dni, nie
from stdnum.fr import nif, nir
from stdnum.gb import nhs, utr
from stdnum.it import codicefiscale, iva
from stdnum.mx import curp, rfc

from tests.support.native import FOLDER, Row, Span, languages, load, unmark

# A number is parsed as people of that language's countries write it; one with a country code needs no region.
REGIONS: dict[str, list[str]] = {
    "it": ["IT"],
    "es": ["ES"],
    "de": ["DE", "AT", "CH"],
    "fr": ["FR", "BE", "CH", "CA"],
    "en": ["GB", "US"],
}
# Card numbers that payment houses print in their manuals: they belong into negatives.
PRINTED_CARDS = frozenset({"4111111111111111", "5555555555554444", "4242424242424242", "378282246310005"})
ROWS = load()


def compact(value: str) -> str:
    return re.sub(r"[\s./-]", "", value).upper()


def nuss(value: str) -> bool:
    """Spain's social security number: province, eight digits, and both modulo 97."""
    return int(value[:10]) % 97 == int(value[10:])


def kvnr(value: str) -> bool:
    """Germany's health insurance number: the letter as two digits, then Luhn's sum with the weights turned round."""
    digits = [int(digit) for digit in f"{ord(value[0]) - 64:02d}{value[1:9]}"]
    return sum(sum(divmod(digit * (1 + at % 2), 10)) for at, digit in enumerate(digits)) % 10 == int(value[9])


# Which identifier a value claims to be, by language, label and shape. What fits no shape (a passport, a
# contract) has no checksum to pass. The first column may name several languages.
CLAIMS: list[tuple[str, str, str, Callable[[str], bool]]] = [
    ("it", "TAX_ID", r"[A-Z]{6}\w{2}[A-Z]\w{2}[A-Z]\w{3}[A-Z]", codicefiscale.is_valid),
    ("it", "TAX_ID", r"\d{11}", iva.is_valid),
    ("es", "NATIONAL_ID", r"\d{8}[A-Z]", dni.is_valid),
    ("es", "NATIONAL_ID", r"[XYZ]\d{7}[A-Z]", nie.is_valid),
    ("es", "NATIONAL_ID", r"[A-Z]{4}\d{6}[HM][A-Z]{5}\w\d", curp.is_valid),
    ("es", "TAX_ID", r"[ABEFGHJ]\d{8}", cif.is_valid),
    ("es", "TAX_ID", r"[A-Z]{4}\d{6}\w{3}", lambda value: bool(rfc.is_valid(value, validate_check_digits=True))),
    ("es", "HEALTH_ID", r"\d{12}", nuss),
    ("de", "TAX_ID", r"\d{11}", idnr.is_valid),
    ("de", "HEALTH_ID", r"[A-Z]\d{9}", kvnr),
    ("de fr", "NATIONAL_ID", r"756\d{10}", ch_ssn.is_valid),
    ("fr", "NATIONAL_ID", r"[12]\d{14}", nir.is_valid),
    ("fr", "TAX_ID", r"\d{13}", nif.is_valid),
    ("en", "HEALTH_ID", r"\d{10}", nhs.is_valid),
    ("en", "TAX_ID", r"\d{10}", utr.is_valid),
]


def claims(row: Row, span: Span) -> list[Callable[[str], bool]]:
    value = compact(row.value(span))
    return [
        valid
        for langs, label, shape, valid in CLAIMS
        if row.lang in langs.split() and label == span.label and re.fullmatch(shape, value)
    ]


def is_spoken(value: str) -> bool:
    """Dictated: its digits are words."""
    return not re.search(r"\d", value)


def marked(*labels: str) -> list[Any]:
    """Every marked value of these labels that is written in digits."""
    return [
        pytest.param(row, span, id=f"{row.id}-{span.label.lower()}-{span.message}-{span.start}")
        for row in ROWS
        for span in row.spans
        if span.label in labels and not is_spoken(row.value(span))
    ]


@pytest.mark.parametrize("lang", languages())
def test_a_language_has_sixty_rows_and_enough_of_each_kind(lang: str) -> None:
    rows = load(lang)
    areas = Counter(row.area for row in rows)
    assert len(rows) >= 60
    assert 0.2 <= areas["hard-negative"] / len(rows) <= 0.35
    assert {"health", "bank", "legal", "hr", "support", "code"} <= areas.keys()
    assert sum(len(row.messages) > 1 for row in rows) >= 2
    assert sum(row.sensitive and not row.kept for row in rows) >= 3


def test_italian_and_spanish_are_there() -> None:
    assert {"it", "es"} <= set(languages())


def test_every_id_is_given_once_and_names_its_language() -> None:
    rows = load()
    twice = [name for name, times in Counter(row.id for row in rows).items() if times > 1]
    assert not twice
    assert [row.id for row in rows if not row.id.startswith(f"{row.lang}-")] == []


def test_no_text_is_there_twice() -> None:
    texts = Counter(" ".join(message["content"] for message in row.messages) for row in load())
    assert max(texts.values()) == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_labels_agree_with_one_another(row: Row) -> None:
    assert all(message["content"].strip() for message in row.messages)
    assert row.sensitive or not (row.kept or row.categories or row.spans)
    assert row.categories or not row.sensitive
    assert (row.area == "hard-negative") == (not row.sensitive)


@pytest.mark.parametrize("row", [row for row in ROWS if row.spans], ids=lambda row: row.id)
def test_marked_values_are_trimmed_and_stand_where_their_spans_say(row: Row) -> None:
    for span in row.spans:
        value = row.value(span)
        assert value
        assert value == value.strip()
        assert span.end <= len(row.messages[span.message]["content"])
    ends = [(span.message, span.start, span.end) for span in row.spans]
    assert all(one[0] < two[0] or one[2] <= two[1] for one, two in pairwise(ends))


@pytest.mark.parametrize(("row", "span"), marked("IBAN"))
def test_an_iban_passes_its_checksum(row: Row, span: Span) -> None:
    assert iban.is_valid(row.value(span))


@pytest.mark.parametrize(("row", "span"), marked("CARD"))
def test_a_card_passes_luhn_and_is_not_one_out_of_a_manual(row: Row, span: Span) -> None:
    number = compact(row.value(span))
    assert luhn.is_valid(number)
    assert number not in PRINTED_CARDS


@pytest.mark.parametrize(("row", "span"), marked("PHONE"))
def test_a_phone_number_is_one_that_can_be_given_out(row: Row, span: Span) -> None:
    value = row.value(span)
    assert any(phonenumbers.is_valid_number(phonenumbers.parse(value, region)) for region in REGIONS[row.lang])


@pytest.mark.parametrize(("row", "span"), marked("NATIONAL_ID", "TAX_ID", "HEALTH_ID"))
def test_an_identifier_passes_the_checksum_of_what_it_claims_to_be(row: Row, span: Span) -> None:
    assert all(valid(compact(row.value(span))) for valid in claims(row, span))


@pytest.mark.parametrize("lang", languages())
def test_a_language_has_identifiers_with_a_checksum_to_pass(lang: str) -> None:
    claiming = [span for row in ROWS if row.lang == lang for span in row.spans if claims(row, span)]
    assert len(claiming) >= (10 if lang in ("it", "es") else 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("ask [[NAME|Ada]]", "no label", id="unknown label"),
        pytest.param("ask [[PERSON|Ada]", "not marked", id="one bracket missing"),
        pytest.param("ask [[Ada]]", "not marked", id="no label at all"),
        pytest.param("ask [[PERSON|]]", "not marked", id="nothing inside"),
    ],
)
def test_markup_that_is_wrong_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        unmark(text)


def test_markup_is_taken_out_and_spans_count_code_points_of_what_is_left() -> None:
    text, spans = unmark("né 🙂 [[PERSON|Zoë]], [[PHONE|+39 0]].", message=2)
    assert text == "né 🙂 Zoë, +39 0."
    assert spans == [Span(2, 5, 8, "PERSON"), Span(2, 10, 15, "PHONE")]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param("area: kitchen", "areas", id="area"),
        pytest.param("categories: [weather]", "categories", id="category"),
        pytest.param("kept: perhaps", "neither true nor false", id="truth value"),
        pytest.param("mood: good", "unknown fields", id="field"),
        pytest.param("messages: [{role: user, content: hi}]", "either text or messages", id="text and messages"),
    ],
)
def test_a_row_outside_the_closed_sets_is_refused_by_name(tmp_path: Path, change: str, said: str) -> None:
    row = {"id": "xx-1", "area": "bank", "sensitive": False, "kept": False, "categories": [], "text": "hi"}
    file = tmp_path / "xx.yaml"
    file.write_text(yaml.safe_dump([row | yaml.safe_load(change)]), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"row xx-1 of xx.*{said}"):
        load(file)


def test_a_folder_is_read_language_by_language() -> None:
    assert [row.id for row in load(FOLDER)] == [row.id for lang in languages() for row in load(lang)]

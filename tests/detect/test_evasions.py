"""Fifteen ways to write a number so that it is not seen, each against values of every kind; see where it fails."""

from __future__ import annotations

import base64
import html
import random
from collections.abc import Callable

import pytest

from gateway.detect import Scanner

VALUES = {
    "iban DE": "DE10297299752882001826", "iban IT": "IT32X0047439575513137353799",
    "iban ES": "ES5107511637265167612220",
    "iban FR": "FR4333043483954862057986828", "iban NL": "NL84QZTX8058887180", "iban GB": "GB93QZTX28807290222791",
    "card": "4478878384837260", "card two-series": "2421252427316728", "card amex": "373268656355155",
    "card discover": "6011058770658948", "codice fiscale": "TSTPRV72C48D612F", "DNI": "47382915V", "NIE": "Y4829175V",
    "Rentenversicherung": "53170381K042", "sécurité sociale": "185047811203449",
}  # fmt: skip
WORDS = {
    "it": "zero uno due tre quattro cinque sei sette otto nove",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf",
    "en": "zero one two three four five six seven eight nine",
}
LOOKALIKES = str.maketrans("ABCEHIKMOPSTXY", "АВСЕНІКМОРЅТХҮ")


def grouped(value: str, mark: str) -> str:
    return mark.join(value[place : place + 4] for place in range(0, len(value), 4))


def spoken(language: str) -> Callable[[str], str]:
    words = WORDS[language].split()
    return lambda value: " ".join(words[int(char)] if char.isdigit() else char for char in value)


def full_width(value: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) for char in value)


TRANSFORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "zero-width space": "\u200b".join,
    "soft hyphen": "\u00ad".join,
    "homoglyphs": lambda value: value.translate(LOOKALIKES),
    "full width": full_width,
    "maths digits": lambda value: "".join(chr(0x1D7CE + int(c)) if c.isdigit() else c for c in value),
    "Arabic-Indic digits": lambda value: "".join(chr(0x660 + int(c)) if c.isdigit() else c for c in value),
    "no-break spaces": lambda value: grouped(value, "\u00a0"),
    "every character spaced": " ".join,
    "dashes": lambda value: grouped(value, "-"),
    "dots": lambda value: grouped(value, "."),
    "newline inside": lambda value: f"{value[:6]}\n{value[6:]}",
    "base64": lambda value: base64.b64encode(f"the number is {value}".encode()).decode(),
    "hexadecimal": lambda value: f"number {value}".encode().hex(),
    "percent": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "HTML entities": lambda value: "".join(f"&#{ord(char)};" for char in value),
    "JSON escapes": lambda value: "".join(f"\\u{ord(char):04x}" for char in value),
    **{f"digit words {language}": spoken(language) for language in WORDS},
}
SENTENCES = ("please check {} for me", "{}", "Ecco il numero: {}\nGrazie", "la cuenta es {}, gracias")


def kept(scanner: Scanner, transform: Callable[[str], str]) -> float:
    picked = random.Random(7)
    texts = [picked.choice(SENTENCES).format(transform(value)) for value in VALUES.values()]
    return sum(bool(scanner.find_in_text(text).findings) for text in texts) / len(texts)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_a_hidden_value_is_found_like_a_plain_one(scanner: Scanner, transform: Callable[[str], str]) -> None:
    assert kept(scanner, transform) >= 0.9


@pytest.mark.parametrize("language", WORDS)
def test_digit_words_that_spell_no_number_are_nothing(scanner: Scanner, language: str) -> None:
    assert scanner.find_in_text(" ".join(WORDS[language].split()[::-1])).findings == ()


def test_html_is_escaped_as_browsers_do(scanner: Scanner) -> None:
    text = html.escape("<b>4478 8783 8483 7260</b>")
    assert [finding.kind for finding in scanner.find_in_text(text).findings] == ["payment_card"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("D E eins null zwei neun sieben zwei neun neun sieben fünf zwei acht acht zwei null null eins acht zwei "
         "sechs, 45 Euro", "iban"),
        ("paga a E S cinco uno cero siete cinco uno uno seis tres siete dos seis cinco uno seis siete seis uno dos dos "
         "dos cero a nombre de todos", "iban"),
        ("(C.F. T S T P R V sette due C quattro otto D sei uno due F)", "it_fiscal_code"),
        ("o al tre quattro sei cinco cero siete cinco dos nueve uno", "phone"),
        ("zero six zero un trois zéro un neuf un deux", "phone"),
        ("NIE Y48.291.75V", "es_nie"),
        ("CIF B582 9304 4", "es_nif"),
        ("CURP TSTE 9306 17MJ CMRC 02", "mx_curp"),
        ("NHS number 768-426-\n8465", "uk_nhs_number"),
    ],
    ids=["an amount behind", "a word behind", "a label in front", "a phone", "a French phone", "unevenly dotted",
         "by its word", "letters first", "broken"],
)  # fmt: skip
def test_what_stands_beside_a_hidden_value_hides_it_no_better(scanner: Scanner, text: str, kind: str) -> None:
    assert [finding.kind for finding in scanner.find_in_text(text).findings] == [kind]


@pytest.mark.parametrize("text", ["six two nine", "nine eight seven six five four three two one zero", "un deux trois"])
def test_who_counts_gives_no_number(scanner: Scanner, text: str) -> None:
    assert scanner.find_in_text(text).findings == ()

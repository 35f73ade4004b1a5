"""Checks for cards, accounts and the national numbers of six countries and some neighbours.

Most algorithms are python-stdnum's, imported when the first candidate asks for one. Where its module also checks things
that change (bank codes, allocation tables), only the check digits count: when validators disagree, the finding stays.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

from gateway.detect.candidate import Candidate, Check, Confirmed, bare, groups

_CARD_SHAPES = frozenset(
    {(4, 4, 4, 4), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4), (8, 8), (4, 4, 8), (4, 8, 4), (8, 4, 4), (6, 10)}
)

_CARD_BEGINS = frozenset(shape[:2] for shape in _CARD_SHAPES)
_CARD_LENGTHS = range(12, 20)
_DIGITS = re.compile(r"\d+")
_GOES_ON = re.compile(r"\d[.,]$|[A-Za-z]$")
_ENDING = re.compile(r"[A-Za-z0-9]*$")
_WORD = re.compile(r"[A-Za-z0-9]+")
_HEXADECIMAL = re.compile(r"[a-fA-F0-9]+")
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
"""The digits of twice a digit, summed."""


def luhn(digits: str) -> bool:
    return (sum(map(int, digits[-1::-2])) + sum(map(_DOUBLED.__getitem__, map(int, digits[-2::-2])))) % 10 == 0


@cache
def _stdnum(name: str) -> Any:
    return importlib.import_module(f"stdnum.{name}")


# ── cards ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _issuer(digits: str) -> str:
    """'sure' for a range and length in wide use, 'perhaps' for one that needs a word near it, '' for none."""
    length, head2, head3, head4, head6 = len(digits), *(int(digits[:n]) for n in (2, 3, 4, 6))
    if length == 16 and (digits[0] == "4" or 51 <= head2 <= 55 or 2221 <= head4 <= 2720 or 3528 <= head4 <= 3589):
        return "sure"
    if length == 15 and head2 in {34, 37}:
        return "sure"
    if length == 16 and (head4 == 6011 or 644 <= head3 <= 659 or 622126 <= head6 <= 622925):
        return "sure"
    if length == 14 and (300 <= head3 <= 305 or head2 in {36, 38, 39}):
        return "perhaps"
    if length == 15 and head4 in {1800, 2131}:
        return "perhaps"
    maestro = digits[0] in "56" and length in {12, 13, 14, 15, 16, 17, 18, 19}
    return "perhaps" if maestro or (digits[0] == "4" and length in {13, 19}) else ""


def payment_card(candidate: Candidate) -> Iterable[Confirmed]:
    """Cards in a run of digits: alone, in one of the usual groupings, or evenly spaced out; two in a row as well."""
    found = list(_cards(candidate))
    if not found:
        found = [(candidate.start, candidate.end, candidate.bare)]
    for start, end, digits in found:
        issuer = _issuer(digits) if len(digits) in _CARD_LENGTHS else ""
        if not issuer or len(set(digits)) == 1 or not luhn(digits) or _part_of_more(candidate.text, start, end):
            continue
        if issuer == "sure" or "card" in candidate.near:
            yield Confirmed(start, end, digits, 1.0)


def _cards(candidate: Candidate) -> Iterable[tuple[int, int, str]]:
    parts = [match.span() for match in _DIGITS.finditer(candidate.text, candidate.start, candidate.end)]
    sizes = [end - start for start, end in parts]
    index = 0
    while index < len(parts):
        count = _grouped(sizes, index)
        if count:
            start, end = parts[index][0], parts[index + count - 1][1]
            digits = bare(candidate.text[start:end])
            yield start, end, digits
            index += count if luhn(digits) else 1
        else:
            index += 1


def _grouped(sizes: list[int], index: int) -> int:
    """How many runs of digits from one on may be a card, most first."""
    if tuple(sizes[index : index + 2]) in _CARD_BEGINS:
        shapes = (tuple(sizes[index : index + count]) for count in (5, 4, 3, 2))
        return next((len(shape) for shape in shapes if shape in _CARD_SHAPES), 0)
    return int(sizes[index] >= 12)


def _part_of_more(text: str, start: int, end: int) -> bool:
    """Whether the digits are the decimals of a number or a piece of a hexadecimal word."""
    if _GOES_ON.search(text[max(0, start - 2) : start]) and "." not in text[start:end]:
        word = _ENDING.search(text[max(0, start - 40) : start])
        if text[start - 1] in ".," or (word and _HEXADECIMAL.fullmatch(word.group())):
            return True
    tail = _WORD.match(text, end, end + 40)
    return bool(tail and _HEXADECIMAL.fullmatch(tail.group()))


# ── accounts ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def _iban_layouts() -> Mapping[str, re.Pattern[str]]:
    """Country → what follows the check digits, from the IBAN registry."""
    layouts = json.loads(resources.files("gateway.detect").joinpath("data", "iban.json").read_text(encoding="utf-8"))
    classes = {"n": r"\d", "a": "[A-Z]", "c": "[A-Z0-9]"}
    return {
        country: re.compile("".join(f"{classes[kind]}{{{size}}}" for size, kind in re.findall(r"(\d+)([nac])", layout)))
        for country, layout in layouts.items()
    }


_SLIPS = str.maketrans("OIL", "011")
_CURRENCY = re.compile(r"(?:EUR|USD|GBP|CHF|PLN|SEK|DKK|NOK|CZK|HUF|RON)(?![A-Za-z0-9])")


def iban(candidate: Candidate) -> Iterable[Confirmed]:
    compact = candidate.bare
    value = _account(compact)
    if value is None and (read := compact[:2] + compact[2:].translate(_SLIPS)) != compact:
        value = _account(read)
    if value is None:
        return ()
    end = candidate.start
    for _ in value:  # the match may run on into the next word: the country's length says where the number ends
        while not candidate.text[end].isalnum():
            end += 1
        end += 1
    if candidate.text[end : end + 1].isalnum() and not _CURRENCY.match(candidate.text, end):
        return ()
    return (Confirmed(candidate.start, end, value, 1.0),)


def _account(compact: str) -> str | None:
    """The account number that `compact` begins with."""
    layout = _iban_layouts().get(compact[:2])
    body = layout.match(compact, 4) if layout and compact[2:4].isdigit() else None
    value = compact[: body.end()] if body else ""
    good = value and int("".join(str(int(char, 36)) for char in value[4:] + value[:4])) % 97 == 1
    return value if good else None


def us_routing(candidate: Candidate) -> Iterable[Confirmed]:
    digits = [int(char) for char in candidate.bare]
    total = 3 * sum(digits[0::3]) + 7 * sum(digits[1::3]) + sum(digits[2::3])
    return candidate.confirm() if total % 10 == 0 and any(digits) else ()


# ── check digits that need more than one call ────────────────────────────────────────────────────────────────────────


def it_fiscal_code(candidate: Candidate) -> Iterable[Confirmed]:
    code = candidate.bare
    if sum(map(str.isdigit, code)) < 3:  # letters may stand for digits, but a sentence is made of nothing else
        return ()
    if _stdnum("it.codicefiscale").calc_check_digit(code[:-1]) == code[-1]:
        return candidate.confirm()
    day = code[9:11]
    slip = "it_tax" in candidate.near and len(candidate.value) == 16 and day.isdigit() and 0 < int(day) % 40 < 32
    return candidate.confirm(0.7) if slip else ()


def it_vat(candidate: Candidate) -> Iterable[Confirmed]:
    prefixed = candidate.bare.startswith("IT")
    digits = candidate.bare.removeprefix("IT")
    if not (prefixed or "vat" in candidate.near):
        return ()
    return candidate.confirm() if luhn(digits) and digits != "00000000000" else ()


def es_dni(candidate: Candidate) -> Iterable[Confirmed]:
    digits, letter = candidate.bare[:8], candidate.bare[8:]
    good = "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23] == letter
    return candidate.confirm() if good else ()


def es_nie(candidate: Candidate) -> Iterable[Confirmed]:
    code = candidate.bare
    good = "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(code[0])) + code[1:8]) % 23] == code[8]
    return candidate.confirm() if good else ()


def es_nif(candidate: Candidate) -> Iterable[Confirmed]:
    good = _stdnum("es.nif").is_valid(candidate.bare)
    return candidate.confirm() if good else ()


def es_account(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm(1.0) if _stdnum("es.ccc").is_valid(candidate.bare) else ()


def es_social_security(candidate: Candidate) -> Iterable[Confirmed]:
    digits = candidate.bare
    body = digits[2:-2]
    number = int(digits[:2]) * 10_000_000 + int(body) if int(body) < 10_000_000 else int(digits[:-2])
    good = number % 97 == int(digits[-2:]) and 1 <= int(digits[:2]) <= 66
    written, named = len(groups(candidate.value)) == 3, "es_social" in candidate.near
    if good and (written or named):
        return candidate.confirm()
    return candidate.confirm(0.7) if written and named else ()  # a slip of the hand


def de_tax_id(candidate: Candidate) -> Iterable[Confirmed]:
    """By its word or in its groups; alone it is believed a little: 4 of 1,000 numbers of eleven digits pass."""
    written = re.fullmatch(r"\d\d([ .\-/])\d{3}\1\d{3}\1\d{3}", candidate.value)
    named = "de_tax" in candidate.near
    if not _stdnum("de.idnr").is_valid(candidate.bare):
        return ()
    if written or named:
        return candidate.confirm()
    return candidate.confirm(0.6) if len(candidate.value) == 11 and _stands_alone(candidate) else ()


def _stands_alone(candidate: Candidate) -> bool:
    """Whether no sign glues the number to another one, to a path or to a name."""
    around = candidate.text[max(0, candidate.start - 1) : candidate.start] + candidate.text[candidate.end :][:2]
    return re.search(r"^[-+./_#=:]|[-/_=:]|[.,]\d", around) is None


def _sum_of_digits(numbers: Iterable[int]) -> int:
    return sum(sum(divmod(number, 10)) for number in numbers)


def de_social_security(candidate: Candidate) -> Iterable[Confirmed]:
    code = candidate.bare
    digits = code[:8] + f"{ord(code[8]) - 64:02d}" + code[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    good = _sum_of_digits(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % 10 == int(
        code[11]
    )
    month, day = int(code[4:6]), int(code[2:4]) % 50
    plausible = 1 <= month <= 12 and day <= 31
    return candidate.confirm() if good and plausible else ()


def de_health_insurance(candidate: Candidate) -> Iterable[Confirmed]:
    code = candidate.bare
    digits = f"{ord(code[0]) - 64:02d}" + code[1:9]
    total = _sum_of_digits(int(digit) * (1 + index % 2) for index, digit in enumerate(digits))
    return candidate.confirm() if total % 10 == int(code[9]) else ()


def _mrz_digit(text: str) -> int:
    values = (0 if char == "<" else int(char, 36) for char in text)
    return sum(value * (7, 3, 1)[index % 3] for index, value in enumerate(values)) % 10


def de_id_card(candidate: Candidate) -> Iterable[Confirmed]:
    code = re.sub(r"[ <]|D$", "", candidate.value.upper())
    if len(code) == 9:  # without its check digit: serial numbers begin with a letter and hold digits
        return candidate.confirm(0.75) if code[0].isalpha() and not code.isalpha() else ()
    good = len(code) == 10 and code[9].isdigit() and _mrz_digit(code[:9]) == int(code[9])
    return candidate.confirm() if good else ()


def fr_social_security(candidate: Candidate) -> Iterable[Confirmed]:
    code = candidate.bare
    month = int(code[3:5]) if code[3:5].isdigit() else 0
    if not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return ()
    number = int(code[:13].replace("2A", "19", 1) if "A" in code else code[:13].replace("2B", "18", 1))
    if 97 - number % 97 == int(code[13:]):
        return candidate.confirm()
    return candidate.confirm(0.7) if "fr_social" in candidate.near and len(groups(candidate.value)) in {1, 7} else ()


def fr_siret(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm() if _stdnum("fr.siret").is_valid(candidate.bare) else ()


def fr_tax_number(candidate: Candidate) -> Iterable[Confirmed]:
    digits = candidate.bare
    good = int(digits[:10]) % 511 == int(digits[10:])
    return candidate.confirm() if good else ()


def uk_nino(candidate: Candidate) -> Iterable[Confirmed]:
    code = candidate.bare
    good = code[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}
    # Lower case is how people type, and how hexadecimal ids look.
    shaped = candidate.value.upper() == candidate.value or len(groups(candidate.value)) == 5 or bool(candidate.near)
    return candidate.confirm() if good and shaped else ()


def uk_nhs_number(candidate: Candidate) -> Iterable[Confirmed]:
    good = _stdnum("gb.nhs").is_valid(candidate.bare)
    return candidate.confirm() if good else ()


def uk_utr(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm() if _stdnum("gb.utr").is_valid(candidate.bare.rstrip("K")) else ()


def us_ssn(candidate: Candidate) -> Iterable[Confirmed]:
    digits, value = candidate.bare, candidate.value
    area = int(digits[:3])
    written = re.fullmatch(r"\d{3}-\d\d-\d{4}", value)
    if area in {0, 666} or area >= 900 or digits[3:5] == "00" or digits[5:] == "0000":
        # Never issued; called by its name it is most likely a slip of the hand.
        return candidate.confirm(0.7) if written and "us_social" in candidate.near and len(set(digits)) > 1 else ()
    if not written and "us_social" not in candidate.near:
        return ()
    return candidate.confirm(0.95 if "us_social" in candidate.near else None)


def us_itin(candidate: Candidate) -> Iterable[Confirmed]:
    written = re.fullmatch(r"\d{3}-\d\d-\d{4}", candidate.value)
    return candidate.confirm() if written or "us_itin" in candidate.near else ()


def us_npi(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm() if luhn("80840" + candidate.bare) else ()


def eu_vat(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm() if _stdnum("eu.vat").is_valid(candidate.bare) else ()


def passport(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm() if sum(map(str.isdigit, candidate.value)) >= 4 else ()


def passport_mrz(candidate: Candidate) -> Iterable[Confirmed]:
    line = candidate.value
    checked = ((line[:9], line[9]), (line[13:19], line[19]), (line[21:27], line[27]))
    if any(not digit.isdigit() or _mrz_digit(part) != int(digit) for part, digit in checked):
        return ()
    whole = line[:10] + line[13:20] + line[21:43]
    return candidate.confirm() if line[43].isdigit() and _mrz_digit(whole) == int(line[43]) else ()


def _by_stdnum(module: str) -> Check:
    """A check that is one module's verdict on the bare value."""

    def check(candidate: Candidate) -> Iterable[Confirmed]:
        return candidate.confirm() if _stdnum(module).is_valid(candidate.bare) else ()

    return check


def _bitcoin(candidate: Candidate) -> Iterable[Confirmed]:
    return candidate.confirm(1.0) if _stdnum("bitcoin").is_valid(candidate.value) else ()


def _be_citizen(candidate: Candidate) -> Iterable[Confirmed]:
    written = len(groups(candidate.value)) == 5
    good = (written or "be_citizen" in candidate.near) and _stdnum("be.nn").is_valid(candidate.bare)
    return candidate.confirm() if good else ()


def checks() -> dict[str, Check]:
    return {
        "payment_card": payment_card, "iban": iban, "us_routing": us_routing, "bitcoin": _bitcoin,
        "luhn": lambda candidate: candidate.confirm() if luhn(candidate.bare) else (),
        "it_fiscal_code": it_fiscal_code, "it_vat": it_vat,
        "es_dni": es_dni, "es_nie": es_nie, "es_nif": es_nif, "es_account": es_account,
        "es_social_security": es_social_security,
        "de_tax_id": de_tax_id, "de_social_security": de_social_security,
        "de_health_insurance": de_health_insurance, "de_id_card": de_id_card,
        "fr_social_security": fr_social_security, "fr_siret": fr_siret, "fr_tax_number": fr_tax_number,
        "uk_nino": uk_nino, "uk_nhs_number": uk_nhs_number, "uk_utr": uk_utr, "uk_vat": _by_stdnum("gb.vat"),
        "us_ssn": us_ssn, "us_itin": us_itin, "us_ein": _by_stdnum("us.ein"), "us_npi": us_npi,
        "eu_vat": eu_vat, "passport": passport, "passport_mrz": passport_mrz,
        "ch_ahv": _by_stdnum("ch.ssn"), "at_social_security": _by_stdnum("at.vnr"),
        "nl_citizen": _by_stdnum("nl.bsn"), "pl_citizen": _by_stdnum("pl.pesel"),
        "be_citizen": _be_citizen, "pt_tax": _by_stdnum("pt.nif"),
    }  # fmt: skip

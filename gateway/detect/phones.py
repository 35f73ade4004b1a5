"""Checks for telephone numbers: shape first, then one parse by phonenumbers, whose tables load a country at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import pairwise
from typing import Any

from gateway.detect.candidate import Candidate, Check, Confirmed

REGIONS = ("IT", "ES", "DE", "FR", "GB", "US")

_SHAPES = tuple(
    (region, re.compile(shape))
    for region, shape in (
        # National forms that are a telephone number at first sight, and whose.
        ("US", r"\(?[2-9]\d\d\)?[ .-]{1,2}[2-9]\d\d[ .-]\d{4}|1[ .-][2-9]\d\d[ .-]\d{3}[ .-]\d{4}"),
        ("FR", r"0[1-9](?:[ .-]\d\d){4}|0[67]\d{8}"),
        ("GB", r"\(?0(?:7\d{3}\)?[ -]\d{3}[ ]?\d{3}|20\)?[ -]\d{4}[ -]\d{4}|1\d{2,3}\)?[ -]\d{3}[ -]\d{3,4})|07\d{9}"),
        ("IT", r"3\d\d[ ./-]\d{6,7}|3\d\d[ .-]\d{3}[ .-]\d{3,4}|3\d\d(?:[ .-]\d\d){2}[ .-]\d{2,3}|0\d{1,3}[/-]\d{6,8}"),
        ("DE", r"\(?0[1-9]\d{1,4}\)?[ ]?[/-][ ]?\d{4,9}|01[5-7]\d[ /-]?\d{7,8}"),
        ("DE", r"0[1-9]\d{1,3}[/ ]\d{3}[ ]\d{2,4}[ ]?\d{0,3}"),
        ("DE", r"0[2-9]\d{1,3}[ ]\d{5,8}"),
        ("GB", r"01\d{3}[ ]\d{6}"),
        ("IT", r"0\d{1,3}[ ]\d{6,8}"),
        ("AT", r"0(?:1|[2-7]\d{2,3})[ ]\d{6,8}"),
        ("CH", r"0[2-7]\d[ ]\d{3}[ ]\d\d[ ]\d\d"),
        ("ES", r"[6789]\d\d(?:[ .-]\d\d){3}|[67]\d\d[ -]\d{3}[ -]\d{3}"),
    )
)

_SHAPED = re.compile("|".join(shape.pattern for _, shape in _SHAPES))
"""Any of them: most rows of digits are none, and are asked once."""

_OTHER = re.compile(
    r"(?:19|20)\d\d[-./ ](?:0?\d|1[0-2])[-./ ]"
    r"|[0-3]?\d[-./ ][01]?\d[-./ ](?:19|20)\d\d"
    r"|\d{1,3}(?:\.\d{1,3}){3}\Z"
    r"|\d(?:[^\d]+\d)+\Z"
)
_BEGINS = re.compile(r"[ /-]")
"""A number may begin behind one."""
_MOBILE = (("IT", re.compile(r"3[2-9]\d{8}")), ("ES", re.compile(r"[67]\d{8}")))
"""Mobile numbers as people type them: without a gap, and without a zero that would tell them from any number."""
_WHOSE = re.compile(
    r"(?:(?<![\w./-])[A-ZÀ-Þ](?:[a-zà-ÿ'’-]{1,20}|[A-Z]{0,3}(?=,))|(?<!\w)(?:al|allo|sul|au|nonn[oa]|mamma|papà|madre|padre|zi[oa]|cugin[oa]|sorella|"
    r"fratello|marito|moglie|vicin[oa]|abuel[oa]|mamá|papá|tí[oa]|herman[oa]|prim[oa]|marido|mujer|vecin[oa]|cas[ao]|lavoro|"
    r"ufficio|oficina|trabajo))[ ]?[,;:(–-]?[ \t]\Z"
)
"""Who can be reached, or "at", right in front of a number."""
_COUNTED_THINGS = re.compile(r"[ ]?(?:[-+*/^×÷=%€$£_]|[.,]\d|(?:x|per|por|times|euros?|bytes?|diviso|entre)(?!\w))")
_FILED = re.compile(
    r"(?i)(?<![^\W_])(?:n|nr|no|num\w*|núm\w*|id|ref\w*|cod\w*|cód\w*|ordine|pedido|order|fattura|factura|invoice|ticket|pratica|"
    r"protocollo|expediente|matricola|serial\w*|isbn|ean|sku|lott[oe]|lote|p[oó]li\w+|tracking|caso|case|dossier|art\w*|bug|issue)"
    r"[^\w\n]{1,3}(?-i:[A-Z]{1,5}[^\w\n]{1,2})?\Z"
)


@cache
def _library() -> Any:
    import phonenumbers

    return phonenumbers


def _parse(text: str, region: str | None) -> str | None:
    """The number in international form, when it could ring somewhere."""
    library = _library()
    try:
        number = library.parse(text, region)
    except library.NumberParseException:
        return None
    if not library.is_valid_number(number) and not (region is None and library.is_possible_number(number)):
        return None  # with its country in front, a number in a range kept for fiction still counts
    return str(library.format_number(number, library.PhoneNumberFormat.E164))


def international(candidate: Candidate) -> Iterable[Confirmed]:
    value = candidate.value
    if value.startswith("00"):
        if "phone" not in candidate.near and not re.match(r"00[1-9]\d?\d?[ ./-]", value):
            return ()
        value = "+" + value[2:]
    # The match may have run into a number that follows: "+39 06 1234567 1500".
    for length in _lengths(value):
        number = _parse(value[:length].replace("\n", ""), None)
        if number is not None:
            end = candidate.end - (len(value) - length)
            return (Confirmed(candidate.start, end, number, candidate.confidence),)
    return ()


def _lengths(value: str) -> list[int]:
    cuts = [match.start() for match in re.finditer(r"[^\d+]+", value) if match.start() > 8]
    return [len(value), *reversed(cuts)][:4]


def national(candidate: Candidate) -> Iterable[Confirmed]:
    """A number without a country: its grouping gives it away, or a word beside it does.

    A house number or a year may stand in front: without a word, the number may begin at its second or third group.
    """
    value = candidate.value
    near = "phone" in candidate.near
    for start in (0, *(match.end() for match in _BEGINS.finditer(value)))[:3]:
        written = value[start:]
        if _other(written):
            continue
        shaped = [region for region, shape in _SHAPES if shape.fullmatch(written)] if _SHAPED.fullmatch(written) else []
        spelled = candidate.guess == "words" and len(written) > 8 and written.isdigit() and not _counted(written)
        if near or spelled:  # nobody writes out nine digits one by one but to have them dialled
            shaped += [region for region in REGIONS if region not in shaped]
        if not start:
            shaped += [region for region, shape in _MOBILE if shape.fullmatch(written) and _somebodys(candidate)]
        for region in shaped:
            number = _parse(written, region)
            if number is not None:
                return (Confirmed(candidate.start + start, candidate.end, number, 0.9 if near else 0.75),)
    return ()


def _somebodys(candidate: Candidate) -> bool:
    """Whether somebody is named right before a number, and no file, order or sum."""
    before = candidate.text[max(0, candidate.start - 40) : candidate.start]
    counted = _COUNTED_THINGS.match(candidate.text, candidate.end)
    return not counted and _WHOSE.search(before) is not None and _FILED.search(before) is None


def _counted(digits: str) -> bool:
    """Whether somebody counts up or down."""
    return len({(int(after) - int(before)) % 10 for before, after in pairwise(digits)}) == 1


def _other(value: str) -> bool:
    """A date, a version, an address of a host, a row of small numbers."""
    return _OTHER.match(value) is not None


def checks() -> dict[str, Check]:
    return {"phone_international": international, "phone_national": national}

"""Long texts are read in slices: where a slice ends must make no difference."""

from __future__ import annotations

import pytest

from gateway.detect import Scanner
from gateway.detect.pack import SLICE

FILLER = ("lorem ipsum dolor sit amet " * 400)[:10_000]
NAMED = {
    "us_ssn": ("my SSN is ", "536482917"),
    "uk_nhs_number": ("NHS number ", "943 476 5919"),
    "us_bank_routing": ("account routing number ", "021000021"),
    "phone": ("telefono ", "3471234567"),
}


@pytest.mark.parametrize("border", [SLICE, 2 * SLICE])
@pytest.mark.parametrize("kind", NAMED)
@pytest.mark.parametrize("gap", ["", " dato che lo chiedi te lo scrivo qui "], ids=["beside", "further off"])
def test_a_value_that_needs_its_context_is_found_around_every_border(
    scanner: Scanner, kind: str, border: int, gap: str
) -> None:
    context, value = NAMED[kind]
    missed = []
    for offset in range(border - 100, border + 40, 3):
        text = f"{FILLER[:offset]} {context}{gap}{value} thanks {FILLER[offset:]}"
        start = text.index(value)
        found = scanner.find_in_text(text).findings
        if (kind, start, start + len(value)) not in {(f.kind, f.place.start, f.place.end) for f in found}:
            missed.append(offset)
    assert missed == []


@pytest.mark.parametrize("kind", NAMED)
def test_a_word_behind_the_value_and_the_border_counts(scanner: Scanner, kind: str) -> None:
    context, value = NAMED[kind]
    for offset in range(SLICE - 30, SLICE + 5):
        text = f"{FILLER[:offset]} {value} ({context.strip()}) {FILLER[offset:]}"
        assert kind in {finding.kind for finding in scanner.find_in_text(text).findings}

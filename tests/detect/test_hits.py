"""Several readings of one place: misreadings go, and no finding hides another of a different category."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect import Scanner
from gateway.detect.hits import Hit, settle

IBAN = "DE10297299752882001826"


def hit(kind: str, confidence: float, start: int, end: int) -> Hit:
    category = {
        "phone": "contact",
        "email": "contact",
        "iban": "financial",
        "password": "secret",
        "es_dni": "identifier",
    }
    return Hit(kind, category[kind], confidence, start, end, value=0)


HITS = st.lists(
    st.builds(
        hit,
        st.sampled_from(["phone", "email", "iban", "password", "es_dni"]),
        st.sampled_from([0.5, 0.9, 1.0]),
        st.integers(0, 30),
        st.integers(31, 60),
    ),
    max_size=12,
)


def overlap(one: Hit, other: Hit) -> bool:
    return one.start < other.end and other.start < one.end


@given(HITS)
def test_hits_of_one_category_never_overlap(hits: list[Hit]) -> None:
    kept = settle(hits)
    assert not any(
        overlap(one, other) and one.category == other.category for one in kept for other in kept if one is not other
    )


@given(HITS)
def test_what_goes_is_covered_by_something_as_sure(hits: list[Hit]) -> None:
    kept = settle(hits)
    for lost in set(hits) - set(kept):
        assert any(overlap(one, lost) and one.confidence >= lost.confidence for one in kept)


@given(HITS, HITS)
def test_a_proven_hit_is_hidden_by_nothing_of_another_category(hits: list[Hit], more: list[Hit]) -> None:
    proven = [one for one in settle(hits) if one.confidence == 1]
    kept = settle([*hits, *more])
    for one in proven:
        assert any(overlap(one, other) and one.category == other.category for other in kept)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        (f"password={IBAN}", {"iban", "password"}),
        ("password: anna.verdi@posta.it", {"email", "password"}),
        ("postgres://anna@posta.it:Ve1tro9x@db.azienda.it/hr", {"email", "credentialed_url"}),
        ("postgres://app:Ve1tro9x@db.azienda.it/hr", {"credentialed_url"}),
        (f"call +39 346 507 5291 or pay {IBAN}", {"phone", "iban"}),
    ],
)
def test_every_category_at_a_place_is_told(scanner: Scanner, text: str, kinds: set[str]) -> None:
    assert {finding.kind for finding in scanner.find_in_text(text).findings} == kinds

"""What findings mean: the default table, a policy's own words over it, and what may only raise."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.types import Sensitivity, Unreadable
from gateway.policy.levels import Levels, Match, Raise, distinct, grade

N, C, R, U = Sensitivity.INTERNAL, Sensitivity.CONFIDENTIAL, Sensitivity.RESTRICTED, Sensitivity.UNKNOWN


def level(levels: Levels, *findings: Any, public: bool = False, at_least: Sensitivity | None = None) -> Sensitivity:
    return grade(levels, levels.counting(findings), (), public=public, at_least=at_least).level


@pytest.mark.parametrize(("kind", "category", "meant"), [
    ("iban", "financial", C), ("payment_card", "financial", R), ("email", "contact", C),
    ("it_fiscal_code", "identifier", R), ("private_key", "secret", R), ("credentialed_url", "credentialed_url", R),
    ("diagnosis", "health", R), ("faith", "special", R), ("child", "minor", R), ("privilege", "legal", R),
    ("mark", "confidential", C), ("restricted_mark", "confidential", R), ("name", "person", N),
    ("postal_address", "contact", N), ("source", "code", N), ("novel", "unheard_of", R),
])  # fmt: skip
def test_a_kind_has_a_level_out_of_the_box(kind: str, category: str, meant: Sensitivity, found: Any) -> None:
    assert level(Levels(), found(kind, category)) is meant


def test_nothing_found_is_internal_and_public_is_earned(found: Any) -> None:
    assert level(Levels()) is N
    assert level(Levels(), public=True) is Sensitivity.PUBLIC
    assert level(Levels(), found("name", "person"), public=True) is N
    assert grade(Levels(), (), (Unreadable("$", "image"),), public=True, at_least=None).level is U


def test_a_client_may_raise_and_not_lower(found: Any) -> None:
    assert level(Levels(), at_least=R) is R
    assert level(Levels(), at_least=Sensitivity.PUBLIC) is N
    assert level(Levels(), found("iban", "financial"), at_least=N) is C
    assert level(Levels(), public=True, at_least=Sensitivity.PUBLIC) is Sensitivity.PUBLIC
    assert level(Levels(), at_least=U) is U


OWN = {
    "a kind lowered": ({"iban": N}, {}, ("iban", "financial"), N),
    "a kind raised": ({"name": R}, {}, ("name", "person"), R),
    "a category lowered": ({}, {"financial": N}, ("iban", "financial"), N),
    "a category lowered, a listed kind stays": ({}, {"financial": N}, ("payment_card", "financial"), R),
    "a category raised lifts a listed kind": ({}, {"contact": R}, ("postal_address", "contact"), R),
    "a kind beats its category": ({"payment_card": N}, {"financial": R}, ("payment_card", "financial"), N),
}


@pytest.mark.parametrize(("kinds", "categories", "finding", "meant"), OWN.values(), ids=OWN.keys())
def test_a_policy_has_its_own_words(
    kinds: Any, categories: Any, finding: tuple[str, str], meant: Sensitivity, found: Any
) -> None:
    assert level(Levels(kinds=kinds, categories=categories), found(*finding)) is meant


def test_examples_pass_only_where_the_policy_lets_them(found: Any) -> None:
    example, real = found("iban", "financial", reserved=True), found("iban", "financial")
    assert level(Levels(), example) is C
    assert level(Levels(reserved_kinds=frozenset({"iban"})), example) is N
    assert level(Levels(reserved_kinds=frozenset({"email"})), example) is C
    assert level(Levels(all_reserved=True), example, public=True) is Sensitivity.PUBLIC
    assert level(Levels(all_reserved=True), example, real) is C


def test_a_condition_counts_what_it_names(found: Any) -> None:
    entry = Raise("x", Match(frozenset({"person"}), 0.5, frozenset({"salary"})), 2, None, 0, R)
    levels = Levels(raises=(entry,))
    near = found("name", "person", near=frozenset({"salary"}))
    assert level(levels, near, near) is R
    assert level(levels, near) is N
    assert level(levels, near, found("name", "person")) is N
    assert level(levels, near, found("name", "person", near=near.near, confidence=0.4)) is N
    assert level(levels, near, found("name", "person", near=near.near, confidence=float("nan"))) is R


def test_distinct_values_are_counted_and_unnumbered_ones_each_by_themselves(found: Any) -> None:
    assert distinct([found("name", "person", value_id=number) for number in (1, 1, 2)], Match()) == 2
    assert distinct([found("name", "person", value_id=0) for _ in range(3)], Match()) == 3
    assert distinct([found("iban", "financial")], Match(frozenset({"person"}))) == 0


def test_what_raised_the_level_is_said_once_per_kind(found: Any) -> None:
    entry = Raise("bulk", Match(), 1, Match(frozenset({"person"})), 2, R)
    findings = tuple(found("name", "person", value_id=number) for number in (1, 2))
    told = grade(Levels(raises=(entry,)), (*findings, found("iban", "financial")), (), public=False, at_least=U)
    assert told.raised_by == (
        "kind iban ×1 → confidential", "levels entry 'bulk' → restricted", "the client raised it → unknown",
    )  # fmt: skip

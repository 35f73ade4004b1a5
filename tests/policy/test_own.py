"""The sections `detect` and `allow.values`: what they compile to, and the sentence for each mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.own_rules import NO_RULES, OwnException, OwnRule
from gateway.policy.cases import CATALOGUE
from gateway.policy.check import Report, check_policy
from gateway.policy.doubts import Vocabulary

TEXT = """
name: x
detect:
  project: {category: confidential, words: [Nordlicht, Project Heron]}
  customer_number: {category: identifier, pattern: "KD-([0-9]{8})", checksum: luhn, confidence: 0.9}
  staff_number: {category: identifier, fields: [employee_id]}
allow:
  values:
    - {values: ["+39 06 1234567"], kinds: [phone]}
    - {values: [info@house.example]}
"""


def test_the_sections_become_rules_in_the_order_of_their_kinds(compiled: Callable[..., Any]) -> None:
    own = compiled(TEXT).own
    assert own.rules == (
        OwnRule("customer_number", "identifier", pattern="KD-([0-9]{8})", anchors=("kd-",), checksum="luhn",
                confidence=0.9),
        OwnRule("project", "confidential", literals=("Nordlicht", "Project Heron")),
        OwnRule("staff_number", "identifier", fields=("employee_id",)),
    )  # fmt: skip
    assert own.exceptions == (OwnException(("+39 06 1234567",), ("phone",)), OwnException(("info@house.example",)))
    assert len(bytes.fromhex(own.digest)) == 32


def test_both_digests_tell_other_rules_apart_and_none_are_none(compiled: Callable[..., Any]) -> None:
    one, other = compiled(TEXT), compiled(TEXT.replace("Nordlicht", "Nordlichter"))
    assert one.own.digest != other.own.digest
    assert one.digest != other.digest
    assert compiled("name: x\n").own is NO_RULES
    assert compiled("name: x\nallow: {reserved: [email]}\n").own is NO_RULES


def test_an_own_kind_means_what_its_category_means_unless_levels_says_otherwise(compiled: Callable[..., Any]) -> None:
    policy = compiled(TEXT + "levels: {project: restricted, staff_number: internal}\n")
    levels = [policy.level_of(kind, category).word for kind, category in (
        ("project", "confidential"), ("customer_number", "identifier"), ("staff_number", "identifier"),
    )]  # fmt: skip
    assert levels == ["restricted", "restricted", "internal"]


MISTAKES = {
    "nothing to look for": ("{category: code}", ["detect 'x'", "add words, pattern or fields"]),
    "a checksum of nothing": ("{category: code, words: [abc], checksum: luhn}", ["detect 'x'.checksum", "no pattern"]),
    "a checksum nobody knows": ("{category: code, pattern: ABC, checksum: crc32}", ["detect.x.checksum", "verhoeff"]),
    "a pattern that repeats without end": ("{category: code, pattern: 'ABC.*'}", ["detect 'x'.pattern", "{1,20}"]),
    "a word of one letter": ("{category: code, words: [C++]}", ["detect 'x'.words", "at least 2"]),
    "a field of one sign": ("{category: code, fields: ['-']}", ["detect 'x'.fields", "at least 2"]),
    "no category": ("{words: [abc]}", ["detect.x.category", "missing"]),
    "a category of one's own": ("{category: mine, words: [abc]}", ["detect.x.category", "'financial'"]),
    "no certainty": ("{category: code, words: [abc], confidence: 0}", ["detect.x.confidence"]),
    "several patterns": ("{category: code, patterns: [a]}", ["detect.x.patterns", "one pattern"]),
}  # fmt: skip


@pytest.mark.parametrize(("rule", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_an_own_rule_is_told_with_its_place(rule: str, told: list[str], compiled: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled(f"name: x\ndetect: {{x: {rule}}}\n")
    assert all(part in str(caught.value) for part in told)


def test_a_kind_may_not_take_a_categorys_name_and_an_exception_names_a_value(compiled: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"detect 'person': this is the name of a category"):
        compiled("name: x\ndetect: {person: {category: person, words: [abc]}}\n")
    with pytest.raises(ConfigurationError, match=r"allow\.values\[1\]: a value needs at least 2"):
        compiled("name: x\nallow: {values: [{values: ['+']}]}\n")


def test_rules_about_own_kinds_are_not_doubted(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    forbid = "forbid: [{name: in, zone: remote, when: {kinds: [staff_number], categories: [confidential]}}]\n"
    path.write_text(TEXT + "levels: {project: restricted}\n" + forbid, encoding="utf-8")
    words = Vocabulary(kinds=frozenset({"phone", "iban"}), categories=frozenset({"contact", "financial"}))
    assert check_policy(path, CATALOGUE, words) == Report()
    path.write_text("name: x\nallow: {values: [{values: [abc], kinds: [phome]}]}\n")
    assert "did you mean 'phone'?" in check_policy(path, CATALOGUE, words).warnings[0]

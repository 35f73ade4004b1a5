"""The rules as data: each compiles, none can match more than a slice is searched for."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest

from gateway.detect import rules
from gateway.detect.rules import Rule

OWN = [
    pytest.param(rule, id=f"{number} {rule.kind}") for number, rule in enumerate(rules.load().rules) if not rule.allow
]


@pytest.mark.parametrize("rule", OWN)
def test_no_match_is_longer_than_its_rule_says(rule: Rule) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import sre_parse  # the one place that knows how long a match may be
    parser: Any = sre_parse
    assert parser.parse(rule.pattern, re.ASCII).getwidth()[1] <= rule.reach


def test_every_rule_compiles() -> None:
    for rule in rules.load().rules:
        re.compile(rule.pattern, re.ASCII)


def test_no_context_word_is_longer_than_what_is_looked_through() -> None:
    from gateway.detect.pack import _LONGEST

    assert max(len(word) for listed in rules.load().context.values() for word in listed) <= _LONGEST

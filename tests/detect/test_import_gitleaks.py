"""The converter keeps what a rule says and bounds what it repeats."""

from __future__ import annotations

import re

import pytest

from gateway.detect.import_gitleaks import convert, translate

TRANSLATED = {
    "flag in the middle": (r"abc(?i)def", r"abc(?i:def)"),
    "flag inside a group": (r"(ab(?i)c)d", r"(ab(?i:c))d"),
    "flag before an alternative": (r"(?:a(?i)b|c)", r"(?:a(?i:b)|(?i:c))"),
    "flag at the start": (r"(?i)abc", r"(?i)abc"),
    "end of text": (r"a\z", r"a\Z"),
    "star": (r"a*", r"a{0,4000}"),
    "at least": (r"[a-z]{20,}", r"[a-z]{20,4020}"),
    "plus in a class": (r"[+*]a", r"[+*]a"),
    "escaped star": (r"\*a", r"\*a"),
    "space": (r"[ \t]+", r"[ \t]{1,20}"),
}


@pytest.mark.parametrize(("go", "python"), TRANSLATED.values(), ids=TRANSLATED)
def test_a_pattern_of_gos_becomes(go: str, python: str) -> None:
    assert translate(go) == python
    re.compile(translate(go))


def test_a_configuration_becomes_rules() -> None:
    source = r"""
[allowlist]
stopwords = ["Sample"]
[[rules]]
id = "acme-key"
regex = '''(?i)[\w.-]{0,50}?(?:acme)[\s]{0,3}=([a-z]{8})(?:[\x60'"\s;]|\\[nr]|$)'''
entropy = 3
keywords = ["ACME"]
[[rules.allowlists]]
regexTarget = "match"
regexes = ['''.+EXAMPLE$''', '''acmebook''']
[[rules]]
id = "path-only"
path = '''\.p12$'''
"""
    converted = convert(source)
    assert converted["allow"]["stopwords"] == ["sample"]
    (rule,) = converted["rules"]
    assert rule["kind"] == "acme_key"
    assert rule["prefixed"] is True
    assert rule["keywords"] == ["acme"]
    assert rule["allow"] == [{"target": "match", "regexes": ["acmebook"], "stopwords": []}]
    assert re.search(rule["pattern"], "acme=abcdefgh, and so on")

"""An operator's pattern is read to its last sign: linear and anchored, or refused with the way out."""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.patterns import LONGEST_MATCH, PatternError, read

GOOD = {
    "a number behind letters": (r"KD-[0-9]{8}", ("kd-",)),
    "classes": (r"\d{4}-INV-\w{2,6}", ("-inv-",)),
    "two forms": (r"KDNR[0-9]{6}|CUST-[A-Z]{2}[0-9]{4}", ("kdnr", "cust-")),
    "brackets for the checksum": (r"PAT-([0-9]{10})", ("pat-",)),
    "alternatives inside": (r"(?:KDN|CUS) ?[0-9]{6}", ("kdn", "cus")),
    "something optional": (r"HEROX?-[0-9]{3}", ("hero",)),
    "escaped signs": (r"\[REF\]\.\d{3}", ("[ref].",)),
    "a literal repeated": (r"X{3}[0-9]{2}", ("xxx",)),
    "negated class": (r"REF:[^ ]{4}", ("ref:",)),
}


@pytest.mark.parametrize(("pattern", "anchors"), GOOD.values(), ids=GOOD.keys())
def test_a_linear_pattern_with_a_literal_is_taken_with_its_anchors(pattern: str, anchors: tuple[str, ...]) -> None:
    shape = read(pattern)
    assert shape.anchors == anchors
    assert shape.longest <= LONGEST_MATCH
    re.compile(pattern)


BAD = {
    "a star": (r"KDN[0-9]*", "without end"),
    "a plus": (r"KDN[0-9]+", "without end"),
    "an open count": (r"KDN[0-9]{2,}", "{2,20}"),
    "a repeat in a repeat": (r"KDN(?:[0-9]{1,3}-){1,3}", "inside a repeat"),
    "the classic": (r"(a+)+bcd", "without end"),
    "an option in a repeat": (r"KDN(?:[0-9] ?){4}", "inside a repeat"),
    "a repeat repeated": (r"KDN[0-9]{2}{3}", "is repeated"),
    "a lazy repeat": (r"KDN[0-9]{2,3}?", "is repeated"),
    "a backreference": (r"(KDN)-\1", "refers back"),
    "a lookahead": (r"KDN(?=[0-9])", "no lookaround"),
    "a lookbehind": (r"(?<=KDN)[0-9]{3}ABC", "no lookaround"),
    "a named group": (r"(?P<n>KDN)", "no lookaround, no names"),
    "a flag": (r"(?i)KDN", "no flags"),
    "no literal": (r"[0-9]{8}", "3 fixed characters"),
    "a literal too short": (r"K-[0-9]{8}", "3 fixed characters"),
    "a literal only in one form": (r"KDN[0-9]{3}|[0-9]{9}", "3 fixed characters"),
    "a literal that is optional": (r"(?:KDN)?[0-9]{9}", "3 fixed characters"),
    "spaces for a literal": (r"    [0-9]{9}", "3 fixed characters"),
    "too many ways": (r"KDN[0-9]{1,30}[0-9]{1,30}", "too many ways"),
    "far too many ways": (r"KDN" + r"[0-9]{1,99}" * 40, "too many ways"),
    "too long": (r"KDN[0-9]{150}[0-9]{150}", "more than 200"),
    "several brackets": (r"(KDN)-([0-9]{3})", "several ( )"),
    "brackets repeated": (r"KDN([0-9]){3}", "repeat inside it"),
    "an open bracket": (r"KDN(?:[0-9]{3}", "( without its )"),
    "a closing bracket": (r"KDN[0-9]{3})", ") without its ("),
    "an open class": (r"KDN[0-9", "[ without its ]"),
    "an empty class": (r"KDN[]", "\\]"),
    "a range backwards": (r"KDN[9-0]", "backwards"),
    "a set difference": (r"KDN[a-z--b]", "mean more than themselves"),
    "a brace": (r"KDN{x}", "\\{"),
    "a huge count": (r"KDN[0-9]{99999}", "\\{"),
    "no count": (r"KDN[0-9]{0}", "from 0 to"),
    "an anchor of the line": (r"^KDN[0-9]{3}$", "not needed"),
    "an escape nobody reads": (r"KDN\b", "is not read"),
    "an escape at the end": ("KDN\\", "\\\\"),
    "nothing to repeat": (r"?KDN", "nothing is to be repeated"),
    "deep brackets": ("(?:" * 20 + "KDN" + ")" * 20, "too deeply"),
}


@pytest.mark.parametrize(("pattern", "told"), BAD.values(), ids=BAD.keys())
def test_any_other_is_refused_with_the_way_out(pattern: str, told: str) -> None:
    with pytest.raises(PatternError) as caught:
        read(pattern)
    assert told in str(caught.value)


PIECES = [
    "KDN",
    "a",
    "ab",
    "[ab]",
    "[a-c]{1,3}",
    "a?",
    "{2}",
    "|",
    "(?:",
    ")",
    "(",
    "\\d",
    "-",
    "{1,4}",
    "?",
    ".",
    "\\w",
]


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join), st.integers(0, 2**32))
def test_whatever_is_taken_compiles_holds_its_anchor_and_ends_soon(pattern: str, seed: int) -> None:
    try:
        shape = read(pattern)
    except PatternError:
        return
    compiled = re.compile(f"(?:{pattern})(?![^\\W_])", re.IGNORECASE)
    signs = random.Random(seed)
    text = "".join(signs.choice(["KDN", "a", "ab", "b", "-", "1"]) for _ in range(3000))
    began = time.thread_time()
    for match in compiled.finditer(text):
        assert any(anchor in match.group().lower() for anchor in shape.anchors)
        assert len(match.group()) <= shape.longest
    assert time.thread_time() - began < 10

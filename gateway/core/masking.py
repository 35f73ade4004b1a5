"""What a transform has to replace, and how a placeholder is written, for whoever has to tell one from the other."""

from __future__ import annotations

import re

from gateway.core.types import TAINT, VALUES, Finding

OWN = "own"
"""The detector whose findings are the operator's own words, numbers and fields."""

TAG_LETTERS = "bcdfghjkmnpqrstvwxz"
"""No vowels: a tag spells nothing."""
TAG_DIGITS = "23456789"

_KIND = r"(?:[A-Z]{1,24}_){1,5}\d{1,5}"
_TAG = rf"[{TAG_LETTERS}][{TAG_DIGITS}][{TAG_LETTERS}{TAG_DIGITS}]{{2}}"
_PLACEHOLDER = re.compile(rf"(?<![^\W_])(?:{_KIND}_{_TAG}|REMOVED_{_KIND})(?![^\W])")


def is_placeholder(text: str) -> bool:
    """Whether the text is one, `[PERSON_1_k7f2]` or `[REMOVED_SECRET_1]`, or several with nothing but marks between."""
    rest, count = _PLACEHOLDER.subn("", text)
    return count > 0 and not any(map(str.isalnum, rest))


def is_value(finding: Finding) -> bool:
    """Whether a transform has to replace it. An operator's own word is one, whatever it says about the text."""
    return finding.detector != TAINT and (finding.category in VALUES or finding.detector == OWN)

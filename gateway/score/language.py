"""Which language a text is written in, or None: it is better to say nothing than to be wrong.

A wrong language can refuse a private request that the local model could have answered, so short and ambiguous texts,
code and numbers give None. Another script names its language by itself; Latin text is told apart by frequent words,
then by endings and letters. See `docs/scoring.md` for the measured precision.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence

from gateway.score.lexicon import Evidence

SCRIPTS = (
    (re.compile(r"[\u3040-\u30ff]"), "ja"),  # kana before Han: Japanese uses both
    (re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"), "ko"),
    (re.compile(r"[\u4e00-\u9fff\u3400-\u4dbf]"), "zh"),
    (re.compile(r"[іїєґ]"), "uk"),
    (re.compile(r"[\u0400-\u04ff]"), "ru"),
    (re.compile(r"[\u0370-\u03ff\u1f00-\u1fff]"), "el"),
    (re.compile(r"[پچژگ]"), "fa"),
    (re.compile(r"[\u0600-\u06ff]"), "ar"),
    (re.compile(r"[\u0590-\u05ff]"), "he"),
    (re.compile(r"[\u0900-\u097f]"), "hi"),
    (re.compile(r"[\u0980-\u09ff]"), "bn"),
    (re.compile(r"[\u0b80-\u0bff]"), "ta"),
    (re.compile(r"[\u0e00-\u0e7f]"), "th"),
    (re.compile(r"[\u10a0-\u10ff]"), "ka"),
    (re.compile(r"[\u0530-\u058f]"), "hy"),
)
OTHER_SCRIPT = re.compile(r"[\u0370-\u1dff\u1f00-\u1fff\u2c80-\u2dff\u2e80-\ud7ff\uf900-\ufaff]")
LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")

TOKENS = 160
"""Tokens that are looked at; more change nothing."""
ENOUGH = 1.7
"""Evidence below this, about two words of one language alone, decides nothing."""
CLEAR = 1.45
"""The best language must have this many times the evidence of the second."""
CODE = "{}();=<>_[]"
_CODE = dict.fromkeys(map(ord, CODE))
CODE_DENSITY = 0.03
"""Share of braces, semicolons, indents and the like above which English keywords of programs count for nothing."""


def identify(text: str, tokens: Sequence[str], evidence: Evidence) -> tuple[str | None, float]:
    """(ISO 639-1 code or None, confidence). `tokens` are those of `text` in lower case."""
    if not text.isascii() and (script := _by_script(text)) is not None:
        return script
    ignored = evidence.keywords if _dense(text) else frozenset()
    votes: defaultdict[str, float] = defaultdict(float)
    words, ends = evidence.words, evidence.ends
    for token in tokens[:TOKENS]:
        found = words.get(token)
        if found is None:
            found = ends.get(token[-4:]) or ends.get(token[-3:]) if len(token) > 4 else None
        elif token in ignored:
            continue
        if found is not None:
            for language, weight in found:
                votes[language] += weight
    if not text.isascii():
        for letter in set(text.lower()):
            for language, weight in evidence.marks.get(letter, ()):
                votes[language] += weight
    return _verdict(votes)


def _verdict(votes: dict[str, float]) -> tuple[str | None, float]:
    first = second = 0.0
    best: str | None = None
    for language, weight in votes.items():
        if weight > first:
            best, first, second = language, weight, first
        elif weight > second:
            second = weight
    if best is None or first < ENOUGH or first < CLEAR * second:
        return None, 0.0
    return best, round(1.0 - 0.5 * math.exp(-(first - second) / 1.5), 3)


def _by_script(text: str) -> tuple[str | None, float] | None:
    """The language of a text mostly in another script; None when it is mostly Latin."""
    others = len(OTHER_SCRIPT.findall(text))
    # A Chinese or Japanese sign says as much as about three letters.
    if others < 2 or others * 3 < len(LATIN.findall(text)):
        return None
    lowered = text.lower()
    code = next((language for pattern, language in SCRIPTS if pattern.search(lowered)), None)
    return (code, round(1.0 - 0.5 * math.exp(-others / 3), 3)) if code else (None, 0.0)


def _dense(text: str) -> bool:
    signs = len(text) - len(text.translate(_CODE)) if text.isascii() else sum(map(text.count, CODE))
    signs += text.count("\n  ") + text.count("\n\t")
    return signs > CODE_DENSITY * len(text)

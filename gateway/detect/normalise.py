"""Makes look-alikes alike: one reading of a text in which a digit is a digit and nothing invisible stands between two.

ASCII text is returned as it is, so that ordinary prompts pay one `isascii()`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from gateway.detect.clock import Clock
from gateway.detect.reading import Builder, Reading

_MARKS = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")
_RAISED = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
"""Digits, or the mark of a footnote behind a number."""
_SLICE = 4000
"""Characters rewritten between two looks at the clock."""

_LOOKALIKES = str.maketrans(
    # Cyrillic, Greek, Armenian and Cherokee letters that pass for Latin ones, and what stands in for ASCII marks
    "АВЕЅІЈКМНОРСТУХҮԌԚԜаеіјкорсухѕһԁԛԝґΑΒΕΖΗΙΚΜΝΟΡΤΥΧαιοκνρτυχϲϳՏՍօսհոՕᎪᎬᎻᏆᏞᎷᏢᎡᏚᎢᏙᏔ"
    "‐‑‒–—―−﹣˗‘’‚‛“”„‟′″‹›∶꞉∕⁄·•∙⋅․｡。۔٫",
    "ABESIJKMHOPCTYXYGQWaeijkopcyxshdqwrABEZHIKMNOPTYXaiokvptuxcjSUouhnOAEHILMPRSTVW"
    "--------" + "-" + "''''" + '""""' + "'" + '"' + "<>" + "::" + "//" + "........" + ".",
)
_SPECIAL = {
    "ı": "i",
    "Ι": "I",
    "ⅼ": "l",
    "\u3164": "",
    "\u115f": "",
    "\u1160": "",
    "\u2800": " ",
    "\u034f": "",
    "\u180e": "",
}


def plain(char: str) -> str:
    """What one character reads as: '' when it is invisible."""
    if char in _SPECIAL:
        return _SPECIAL[char]
    category = unicodedata.category(char)
    if category in {"Mn", "Me"} and _MARKS.match(char):
        return ""  # struck through, underlined or in a box, a digit is still one; a letter loses its accent
    if category == "No" and (digit := unicodedata.digit(char, None)) is not None:
        return str(digit)
    if category in {"Cf", "Cs"} or "\ufe00" <= char <= "\ufe0f":
        return "" if category != "Cs" else "\ufffd"
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category in {"Zs", "Zl", "Zp"}:
        return "\n" if char in "\u2028\u2029" else " "
    return unicodedata.normalize("NFKC", char).translate(_LOOKALIKES)


def normalise(raw: str, clock: Clock) -> Iterator[Reading | None]:
    """How `raw` reads, with a None after every slice of work. Two readings where something invisible was taken out:
    without it, and with a space for it.

    Both are needed: a zero-width space may hide inside a number, or glue a digit to one, as a footnote's mark does.
    One is built after the other has been read, so that only one is held.
    """
    if raw.isascii():
        yield Reading("raw", raw)
        return
    changed: dict[str, str] = {}
    for low in range(0, len(raw), _SLICE):
        clock.check()
        letters = set(raw[low : low + _SLICE]) - changed.keys()
        changed.update((char, plain(char)) for char in letters if not char.isascii())
        if low:
            yield None
    changed = {char: reads for char, reads in changed.items() if char != reads}
    apart = {char: _apart(char) for char, reads in changed.items() if not reads or char in _RAISED}
    if not changed:
        yield Reading("raw", raw)
        return
    yield from _rewritten(raw, changed, clock)
    if apart:
        yield from _rewritten(raw, changed | apart, clock)


def _apart(char: str) -> str:
    """What stands for a character that may be none: a tag's letter, else a space."""
    return chr(ord(char) - 0xE0000) if "\U000e0020" <= char <= "\U000e007e" else " "


def _rewritten(raw: str, table: Mapping[str, str], clock: Clock) -> Iterator[Reading | None]:
    builder = Builder("normal", clock)
    same_length = {ord(char): reads for char, reads in table.items() if len(reads) == 1}
    other = "".join(char for char, reads in table.items() if len(reads) != 1)
    if not other:
        yield Reading("normal", raw.translate(same_length))
        return
    runs = re.compile(f"[{re.escape(other)}]")
    done = 0
    for low in range(0, len(raw), _SLICE):
        for match in runs.finditer(raw, low, low + _SLICE):
            index = match.start()
            builder.add(raw[done:index].translate(same_length), done, index)
            builder.add(table[raw[index]], index, index + 1)
            done = index + 1
        yield None
    builder.add(raw[done:].translate(same_length), done, len(raw))
    yield builder.reading()

"""Other ways to read a text: decoded, unescaped, with spelled-out digits as digits, with spaced-out letters together.

A view is only built when its probe, one more pattern for the gate, has seen in the text what it decodes.
"""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise
from math import log2

from gateway.detect.clock import Clock
from gateway.detect.reading import Builder, Reading

BLOB = 1024
"""From this length on, a run of base64 that is no text is content that nobody here can read."""

_DIGIT_WORDS = {
    word: digit
    for digit, spoken in enumerate(
        (
            "zero oh cero null zéro",
            "one uno eins un",
            "two due dos zwei zwo deux",
            "three tre tres drei trois",
            "four quattro cuatro vier quatre",
            "five cinque cinco fünf fuenf cinq",
            "six sei seis sechs",
            "seven sette siete sieben sept",
            "eight otto ocho acht huit",
            "nine nove nueve neun neuf",
        )
    )
    for word in spoken.split()
}
_TIMES = {"double": 2, "doppio": 2, "doble": 2, "doppel": 2, "triple": 3, "triplo": 3}
_SPOKEN = "|".join(sorted(_DIGIT_WORDS, key=len, reverse=True))
_WORD = "|".join((_SPOKEN, *_TIMES))
_SEPARATOR = r"""(?:[ ]?[,|*;:~+/\-][ ]?|[\f\x00]|["'][ ]?,[ ]?["']|(?:</?[A-Za-z][^<>\n]{0,12}>){1,2})"""
"""What stands between the cells of a row."""
_BETWEEN = r"[ \t,.\-/\n]{1,3}"

PROBES = {
    "escapes": r"\\(?:u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|[nrt\"/])",
    "html": r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{2,8};)",
    "percent": r"%[0-9a-fA-F]{2}|%u[0-9a-fA-F]{4}",
    "quoted": r"(?:=[0-9A-Fa-f]{2}){3}",
    "base64": r"[A-Za-z0-9+/_-]{12}",
    "hex": r"[0-9a-fA-F]{18}|(?:[0-9a-fA-F]{2}[ :]){8}[0-9a-fA-F]{2}",
    "words": rf"(?i)(?:\b(?:{_WORD})\b{_BETWEEN}(?:[a-z0-9]{{1,4}}{_BETWEEN}){{0,4}}){{3}}|(?:{_SPOKEN}){{6}}",
    "spaced": r"(?:[^\s][ \t\n_\-]){7}[^\s]"
    r"|(?:[A-Za-z0-9]{0,4}[0-9][A-Za-z0-9]{0,4}[ \t\n._/\-]{1,2}){2}[A-Za-z0-9]",
    "marked": rf"[A-Z]{{0,4}}[0-9]{{1,5}}{_SEPARATOR}(?:[A-Z0-9]{{2,5}}{_SEPARATOR}){{2}}[A-Z0-9]",
    "broken": r"[0-9][^\n]{0,14}\n[^\n]{0,14}[0-9]|@[^\n]{0,40}\n[A-Za-z0-9]|[A-Za-z0-9._-]\r?\n[^\n ]{0,40}@",
}
"""View → pattern that must occur for it to be worth building; hyperscan and `re` read all of them alike."""

_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|u\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}|U[0-9a-fA-F]{8}|[nrt\"'/\\])")
_HTML = re.compile(r"&(?:#[0-9]{1,7};?|#[xX][0-9a-fA-F]{1,6};?|[a-zA-Z]{2,8};)")
_PERCENT = re.compile(r"(?:%[0-9a-fA-F]{2}){1,4000}|%u[0-9a-fA-F]{4}")
_QUOTED = re.compile(r"(?:=[0-9A-Fa-f]{2}){1,4000}|=\r?\n")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,1000000}(?:\r?\n[A-Za-z0-9+/_-]{4,1000}){0,20000}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){9,500000}|(?:[0-9a-fA-F]{2}[ :]){8,4000}[0-9a-fA-F]{2}")
_SPELLED = re.compile(
    rf"(?<![^\W_])(?:\+[ ]?)?(?:(?:(?i:{_WORD})|[A-Za-z0-9]|[A-Z]{{2}}|\d{{1,4}}){_BETWEEN}){{5,80}}"
    rf"(?:(?i:{_WORD})|[A-Za-z0-9]|\d{{1,4}})(?![^\W_])"
    rf"|(?<![^\W_])(?i:{_SPOKEN}){{6,80}}(?![^\W_])"
)
_GLUED = re.compile(rf"(?i)(?:{_SPOKEN}){{6,80}}")
_SPOKEN_DIGIT = re.compile(rf"(?i)(?:{_SPOKEN})")
_SPELLED_TOKEN = re.compile(rf"(?i)(?<![^\W_])({_WORD})(?![^\W_])")
_TOKEN = re.compile(r"\+|[^\W_]+")
_SMALL = frozenset("aeiouy")
"""Letters that are words: "y", "a", "e"."""
_SINGLES = re.compile(r"""(?<!\S)\S(?:([ \t\n])\S(?![^\s,;:!?.)\]"'])){7,200}""")
"""One separator after every character, of whatever kind."""
_GROUPS = re.compile(
    r"(?<![A-Za-z0-9@+])(?=[A-Za-z@+\s._/\-]{0,14}[0-9])(?:"
    + "|".join(
        rf"{group}{{{size}}}(?P<s{number}>{separator}){group}{{{size}}}"
        rf"(?:(?P=s{number}){group}{{{size}}}){{{max(0, 6 // size - 1)},200}}"
        + (rf"(?:(?P=s{number}){group}{{1,{size - 1}}})?" if size > 1 else "")
        + r"(?![A-Za-z0-9])"
        # Between words of prose, only capitals and digits are groups.
        for number, (size, group, separator) in enumerate(
            (size, group, separator)
            for size in range(1, 6)
            for group, separator in (("[A-Z0-9@+]", r"[ \t\n]{1,2}"), ("[A-Za-z0-9@+]", r"[._/\-]"))
        )
    )
    + ")"
)
"""Equal groups with one separator throughout, six signs or more: what someone writes who hides a number."""
_CELLS = re.compile(
    r"(?<![A-Za-z0-9])(?=[A-Z]{0,4}[0-9])(?:"
    + "|".join(
        rf"[A-Z0-9]{{{size}}}(?P<s{size}>{_SEPARATOR})[A-Z0-9]{{{size}}}"
        rf"(?:(?P=s{size})[A-Z0-9]{{{size}}}){{1,40}}(?:(?P=s{size})[A-Z0-9]{{1,{size - 1}}})?(?![A-Za-z0-9])"
        for size in range(2, 6)
    )
    + ")"
)
"""Equal groups between equal marks, as in the cells of a table or the strings of a list."""
_ACCOUNT = re.compile("[A-Z]{2}[0-9]{2}")
"""A number that has letters of its own: "IBAN DE47 …"."""
_BROKEN = re.compile(r"(?<=[A-Za-z0-9@._+\-])[ ]?\r?\n[ ]?(?=[A-Za-z0-9@._+\-])")


@dataclass(slots=True)
class Seen:
    """The further readings of a text, and what stayed shut."""

    readings: list[tuple[Reading, bool]] = field(default_factory=list)
    """(reading, whether it guesses and so counts for strong rules alone)."""
    runs: list[tuple[str, str, int, int]] = field(default_factory=list)
    """(view, decoded text, start, end of the encoded run): texts of their own inside the text."""
    opaque: bool = False
    """There is a long run that looks encoded or encrypted and decodes to nothing readable."""


def build(text: str, probes: set[str], clock: Clock) -> Seen:
    """Every view of `text` that its probes ask for."""
    seen = Seen()
    for name, pattern, reads in _REWRITES:
        if name in probes:
            reading = _rewrite(Builder("unescaped", clock), text, pattern, reads)
            if reading is not None:
                seen.readings.append((reading, False))
    for name, rewritten in _GUESSES:
        if name in probes:
            reading = rewritten(text, Builder(name, clock))
            if reading is not None:
                seen.readings.append((reading, True))
    if "base64" in probes:
        _decode(text, _BASE64, _from_base64, "base64", seen, clock)
    if "hex" in probes:
        _decode(text, _HEX, _from_hex, "hex", seen, clock)
    return seen


def _rewrite(builder: Builder, text: str, pattern: re.Pattern[str], reads: Callable[[str], str]) -> Reading | None:
    done = 0
    for match in pattern.finditer(text):
        read = reads(match.group())
        if read == match.group():
            continue
        builder.add(text[done : match.start()], done, match.start())
        builder.add(read, match.start(), match.end())
        done = match.end()
    if not done:
        return None
    builder.add(text[done:], done, len(text))
    return builder.reading()


def _unescape(escape: str) -> str:
    simple = {"n": "\n", "r": "\r", "t": "\t"}
    body = escape[1:]
    if body[0] in "uxU":
        code = int(body[1:].strip("{}"), 16)
        # A lone half of a surrogate pair is no character; a planned pair only ever spells an emoji.
        return "\ufffd" if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code)
    return simple.get(body, body)


def _percent(escape: str) -> str:
    if escape[1] == "u":
        return _unescape("\\" + escape[1:])
    return bytes.fromhex(escape.replace("%", "")).decode("utf-8", "replace")


def _quoted(escape: str) -> str:
    return bytes.fromhex(escape.replace("=", "")).decode("utf-8", "replace") if escape[1] not in "\r\n" else ""


_REWRITES: tuple[tuple[str, re.Pattern[str], Callable[[str], str]], ...] = (
    ("escapes", _ESCAPE, _unescape),
    ("html", _HTML, html.unescape),
    ("percent", _PERCENT, _percent),
    ("quoted", _QUOTED, _quoted),
)


def _spelled(text: str, builder: Builder) -> Reading | None:
    """Runs of digit words (and single letters between them) as the number they spell."""
    done = 0
    for run in _SPELLED.finditer(text):
        if len(_SPELLED_TOKEN.findall(run.group())) < 3 and not _GLUED.fullmatch(run.group()):
            continue
        builder.between(text, done, run.start())
        times, tokens = 1, _SPOKEN_DIGIT if _GLUED.fullmatch(run.group()) else _TOKEN
        apart = _apart(run.group()) if tokens is _TOKEN else frozenset()
        for token in tokens.finditer(run.group()):
            word = token.group()
            if token.start() in apart:
                builder.add(" ", run.start() + token.start(), run.start() + token.start())
            if word.lower() in _TIMES:
                times = _TIMES[word.lower()]
                continue
            start, end = run.start() + token.start(), run.start() + token.end()
            digit = _DIGIT_WORDS.get(word.lower())
            builder.add(word if digit is None else times * str(digit), start, end)
            times = 1
            if digit is None and len(word) > 1 and word.isalpha():
                builder.add(" ", end, end)  # a word in front of the number, or a country that a space may follow
        done = run.end()
    return _rest(builder, text, done)


def _apart(run: str) -> frozenset[int]:
    """Where tokens of a run begin that only stand beside what is spelled: behind another gap than the others have
    ("… nine, 45 euros"), or a small word at either end ("… ocho y", "a tres …")."""
    tokens = list(_TOKEN.finditer(run))
    gaps = [run[left.end() : right.start()] for left, right in pairwise(tokens)]
    usual = Counter(gaps).most_common(1)[0][0] if gaps else ""
    apart = {
        token.start()
        for token, gap in zip(tokens[1:], gaps, strict=True)
        if gap != usual and (gap[:1] in ",." or "\n" in gap)
    }
    if tokens and tokens[-1].group() in _SMALL:
        apart.add(tokens[-1].start())
    if len(tokens) > 1 and tokens[0].group() in _SMALL:
        apart.add(tokens[1].start())
    return frozenset(apart)


def _rest(builder: Builder, text: str, done: int) -> Reading | None:
    if not done:
        return None
    builder.between(text, done, len(text))
    return builder.reading()


def _spaced(text: str, builder: Builder) -> Reading | None:
    """Runs of evenly spaced characters or groups, pushed together; words in front of a number stay in front."""
    return _pushed(text, builder, lettered=False)


def _lettered(text: str, builder: Builder) -> Reading | None:
    """The same for numbers that begin with letters: the last word in front is their beginning."""
    return _pushed(text, builder, lettered=True)


def _pushed(text: str, builder: Builder, *, lettered: bool) -> Reading | None:
    done = 0
    runs = [] if lettered else [(run.span(), r"\S") for run in _SINGLES.finditer(text)]
    runs += [(run.span(), r"[A-Za-z0-9@+]+") for run in _GROUPS.finditer(text) if _alone(text, run)]
    for (start, end), token in sorted(runs):
        parts = [part.span() for part in re.compile(token).finditer(text, start, end)]
        words = 0
        while words < len(parts) and parts[words][1] - parts[words][0] > 1 and text[slice(*parts[words])].isalpha():
            words += 1
        if lettered and (not 0 < words < len(parts) or _ACCOUNT.match(text, parts[words][0])):
            continue
        del parts[: words - lettered]
        joined = "".join(text[slice(*part)] for part in parts)
        if start < done or len(joined) < 8 or not re.search(r"\d|@", joined):
            continue
        builder.between(text, done, parts[0][0])
        for first, last in parts:
            builder.add(text[first:last], first, last)
        done = end
    return _rest(builder, text, done)


def _marked(text: str, builder: Builder) -> Reading | None:
    """Rows of equal cells without what stands between them."""
    done = 0
    for run in _CELLS.finditer(text):
        if not _alone(text, run):
            continue
        builder.between(text, done, run.start())
        mark = next(filter(None, run.groups()))
        at = run.start()
        for cell in run.group().split(mark):
            builder.add(cell, at, at + len(cell))
            at += len(cell) + len(mark)
        done = run.end()
    return _rest(builder, text, done)


def _alone(text: str, run: re.Match[str]) -> bool:
    """Whether the run is no stretch of a longer row of numbers: in a table, luck would find anything."""
    separator = next(filter(None, run.groups()))
    last = run.group().rpartition(separator)[2]
    full = len(last) == len(run.group().partition(separator)[0])
    before = text[max(0, run.start() - 3) : run.start()]
    after = text[run.end() : run.end() + 3]
    mark = r"\d" if separator.isspace() else r"[A-Za-z0-9]"
    return not re.search(mark + re.escape(separator) + "$", before) and not (
        full and re.match(re.escape(separator) + mark, after)
    )


def _broken(text: str, builder: Builder) -> Reading | None:
    """Without the line ends that stand inside a word or number."""
    done = 0
    for gap in _BROKEN.finditer(text):
        builder.between(text, done, gap.start())
        done = gap.end()
    return _rest(builder, text, done)


_GUESSES: tuple[tuple[str, Callable[[str, Builder], Reading | None]], ...] = (
    ("words", _spelled), ("spaced", _spaced), ("spaced", _lettered), ("marked", _marked), ("broken", _broken),
)  # fmt: skip


def _decode(
    text: str,
    pattern: re.Pattern[str],
    decode: Callable[[str], bytes | None],
    view: str,
    seen: Seen,
    clock: Clock,
) -> None:
    for number, run in enumerate(pattern.finditer(text)):
        if not number % 64:
            clock.check()
        opened = False
        for start, end in _parts(run):
            data = decode(text[start:end])
            read = _readable(data) if data else None
            if read is not None:
                seen.runs.append((view, read, start, end))
                opened = True
                if end == run.end():
                    break
        seen.opaque = seen.opaque or (not opened and _opaque(run.group()))


def _parts(run: re.Match[str]) -> Iterator[tuple[int, int]]:
    """The run over all its lines, then, in case they do not belong together, each line."""
    yield run.span()
    if "\n" in run.group():
        for line in _LINE.finditer(run.group()):
            yield run.start() + line.start(), run.start() + line.end()
    for mark in islice(_MARK.finditer(run.group()), 4):  # "token_" in front, or a path
        if run.end() - run.start() - mark.end() >= 12:
            yield run.start() + mark.end(), run.end()


_LINE = re.compile(r"[^\r\n]{12,}")
_MARK = re.compile(r"[/_+-](?=[A-Za-z0-9])")
_PLAIN = str.maketrans("-_", "+/", "\r\n=")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")


def _from_base64(run: str) -> bytes | None:
    body = run.translate(_PLAIN)
    if len(body) % 4 == 1:
        body = body[:-1]
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        return None


def _from_hex(run: str) -> bytes | None:
    try:
        return bytes.fromhex(re.sub(r"[ :]", "", run))
    except ValueError:
        return None


def _readable(data: bytes) -> str | None:
    """The bytes as text, when they are text."""
    if len(data) >= 16 and data[1:64:2].count(0) >= 0.9 * len(data[1:64:2]):
        data = data[: len(data) // 2 * 2].decode("utf-16-le", "replace").encode()
    if _CONTROL.search(data, 0, 64):  # not text
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    printable = sum(map(str.isprintable, text)) + sum(map(text.count, "\n\r\t"))
    return text if printable >= 0.97 * len(text) and (len(data) >= 20 or text.isascii()) else None


def _opaque(run: str) -> bool:
    if len(run) < BLOB:
        return False
    sample = run[:4096]
    bits = -sum(count / len(sample) * log2(count / len(sample)) for count in Counter(sample).values())
    return bits > 5.2

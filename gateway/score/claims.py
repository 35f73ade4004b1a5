"""Cuts talk to a router and claims about an ask: "this is an extremely complex task" makes no task complex.

Known attacks on routers add such words before or after an ask, in fences, tags, brackets and disguised letters. A run
of words from `data/claims.txt` is cut when it is one of GADGETS. What remains is what was asked: a word that is not
listed is never cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

from gateway.score.lexicon import DATA, TOKEN, lines_of, tokens_in

GADGETS = (
    {"model", "size", "order"},
    {"vendor", "order"},
    {"router", "away"},
    {"answer", "local"},
    {"expert", "you"},
    {"hard", "thing"},
    {"hard", "needs"},
    {"deep", "thing", "needs"},
    {"think", "steps"},
    {"pay", "number", "you"},
    {"stake", "mine", "deep"},
)
"""What a run must hold to be cut: a word of each kind of one of these."""
SHORTEST = 3
"""Words of a run at least: "a hard question", not "hard question"."""
BREAK = re.compile(r"[.?!;](?=\s|$)|\n")
OPENED = re.compile(r"[\]\[{}<>()*_#\"'«“„!|-]+[ \t]*\Z")
CLOSED = re.compile(r"[.!?,;:]{0,3}[ \t]*[\]\[{}<>()*_#\"'»”!|-]+|[.!?,;:]{1,3}")
"""Signs before and after what is cut, which go with it."""
AROUND = 8
"""Characters of them at most."""
SPACED = re.compile(r"(?<!\w)(?:\w[ \t]{1,3}){5,}\w(?!\w)")
"""Letters set apart: "u s e  t h e"."""
SETTERS = ("gateway", "complexity", "difficulty", "gain", "route", "routing", "target", "tier", "model", "backend")
SETTING = re.compile(
    r"(?i)(?:\b(?:system|admin|developer|router) ?[:>] ?)?[\[({<]{0,2}['\"]?\b(?:set )?"
    r"(?:x-gateway-\w{1,20}|complexity|difficulty|gain|routes?|router|routing|target|tier|model|backend)"
    r"(?:\W{0,3}\s?[:=]|(?<=ty) (?:to|as|at))\s?\W{0,2}"
    r"(?:\d[\d.]{0,9}|high|max(?:imum)?|hard|remote|remote_model|large|big|cloud|strong|best|frontier|premium|gpt\S{0,9})"
    r"(?!\w)(?:['\"]?[\])}>,;]{1,2})?"
)
"""Settings that a person would write to a router: "route: remote", `complexity=1.0`."""
LONGEST = 40
"""Letters that no word has which a person reads."""
OPAQUE = re.compile(rf"[A-Za-z0-9+/_=%-]{{{LONGEST},}}")
LIKE = str.maketrans("аеорсухіѕј", "aeopcyxisj")
"""Cyrillic letters that look like Latin ones."""
MIXED = re.compile(r"[a-z][\u0430-\u0458]|[\u0430-\u0458][a-z]")
WORD = re.compile(r"\w+")
DIGITS = "013457"
DIGITED = re.compile(rf"[{DIGITS}](?<=[a-z].)")
"""A digit behind a letter; the digit stands first, because there are fewer of them to try."""
LETTERED = re.compile(rf"(?<!\w)[a-z]+[{DIGITS}][a-z{DIGITS}]*(?!\w)")
"""A word with digits for letters."""
LEET = str.maketrans(DIGITS, "oieast")
UNSEEN = dict.fromkeys((0xAD, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xE0000, 0xE0080)))
"""Characters that nobody sees, mapped to nothing."""


@cache
def kinds() -> dict[str, frozenset[str]]:
    """Kinds by word. Read at the first use, not at import."""
    table: dict[str, set[str]] = {}
    for name, entries in lines_of(DATA / "claims.txt"):
        for entry in entries:
            table.setdefault(entry, set()).add(name)
    return {word: frozenset(names) for word, names in table.items()}


def seen(text: str) -> str:
    """The text without characters that nobody sees."""
    return text if text.isascii() else text.translate(UNSEEN)


def without_claims(text: str) -> tuple[str, tuple[str, ...] | None]:
    """The text without runs that talk to a router or claim difficulty, and without strings no person reads.

    With it the tokens of its lower case, where it was searched as it is.
    """
    text = read_by_people(text)
    lowered = _folded(text)
    if any(map(lowered.__contains__, SETTERS)):
        text = SETTING.sub(" ", text)
        lowered = _folded(text)
    tokens = tokens_in(lowered)
    if not _may_hold_gadget(tokens):  # nearly always; the places are looked for in the few others
        return text, tokens if lowered == text.lower() else None
    kept: list[str] = []
    done = start = 0
    for end in [*(found.end() for found in BREAK.finditer(lowered)), len(lowered)]:
        for first, last in _spans(lowered, start, end) if _may_hold_gadget(tokens_in(lowered[start:end])) else ():
            first, last = around(text, max(done, start), first, last)
            kept.append(text[done:first].rstrip(" "))
            done = last
        start = end
    return " ".join([*kept, text[done:].lstrip(" ")]).strip(" ") if kept else text, None


def read_by_people(text: str) -> str:
    """Without strings that no person reads, and letters set apart that name a model."""
    lengths = list(map(len, text.split()))
    if max(lengths, default=0) >= LONGEST:
        text = OPAQUE.sub(_opaque, text)
    elif b"\1\1\1\1" not in bytes(lengths):  # of SPACED's six letters the first and the last may touch other signs
        return text
    return SPACED.sub(_spaced, text)


def around(text: str, least: int, first: int, last: int) -> tuple[int, int]:
    """The span with the quotes, brackets and marks that stand around it, and the stop behind it."""
    opened = OPENED.search(text[max(least, first - AROUND) : first])
    closed = CLOSED.match(text[last : last + AROUND])
    return first - len(opened.group()) if opened else first, last + closed.end() if closed else last


def _spans(lowered: str, start: int, end: int) -> list[tuple[int, int]]:
    """Places of the runs in one sentence that are gadgets."""
    known = kinds()
    spans: list[tuple[int, int]] = []
    run: list[re.Match[str]] = []
    for token in [*TOKEN.finditer(lowered, start, end), None]:
        if token is not None and (token.group() in known or token.group()[0].isdigit()):
            run.append(token)
            continue
        if len(run) >= SHORTEST and _gadget(_held(each.group() for each in run)):
            spans.append((run[0].start(), run[-1].end()))
        run = []
    return spans


def _held(tokens: Iterable[str]) -> set[str]:
    """Kinds of the listed words among the tokens."""
    known = kinds()
    held: set[str] = set()
    for token in tokens:
        if token in known:
            held |= known[token]
        elif token[0].isdigit():
            held.add("number")
    return held


def _may_hold_gadget(tokens: tuple[str, ...]) -> bool:
    """Whether a run of them may be a gadget; a number is taken to be there."""
    known = kinds()
    return _gadget({"number"}.union(*[known[token] for token in known.keys() & set(tokens)]))


def _gadget(held: set[str]) -> bool:
    return any(gadget <= held for gadget in GADGETS)


def _folded(text: str) -> str:
    """Lower case with look-alikes undone, letter by letter, so that places fit."""
    lowered = text.lower()
    if len(lowered) != len(text):
        lowered = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    if not lowered.isascii() and MIXED.search(lowered):
        lowered = WORD.sub(lambda word: _latin(word.group()), lowered)
    if DIGITED.search(lowered):
        lowered = LETTERED.sub(lambda word: word.group().translate(LEET), lowered)
    return lowered


def _latin(word: str) -> str:
    return word.translate(LIKE) if MIXED.search(word) else word


def _opaque(found: re.Match[str]) -> str:
    """Base64, hashes and the like go; a long word, a path or a line of dashes stays."""
    said = found.group()
    mixed = any(map(str.isdigit, said)) + any(map(str.isupper, said)) + any(map(str.islower, said))
    return " " if mixed >= 2 and "--" not in said and "__" not in said else said


def _spaced(found: re.Match[str]) -> str:
    joined = _folded("".join(found.group().split()))
    return " " if any(word in joined for word in ("model", "rout", "gpt", "cloud", "remot")) else found.group()

"""Which task family an ask belongs to: thresholds, competence and realised shares are kept apart for each.

Cue words decide, in the order below: what is done to a given text and is named first, then the subjects that make an
answer right or wrong (code, maths), then what is to be made (a text, an argument, a form), then questions and talk.
A family is a guess from words. It opens nothing: it chooses which of the tenant's numbers a score is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from gateway.core.scoring import Needs
from gateway.score.ask import Ask
from gateway.score.features import NAMES, Reading, instruction
from gateway.score.lexicon import DATA, STEM, Cues, lexicon, lines_of, tokens_in

LEAD = 10
"""Tokens from the start in which a task over a given text names itself."""
SEARCHED = 60
"""Tokens of the instruction that are looked at; a longer one has named its task by then."""
GIVEN = ("rewrite", "translate", "summarise", "extract")
"""In the order in which they are believed where one word has several."""
SUMMARY = ("summar", "riassu", "sintes", "resum", "résum", "zusamm", "tldr")
"""What a summary is called, where `short`, `title` and the like are no task but a length or a piece."""
SURE = 0.8
"""A saturated count of two cue words or more."""
HEAD, TAIL = 400, 40
"""Characters in which the task names itself, and in which a question ends."""
TALK = 12
"""Words that small talk has at most."""
FILLS_FORMS = frozenset({"chat", "knowledge", "writing", "other"})
"""Families that a demanded JSON schema turns into `format`: the form is then the task."""


@dataclass(frozen=True, slots=True)
class Words:
    single: dict[str, frozenset[str]]
    pairs: dict[tuple[str, str], str]
    firsts: frozenset[str]
    """Of the pairs."""


@cache
def words() -> Words:
    """Read at the first use, not at import."""
    single: dict[str, set[str]] = {}
    pairs: dict[tuple[str, str], str] = {}
    for name, entries in lines_of(DATA / "families.txt"):
        for entry in entries:
            first, _, second = entry.partition("_")
            if second:
                pairs[first, second] = name
            else:
                single.setdefault(first, set()).add(name)
    return Words(
        {word: frozenset(names) for word, names in single.items()}, pairs, frozenset(first for first, _ in pairs)
    )


def family_of(reading: Reading, ask: Ask, needs: Needs) -> str:
    """One of `core.scoring.FAMILIES`. Never raises for any `Ask` and `Reading` made of one."""
    family = _family(reading, ask)
    return "format" if needs.schema and family in FILLS_FORMS else family


def _family(reading: Reading, ask: Ask) -> str:
    if not ask.prose:
        return "code" if ask.code_chars else "other"
    seen = dict(zip(NAMES, reading.values, strict=False))
    table = lexicon().cues.get(reading.language) or lexicon().cues[None]
    tokens = instruction(*_head(ask), table)[:SEARCHED]
    named = _named(tokens)
    return (
        _over_text(seen, tokens, named, table)
        or _exact(seen, named)
        or _made(seen, named)
        or _asked(seen, tokens, ask.prose[-TAIL:])
    )


def _head(ask: Ask) -> tuple[str, tuple[str, ...]]:
    """The start of the prose in lower case, and its tokens."""
    if len(ask.prose) <= HEAD:
        return ask.lowered, ask.tokens
    lowered = ask.prose[:HEAD].lower()
    return lowered, tokens_in(lowered)


def _over_text(seen: dict[str, float], tokens: tuple[str, ...], named: set[str], table: Cues) -> str | None:
    """A task over a given text, unless what is given or wanted is code."""
    lead = _first_given(tokens[:LEAD], table)
    if lead is None or seen["fences"] == 1 or seen["code"] >= SURE:
        return None
    if lead == "summarise" and "write" in named and not any(token.startswith(SUMMARY) for token in tokens):
        return None  # "Write a short story": short is a length here, no task
    # "Correct this function" and "translate it to Rust" are about code with one word of it; a summary of code is not.
    return None if seen["code"] and lead in ("rewrite", "translate") else lead


def _exact(seen: dict[str, float], named: set[str]) -> str | None:
    """What is right or wrong: programs and numbers."""
    maths = max(seen["maths"], seen["signs"])
    if (seen["code"] or seen["fences"] > 0.5) and seen["code"] + seen["fences"] >= maths:
        return None if "piece" in named and "write" in named and seen["code"] < SURE and not seen["fences"] else "code"
    if maths or seen["problem"] >= SURE or (seen["problem"] and seen["quantity"]):
        return "maths"
    return None


def _made(seen: dict[str, float], named: set[str]) -> str | None:
    """What is made out of nothing: a text, an argument, a form."""
    if seen["longform"] or {"write", "piece"} <= named or ("ideas" in named and not seen["reason"]):
        return "writing" if "write" in named or "ideas" in named or not seen["reason"] else "reasoning"
    if any(seen[cue] for cue in ("prove", "reason", "steps", "plan")):
        return "reasoning"
    if seen["format"]:
        return "format"
    return "writing" if "write" in named else None


def _asked(seen: dict[str, float], tokens: tuple[str, ...], end: str) -> str:
    """Questions and talk."""
    if (seen["greet"] or seen["smalltalk"]) and len(tokens) <= TALK:
        return "chat"
    question = "?" in end or "？" in end or seen["choices"]
    if question or any(seen[cue] for cue in ("define", "factual", "yesno", "why", "expert")):
        return "knowledge"
    return "knowledge" if "list" in _named(tokens[:1]) else "other"


def _first_given(tokens: tuple[str, ...], table: Cues) -> str | None:
    """The task over a given text that is named first."""
    for place, token in enumerate(tokens):
        found = table.words.get(token) or table.stems.get(token[:STEM], ())
        if token in table.phrases:
            phrases = table.phrases[token]
            found += tuple(cue for rest, cue, _ in phrases if tokens[place + 1 : place + 1 + len(rest)] == rest)
        for cue in found and GIVEN:
            if cue in found:
                return cue
    return None


def _named(tokens: tuple[str, ...]) -> set[str]:
    known = words()
    named: set[str] = set()
    for token in known.single.keys() & set(tokens):
        named |= known.single[token]
    if not known.firsts.isdisjoint(tokens):
        named.update(known.pairs[pair] for pair in pairwise(tokens) if pair in known.pairs)
    return named

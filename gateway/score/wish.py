"""Cuts "please use the best model" out of an ask: who wants the remote model does not get it by telling the scorer.

A wish is a verb of routing and a big model near each other in one sentence. The words stand in `data/wish.txt`, in five
languages; only texts that name a model at all are looked at closely.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from gateway.score.claims import around, seen, without_claims
from gateway.score.lexicon import DATA, TOKEN, lines_of

HINTS = ("model", "modè", "llm", "gpt", "claude", "gemini", "opus", "sonnet")
"""Each noun and vendor in `data/wish.txt` holds one of these: without them there is no wish."""
REACH = 8
"""Tokens between verb and model at most."""
WINDOW = 1_200
"""Only head and tail are read for features, so only they are searched."""
SENTENCE = re.compile(r"[.?!:;](?=\s|$)|\n")
_AFTER = re.compile(r"[-.\w]{0,16}[.!;,)]{0,3}")
_COURTESY = (
    ("please",),
    ("bitte",),
    ("per", "favore"),
    ("por", "favor"),
    ("s", "il", "te", "plaît"),
    ("s", "il", "vous", "plaît"),
)


@dataclass(frozen=True, slots=True)
class Words:
    models: frozenset[str]
    vendors: frozenset[str]
    verbs: frozenset[str]
    sizes: frozenset[str]
    fill: frozenset[str]


@cache
def words() -> Words:
    """Read at the first use, not at import."""
    table: dict[str, set[str]] = {}
    for name, entries in lines_of(DATA / "wish.txt"):
        table.setdefault(name, set()).update(entries)
    return Words(**{name: frozenset(entries) for name, entries in table.items()})


def without_wishes(text: str) -> str:
    """The text without what asks for a bigger model, and without claims about itself."""
    return heard(text)[0]


def heard(text: str) -> tuple[str, tuple[str, ...] | None]:
    """The same, and the tokens of its lower case where the search has found them already."""
    if len(text) > 2 * WINDOW:
        return without_wishes(text[:WINDOW]) + text[WINDOW:-WINDOW] + without_wishes(text[-WINDOW:]), None
    return without_claims(_without_wishes(seen(text)))


def _without_wishes(text: str) -> str:
    lowered = text.lower()
    if not any(map(lowered.__contains__, HINTS)):
        return text
    if len(lowered) != len(text):  # a few letters grow when lowered, and then the places no longer fit
        lowered = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in text)
    kept, done, start = [], 0, 0
    for end in [*(found.end() for found in SENTENCE.finditer(lowered)), len(lowered)]:
        for first, last in _wishes(lowered[start:end]):
            if start + first >= done:
                first, last = around(text, max(done, start), start + first, start + last)
                kept.append(text[done:first].rstrip(" ,;("))
                done = last
        start = end
    return " ".join([*kept, text[done:].lstrip(" ")]) if kept else text


def _wishes(sentence: str) -> list[tuple[int, int]]:
    """Spans of the wishes in a lower-case sentence."""
    tokens = list(TOKEN.finditer(sentence))
    spoken, spans, known = [token.group() for token in tokens], [], words()
    for place, word in enumerate(spoken):
        if word in known.models or word in known.vendors:
            first, last = _extent(spoken, place, known)
            near = set(spoken[first : last + 1])
            if near & known.verbs and (word in known.vendors or near & known.sizes):
                after = _AFTER.match(sentence, tokens[last].end())
                spans.append((tokens[first].start(), after.end() if after else tokens[last].end()))
    return spans


def _extent(spoken: list[str], place: int, known: Words) -> tuple[int, int]:
    """First and last token of the wish around the model at `place`: back to its verb, on to what belongs to it."""
    first = place
    for at in range(place - 1, max(-1, place - 1 - REACH), -1):
        if spoken[at] in known.verbs:
            first = at
            break
        if spoken[at] not in known.fill and spoken[at] not in known.sizes:
            break
    # German and Italian may put the verb last: "bitte das große Modell benutzen".
    loose: Collection[str] = known.fill | known.sizes | (known.verbs if first == place else frozenset())
    last = place
    while (
        last + 1 < len(spoken) and last - place < REACH and (spoken[last + 1] in loose or spoken[last + 1][0].isdigit())
    ):
        last += 1
    if first == place:
        while first and place - first < REACH and (spoken[first - 1] in known.fill or spoken[first - 1] in known.sizes):
            first -= 1
    for courtesy in _COURTESY:
        if first >= len(courtesy) and tuple(spoken[first - len(courtesy) : first]) == courtesy:
            first -= len(courtesy)
    return first, last

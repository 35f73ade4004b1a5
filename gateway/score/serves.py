"""What comes before every formula: whether the local model can serve a request at all, its shape and its languages."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from gateway.core.types import BackendSpec, Needs
from gateway.score.ask import Ask
from gateway.score.lexicon import DATA, lines_of, tokens_in

SPOKEN = 0.5
"""Confidence in a language from which a local model that does not speak it is taken to fail."""
HEAD, TAIL = 300, 100
"""Characters at the start and at the end of an ask in which it says how it wants to be answered."""


def serves(local: BackendSpec, needs: Needs, language: str | None, sureness: float, ask: Ask) -> bool:
    """Whether `local` meets every need and speaks the languages of the ask and of the answer it wants."""
    if local.can(needs) is not None or (needs.tools and needs.schema and local.wire == "llama"):
        return False  # no grammar says with which of a call and an object an answer would begin
    wanted = wanted_language(ask)
    return local.speaks(language if sureness >= SPOKEN else None) and local.speaks(wanted)


def wanted_language(ask: Ask) -> str | None:
    """The language that an answer is asked for in, as in "translate into French" and "e in italiano?"."""
    before, codes = _tongues()
    if len(ask.prose) <= HEAD + TAIL:
        tokens = ask.tokens
    else:
        tokens = tokens_in(f"{ask.prose[:HEAD]} . {ask.prose[-TAIL:]}".lower())
    if before.isdisjoint(tokens):
        return None
    named = [codes[tongue] for word, tongue in pairwise(tokens) if word in before and tongue in codes]
    return named[-1] if named else None


@cache
def _tongues() -> tuple[frozenset[str], dict[str, str]]:
    """Read at the first use, not at import."""
    codes: dict[str, str] = {}
    before: frozenset[str] = frozenset()
    for name, entries in lines_of(DATA / "tongues.txt"):
        if name == "before":
            before = frozenset(entries)
        else:
            codes.update(dict.fromkeys(entries, name))
    return before, codes

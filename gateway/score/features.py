"""The features of an ask: a fixed, documented list of numbers between 0 and about 1, the same in every language.

One pass over at most 1,000 characters: tokens are looked up in the language's cues, signs are counted. Nothing here
knows names, so that swapping a name changes nothing but a length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from gateway.score.ask import Ask
from gateway.score.language import identify
from gateway.score.lexicon import GIVEN, OPENING, STEM, Cues, Lexicon, tokens_in

CUES = (
    "code", "maths", "prove", "reason", "why", "constraint", "steps", "format", "longform", "plan", "expert",
    "quantity", "greet", "smalltalk", "rewrite", "translate", "extract", "define", "factual", "yesno", "summarise",
)  # fmt: skip
HARD = ("code", "maths", "prove", "reason", "steps", "longform", "plan", "expert")
EASY = ("greet", "smalltalk", "rewrite", "translate", "extract", "define", "factual", "yesno", "summarise")
SIGNS = ("\\", "^", "$", "=", "√", "∫", "∑", "π", "≤", "≥", "×")
ASCII_SIGNS = tuple(sign for sign in SIGNS if sign.isascii())
CODE_SIGNS = ("{", "}", "()", ");", "];", "def ", "#include", "</", "=>", "SELECT ", "import ", "print(", "[PYTHON]")
TABLE: Mapping[str, str] = {
    "length": "ln(1 + words) / 7; two signs are a word in Chinese and Japanese, eight characters in fenced code",
    **{cue: f"cue words of {cue!r} (data/cues_*.txt), saturating: 1 → 0.6, 2 → 0.85, 3 and more → 1" for cue in CUES},
    "sentences": "ln(1 + sentence ends and lines) / 4",
    "questions": "question marks, up to 3, / 3",
    "numbers": "numbers among the tokens, up to 8, / 8",
    "signs": "mathematical signs and LaTeX, up to 6, / 6",
    "fences": "fenced or visible code: 0, 0.6 for some signs of code, 1 for a fence or many signs",
    "choices": "1 where lines begin with A. B. C. (multiple choice)",
    "long_words": "share of words of ten letters and more (German: fourteen), from 0 to 0.4, / 0.4",
    "problem": "1 for a word problem: a number, a word of quantity, one more of either; 0.7: three numbers, a question",
    "hard_cues": "kinds of hard cue present, up to 4, / 4",
    "short_easy": "an easy cue, no hard one and at most 25 words",
    "tiny": "no hard cue and at most 6 words",
    "given": "an easy task over a given text: rewrite, translate, extract or summarise and 20 words or more",
    "turns": "ln(turns) / 3: a long conversation",
}
"""Every feature and what it measures, in the order of the vector."""
NAMES = tuple(TABLE)
_SATURATED = (0.0, 0.6, 0.85, 1.0)
CODE_WORD = 8
"""Characters of fenced code that count as one word."""
GIVEN_WITHIN = 6
"""Where a task over a given text names itself."""
_LONG_WORD = {"de": 14, "nl": 14}
_SIGN_LANGUAGES = frozenset({"zh", "ja", "th"})


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read off an ask: numbers and a language, no text."""

    values: tuple[float, ...]
    """In the order of NAMES."""
    language: str | None
    language_confidence: float
    cues: int
    """Cue words found: how much the formula had to go by."""


def read(ask: Ask, lexicon: Lexicon) -> Reading:
    language, sureness = identify(ask.prose, ask.tokens, lexicon.evidence)
    table = lexicon.cues.get(language) or lexicon.cues[None]
    counts = dict.fromkeys(CUES, 0)
    count(instruction(ask.lowered, ask.tokens, table), table, counts)
    words = word_count(ask, len(ask.tokens), language)
    values = _values(ask, counts, words, language)
    return Reading(values, language, sureness, sum(counts.values()))


def instruction(lowered: str, tokens: tuple[str, ...], table: Cues) -> tuple[str, ...]:
    """The tokens that ask. After "Rewrite this politely: …" comes material, and its words ask for nothing."""
    if table.given.isdisjoint(tokens[:GIVEN_WITHIN]):
        return tokens
    ends = [at for mark in (":", "\n", '"', "«", "“", "„", "? ") if (at := lowered.find(mark)) > 0]
    asking = tokens_in(lowered[: min(ends)]) if ends else tokens
    return asking if len(asking) > 1 else tokens


def count(tokens: tuple[str, ...], table: Cues, counts: dict[str, int]) -> None:
    """Add the cues among the tokens to `counts`."""
    words, stems, phrases = table.words, table.stems, table.phrases
    found = [table.openers[token] for token in tokens[:OPENING] if token in table.openers]
    found += [words[token] for token in tokens if token in words]
    found += [
        stems[token[:STEM]] for token in tokens if len(token) >= STEM and token[:STEM] in stems and token not in words
    ]
    for place in [place for place, token in enumerate(tokens) if token in phrases]:
        for rest, cue, opening in phrases[tokens[place]]:
            if not (opening and place >= OPENING) and tokens[place + 1 : place + 1 + len(rest)] == rest:
                found.append((cue,))
    for cue in chain.from_iterable(found):
        if cue in counts:
            counts[cue] += 1


def word_count(ask: Ask, tokens: int, language: str | None) -> int:
    """Words of the whole ask: of the prose from the density of the part that was read, of code by its length."""
    code = ask.code_chars // CODE_WORD
    if not ask.prose:
        return code
    if language in _SIGN_LANGUAGES:
        return ask.chars // 2 + code
    return round(tokens * max(1.0, ask.chars / len(ask.prose))) + code


def _values(ask: Ask, counts: dict[str, int], words: int, language: str | None) -> tuple[float, ...]:
    text, tokens = ask.prose, ask.tokens
    numbers = len([token for token in tokens if token[0].isdigit()])
    signs = sum(map(text.count, ASCII_SIGNS if text.isascii() else SIGNS))
    code = 2 if ask.fences else sum(map(text.count, CODE_SIGNS))
    hard = sum(1 for cue in HARD if counts[cue])
    easy = any(counts[cue] for cue in EASY)
    heavy = hard or signs > 2 or code
    given = any(counts[cue] for cue in GIVEN)
    long_word = _LONG_WORD.get(language or "", 10)
    long_words = len([token for token in tokens if len(token) >= long_word])
    problem = (
        1.0
        if counts["quantity"] + numbers > 2 and counts["quantity"] and numbers
        else 0.7
        if numbers > 2 and "?" in text
        else 0.0
    )
    ends = text.count(". ") + text.count("? ") + text.count("! ") + text.count("\n") + 1
    return (
        math.log1p(words) / 7,
        *[_SATURATED[min(counts[cue], 3)] for cue in CUES],
        math.log1p(ends) / 4,
        min(text.count("?"), 3) / 3,
        min(numbers, 8) / 8,
        min(signs, 6) / 6,
        min(code, 2) * 0.5 + (0.1 if code == 1 else 0.0),
        float("A." in text and "\nB." in text),
        min(long_words / max(len(tokens), 1), 0.4) / 0.4,
        problem,
        min(hard, 4) / 4,
        float(easy and not heavy and words <= 25),
        float(not heavy and words <= 6),
        float(given and words >= 20),
        math.log(max(ask.turns, 1)) / 3,
    )

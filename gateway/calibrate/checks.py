"""Whether an answer is right: six ways to compare it with a gold answer, lenient about dress and never about sense.

exact          the answer is the gold text, its case included
one_of         the answer is one of the gold texts, or a short sentence that ends in one; or, of the choices offered,
               it names right ones alone
number         the last number in it is the gold one, as any of the five languages writes it
contains_all   for each list of alternatives it holds one, as whole words
regex          the whole answer matches
json_equals    the first JSON value in it equals the gold one
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence

from gateway.core.types import Json

CHECKS = ("exact", "one_of", "number", "contains_all", "regex", "json_equals")
MOST = 4000
"""Characters of an answer that are looked at."""
MOST_MATCHED = 300
"""Characters that a pattern is tried on: what is longer is no answer that a pattern describes."""
SENTENCE = 15
"""Words of an answer that may lead up to the word asked for: "The capital of France is Paris."."""

_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_FENCE = re.compile(r"```\w*")
_WRAPPING = " \t\n\"'`*_«»„“”‘’‹›"
_ENDING = ".!…。"
_NUMBER = re.compile(r"(?<![\w.,])[-−+]?\d+(?:[.,'’\u00a0\u202f ]\d+)*")
_UNBOUNDED_GROUP = re.compile(r"\)(?:[*+]|\{\d*,\})")
_NOT_LINEAR = re.compile(r"\(\?[=!<]|\(\?P=|\\[1-9]")


def is_right(
    check: str, gold: Json, answer: str, *, among: Sequence[str] = (), words: tuple[int, int] | None = None
) -> bool:
    answer = _THOUGHT.sub("", answer[:MOST]).strip()
    if not answer or (words is not None and not words[0] <= len(answer.split()) <= words[1]):
        return False
    match check:
        case "exact":
            return plain(answer) == plain(gold)
        case "one_of":
            return _names_only(answer, gold, among) if among else any(_ends_in(answer, text) for text in gold)
        case "number":
            return any(abs(reading - gold) < 1e-6 for reading in _last_number(answer))
        case "contains_all":
            return all(any(_holds(answer, text) for text in alternatives) for alternatives in gold)
        case "regex":
            said = " ".join(answer.split())
            return len(said) <= MOST_MATCHED and re.fullmatch(gold, said) is not None
        case "json_equals":
            return _same(_first_json(answer), gold)
    raise ValueError(f"check {check!r} is none of {', '.join(CHECKS)}")


def same_answer(one: str, other: str) -> bool:
    """Agreement of two free answers: the same words, whatever their dress."""
    return bool(tokens(one)) and tokens(one) == tokens(other)


def trouble(check: str, gold: Json) -> str | None:
    """What is wrong with a gold answer for its check; None = nothing."""
    texts = isinstance(gold, list) and bool(gold) and all(isinstance(text, str) and tokens(text) for text in gold)
    match check:
        case "exact":
            return None if isinstance(gold, str) and plain(gold) else "the gold answer of 'exact' is a text"
        case "one_of":
            return None if texts else "the gold answer of 'one_of' is a list of texts"
        case "number":
            number = isinstance(gold, int | float) and not isinstance(gold, bool)
            return None if number else "the gold answer of 'number' is a number"
        case "contains_all":
            lists = isinstance(gold, list) and bool(gold)
            if lists and all(trouble("one_of", alternatives) is None for alternatives in gold):
                return None
            return "the gold answer of 'contains_all' is a list of lists of texts"
        case "regex":
            return _pattern_trouble(gold)
    return None


def plain(text: str) -> str:
    """Without quotes, emphasis and the full stop around it, spaces collapsed."""
    text = " ".join(unicodedata.normalize("NFKC", _FENCE.sub(" ", text)).split())
    return text.strip(_WRAPPING).rstrip(_ENDING).strip(_WRAPPING)


def tokens(text: str) -> list[str]:
    """Words without case and accents: many people and models write `perche`."""
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFKC", text).casefold())
    return re.findall(r"\w+", "".join(sign for sign in folded if not unicodedata.combining(sign)))


def _holds(answer: str, text: str) -> bool:
    return f" {' '.join(tokens(text))} " in f" {' '.join(tokens(answer))} "


def _ends_in(answer: str, text: str) -> bool:
    said, wanted = tokens(answer), tokens(text)
    return said[-len(wanted) :] == wanted and len(said) <= SENTENCE + len(wanted)


def _names_only(answer: str, gold: Sequence[str], among: Sequence[str]) -> bool:
    wanted = [text for text in gold if _holds(answer, text)]
    others = [text for text in among if tokens(text) not in [tokens(right) for right in gold]]
    return bool(wanted) and not any(_holds(answer, text) for text in others)


def _last_number(answer: str) -> set[float]:
    """Every reading of the last number: `1.250` is one and a quarter in English, and more in Italian."""
    found = _NUMBER.findall(answer)
    if not found:
        return set()
    text = found[-1].replace("−", "-").lstrip("+")
    pieces = re.split(r"[.,'’\u00a0\u202f ]", text)
    readings = set()
    if all(len(piece) == 3 for piece in pieces[1:]):
        readings.add(float("".join(pieces)))
    if len(pieces) > 1 and text[-len(pieces[-1]) - 1] in ".,":
        readings.add(float(f"{''.join(pieces[:-1])}.{pieces[-1]}"))
    return readings


def _first_json(answer: str) -> Json:
    text = _FENCE.sub(" ", answer)
    starts = [at for sign in "{[" if (at := text.find(sign)) >= 0]
    try:
        return json.JSONDecoder().raw_decode(text, min(starts))[0] if starts else json.loads(text)
    except (ValueError, RecursionError):
        return None


def _same(one: Json, other: Json) -> bool:
    """Equality that tells true from 1 and does not mind the case of a text."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return tokens(one) == tokens(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other) and type(one) in (int, float, type(None))


def _pattern_trouble(pattern: Json) -> str | None:
    if not isinstance(pattern, str) or not pattern:
        return "the gold answer of 'regex' is a pattern"
    if _UNBOUNDED_GROUP.search(pattern) or _NOT_LINEAR.search(pattern):
        return "the pattern repeats a group without bound or looks around itself; write it without"
    try:
        re.compile(pattern)
    except re.error:
        return "the pattern is no regular expression"
    return None

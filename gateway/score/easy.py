"""What a tiny local model can be trusted with: an allow-list of everyday intents, each with its material at hand.

A model of 135M parameters knows little and reasons not at all, but it greets, and it repeats short text that stands
before it; how much more a local model can do, SHARES and a calibration say. An ask is easy only when every word of its
instruction stands in `data/easy.txt` (five languages) and the text it works on is given and short. One word that is not
listed makes it not easy: an ask taken for hard costs a little money, one taken for easy costs a wrong answer.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise

from gateway.score.ask import Ask
from gateway.score.features import HARD, NAMES, Reading, count
from gateway.score.lexicon import DATA, lexicon, lines_of, tokens_in

INTENTS = ("greeting", "thanks", "rewrite", "extract", "classify", "translate", "in_context")
SHARES = {
    "greeting": 0.9, "thanks": 0.8, "in_context": 0.65, "classify": 0.45,
    "rewrite": 0.1, "extract": 0.1, "translate": 0.05,
}  # fmt: skip
"""Share of each that the shipped 135M model answers well, for want of a calibration: from 36 English asks read by hand
(docs/scoring.md), drawn towards a half where there were few. Better models deserve their own."""
SOCIAL = 9
"""Words that a greeting or thanks has at most."""
INSTRUCTION = 16
INSTRUCTION_CHARS = 160
MOST = {"rewrite": 60, "extract": 120, "classify": 80, "translate": 12, "in_context": 120}
"""Words of the given text at most."""
LEAST = {"rewrite": 2, "extract": 4, "classify": 3, "translate": 1, "in_context": 8}
QUESTION = 14
"""Words of a question about a given text at most."""
CONTENT = 4
"""Letters from which a word of a question is one that the text must hold, and that are compared: `close`, `closes`."""
ENDS = (":", "\n", "? ", '"', "«", "“", "„", "：")
CLOSING = {'"': '"', "«": "»", "“": "”", "„": "“"}
STARTS = 3
"""Words at the start of a sentence in which a second task ("then explain …") shows itself."""


@cache
def words() -> dict[str, frozenset[str]]:
    """Words by kind. Read at the first use, not at import."""
    table: dict[str, set[str]] = {}
    for name, entries in lines_of(DATA / "easy.txt"):
        table.setdefault(name, set()).update(entries)
    listed = {name: frozenset(entries) for name, entries in table.items()}
    shared = listed["word"]
    return listed | {
        "social": listed["greet"] | listed["thanks"] | listed["fill"],
        "rewrite": shared | listed["verb_rewrite"] | listed["how"],
        "extract": shared | listed["verb_extract"] | listed["what"],
        "classify": shared | listed["verb_classify"] | listed["label"],
        "translate": shared | listed["verb_translate"] | listed["tongue"],
    }


def easy_intent(reading: Reading, ask: Ask) -> str | None:
    """One of INTENTS, or None: not known to be easy."""
    if not _bare(reading, ask):
        return None
    return _social(ask) or _over_text(ask.prose, reading) or _in_context(ask.prose, reading)


def _bare(reading: Reading, ask: Ask) -> bool:
    """Prose that was read whole, on its own, with neither code nor formulas."""
    seen = dict(zip(NAMES, reading.values, strict=False))
    whole = bool(ask.prose) and ask.chars <= len(ask.prose) and not ask.inherited
    return whole and not ask.fences and not seen["fences"] and not seen["signs"] and not seen["choices"]


def _social(ask: Ask) -> str | None:
    if len(ask.prose) > 10 * SOCIAL:
        return None
    listed = words()
    tokens = ask.tokens
    if not 0 < len(tokens) <= SOCIAL or not listed["social"].issuperset(tokens):
        return None
    said = {*tokens, *(f"{one}_{other}" for one, other in pairwise(tokens))}
    return "thanks" if said & listed["thanks"] else "greeting" if said & listed["greet"] else None


def _over_text(prose: str, reading: Reading) -> str | None:
    """A task over a text that follows it: "Rewrite this politely: …"."""
    instruction, material = _parted(prose)
    if not material or not 0 < len(asking := tokens_in(instruction.lower())) <= INSTRUCTION:
        return None
    listed, said = words(), set(asking)
    for intent in ("translate", "classify", "extract", "rewrite"):
        named = said & listed[f"verb_{intent}"] and _object(intent, said, listed)
        if named and said <= listed[intent] and LEAST[intent] <= len(tokens_in(material)) <= MOST[intent]:
            return None if _more_tasks(material, reading) else intent
    return None


def _object(intent: str, said: set[str], listed: dict[str, frozenset[str]]) -> bool:
    """What the verb needs beside it: a language, labels to choose from, something to find."""
    needed = {"translate": "tongue", "classify": "label", "extract": "what"}
    return intent not in needed or bool(said & listed[needed[intent]])


def _parted(prose: str) -> tuple[str, str]:
    """(instruction, the text it works on); what stands after a closing quote belongs to the instruction."""
    found = [(at, end) for end in ENDS if (at := prose.find(end, 0, INSTRUCTION_CHARS)) > 0]
    if not found:
        return prose[:INSTRUCTION_CHARS], ""
    at, end = min(found)
    material = prose[at + len(end) :]
    # `Rewrite this: "…"`: the quote may open right after the colon.
    opening = (
        next((mark for mark in CLOSING if material.lstrip().startswith(mark)), None) if end not in CLOSING else end
    )
    if opening is None:
        return prose[:at], material
    material = material.lstrip()[0 if end in CLOSING else 1 :]
    inside, _, after = material.rpartition(CLOSING[opening])
    return f"{prose[:at]} {after}", inside


def _more_tasks(material: str, reading: Reading) -> bool:
    """Whether a later sentence of the given text opens with a hard task: "…. Then explain why"."""
    table = lexicon().cues.get(reading.language) or lexicon().cues[None]
    counts = dict.fromkeys((*HARD, "why"), 0)
    for sentence in material.replace("\n", ". ").replace("? ", ". ").replace("! ", ". ").split(". ")[1:]:
        count(tokens_in(sentence[:60].lower())[:STARTS], table, counts)
    return any(counts.values())


def _in_context(prose: str, reading: Reading) -> str | None:
    """A plain question that a short given text answers in its own words; the question stands first or last."""
    text = prose.rstrip()
    if text.endswith("?"):
        cut = max(text.rfind(mark, 0, -1) + len(mark) - 1 for mark in ("\n", ". ", ": ", "! ", '" ', "» ", "” "))
        question, material = text[cut:], text[:cut]
    else:
        question, _, material = text.partition("? ") if "? " in text[:INSTRUCTION_CHARS] else text.partition("?\n")
    listed = words()
    if not material or not 2 < len(asking := tokens_in(question.lower())) <= QUESTION:
        return None
    if listed["opener"].isdisjoint(asking[:2]) or not listed["not_asked"].isdisjoint(asking):
        return None
    given = tokens_in(material.lower())
    if not LEAST["in_context"] <= len(given) <= MOST["in_context"] or _more_tasks(material, reading):
        return None
    content = {word[:CONTENT] for word in asking if len(word) >= CONTENT and word not in listed["opener"]}
    held = content & {word[:CONTENT] for word in given}
    return "in_context" if content and 2 * len(held) >= len(content) else None

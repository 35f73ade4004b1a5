"""Tells invented people from real ones: who stands in an exercise with a number, or in a story that is asked for.

Only a task that says what it is counts, and only for those it brings along: who says "I" or "my son" in it is real.
"""

from __future__ import annotations

import re

_HEAD = 400
"""Characters in which a task says what it is."""
_EXERCISE = re.compile(
    r"(?:\A|\n)[\s#*]{0,4}(?:aufgabe|exercise|exercice|ejercicio|esercizio|problem|problema|question|quesito|ubung)"
    r"[ ]\d{1,3}\b"
    r"|\b(?:ubungsblatt|arbeitsblatt|worksheet|problem set|problem sheet|exercise sheet|homework|hausaufgabe|"
    r"hoja de ejercicios|foglio di esercizi|libro di (?:testo|esercizi)|feuille d'exercices|textbook)\b"
    r"|\b(?:biostatistics|statistics|maths|physics|chemistry) (?:sheet|problem|exercise)\b"
)
_RECKON = re.compile(
    r"\b(?:berechne\w{0,2}|ermittel\w{0,2}|bestimme\w{0,2}|wie (?:viele?|hoch|gross)|calculate|compute|"
    r"work out|how (?:many|much)|probabilit\w{1,4}|probabilidad|wahrscheinlichkeit|percentage|"
    r"calcola\w{0,2}|determina|quant[oiae]|calcula\w{0,2}|cuant[oa]s?|"
    r"calculez|combien|determinez)\b"
)
"""What an exercise asks. A list of tasks or of problems has numbers as well."""
_ASKED = (
    r"(?:write|compose|invent|make up|improvise|schreib\w{0,3}|verfasse?|erfinde|erzahle?|dichte|scriv\w{1,4}|"
    r"invent\w{1,4}|componi|raccont\w{1,3}|immagina|escrib\w{1,4}|cuenta\w{0,3}|imagina|ecri\w{1,3}|imagine|raconte)"
)
_WORK = (
    r"(?:short story|bedtime story|story|tale|fable|poem|sonnet|limerick|screenplay|sitcom|comedy|monologue|dialogue|"
    r"sketch|theatre scene|"
    r"kurzgeschichte|geschichte|marchen|gedicht|drehbuch|dialog|theaterstuck|monolog|krimi|"
    r"racconto|raccontino|storia|favola|fiaba|poesia|filastrocca|sceneggiatura|dialogo|scenetta|monologo|"
    r"cuento|relato|historia|fabula|poema|guion|dialogo|monologo|"
    r"conte|nouvelle|histoire|poeme|scene de theatre|scenario|saynete)"
)
_STORY = re.compile(rf"\b{_ASKED}(?:[ ]\w{{1,12}}){{0,4}}[ ]{_WORK}\b(?! clinic| medic)")
REAL = frozenset({"self", "kin"})
"""Ties that mean somebody real in such a text as well."""


def is_invented(folded: str) -> bool:
    """Whether a text, as `fold` writes it, begins by asking for a story or with a numbered exercise."""
    head = folded[:_HEAD]
    if _EXERCISE.search(head) is not None and _RECKON.search(folded) is not None:
        return True
    return _STORY.search(head) is not None

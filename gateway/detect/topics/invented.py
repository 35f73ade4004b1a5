"""Tells invented people from real ones: who stands in an exercise with a number, or in a story that is asked for.

Only a task that says what it is counts, and only for those it brings along: who is named in full in it is real, and so
is whoever belongs to the one who asks: "I", "my son", "our client".
"""

from __future__ import annotations

import re

_HEAD = 400
"""Characters in which a task says what it is."""
_MOST = 2000
"""Characters of the longest task. What is longer brings a document along, and its people may be anybody."""
_EXERCISE = re.compile(
    r"(?:\A|\n)[\s#*]{0,4}(?:aufgabe|exercise|exercice|ejercicio|esercizio|question|quesito|ubung)[ ]\d{1,3}\b"
    r"(?! (?:of|del|der|du|des|di|zu[mr])\b)"
    r"|\b(?:ubungsblatt|problem set|problem sheet|exercise sheet|hoja de ejercicios|foglio di esercizi|"
    r"libro di esercizi|feuille d'exercices)\b"
    r"|\b(?:biostatistics|statistics|maths?|physics|chemistry|biology) (?:worksheet|homework|sheet|problem|exercise)\b"
)
"""Not "Problem 1": so do doctors begin what they write of a patient. Nor homework, which real pupils forget."""
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
_ONE = r"(?:an?|eine?[nrs]?|un[oa]?|une)"
"""Of a story that exists already, "the story of our patient", somebody real may be the hero."""
_WORK = (
    r"(?:short story|bedtime story|story|tale|fable|poem|sonnet|limerick|screenplay|sitcom|comedy|monologue|dialogue|"
    r"sketch|theatre scene|"
    r"kurzgeschichte|geschichte|marchen|gedicht|drehbuch|dialog|theaterstuck|monolog|krimi|"
    r"racconto|raccontino|storia|favola|fiaba|poesia|filastrocca|sceneggiatura|dialogo|scenetta|monologo|"
    r"cuento|relato|historia|fabula|poema|guion|dialogo|monologo|"
    r"conte|nouvelle(?= sur| ou| dans|[.:,])|histoire|poeme|scene de theatre|saynete)"
)
_NO_WORK = (
    r"(?! (?:clinic|medic|social|laboral|familiar|psico|psych|vital|de vida|di vita|(?:de l[ao]s? |del?l?a? |di )"
    r"(?:hecho|enferm|malad|malatt|pacient|pazient|patient|client|cas[oi])))"
)
"""A "historia clínica", "relato de los hechos", "histoire de la maladie" is a file on somebody."""
_STORY = re.compile(rf"\b{_ASKED}(?:[ ]\w{{1,12}}){{0,2}}[ ]{_ONE}(?:[ ]\w{{1,12}}){{0,2}}[ ]{_WORK}\b{_NO_WORK}")
IN_A_STORY = frozenset({"self", "kin", "full_name", "called"})
IN_AN_EXERCISE = IN_A_STORY | {"role"}
"""Who is treated or looked after, "the patient" or "Patient: …", has files, and files have numbered questions."""


def real_in(folded: str) -> frozenset[str] | None:
    """Ties that mean somebody real in a text, as `fold` writes it, that begins by asking for a story or with a numbered
    exercise. None: it does not, and everybody is real."""
    if len(folded) > _MOST:
        return None
    head = folded[:_HEAD]
    if _EXERCISE.search(head) is not None and _RECKON.search(folded) is not None:
        return IN_AN_EXERCISE
    return IN_A_STORY if _STORY.search(head) is not None else None

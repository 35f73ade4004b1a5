"""Checks for what is written beside a value: confidentiality marks, user names, numbers of customers."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.detect.candidate import Candidate, Check, Confirmed

_ASKED = re.compile(
    r"(?i)what (?:does|is|do|are)|meaning|mean[st]?\b|define|definition|difference between|explain|"
    r"how (?:do|should|can|to)|"
    r"cosa (?:significa|vuol)|che (?:cosa|significa)|cos'è|significa|definizione|differenza|spiega|come (?:si|posso)|"
    r"qué (?:es|significa)|significado|definición|diferencia|explica|cómo|"
    r"was (?:ist|bedeutet|heißt)|bedeutet|bedeutung|unterschied|erkläre|wie (?:kann|soll)|"
    r"qu'est|que (?:veut|signifie)|signifie|définition|différence|expliqu|comment"
)
_NAMED = re.compile(
    r"(?i)\bzu (?:kennzeichnen|klassifizieren)|\beinzustufen|\bto (?:label|mark|classify)\b|"
    r"\b(?:etichettare|contrassegnare|classificare|clasificar|etiquetar|marcar|étiqueter|classer|classifier)\b"
)
"""A mark in quotes that is spoken of: "als 'streng vertraulich' zu kennzeichnen". Not what is classified so."""
_MONTH = re.compile(r"(?i)\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?[ ]\Z")
_BORN = re.compile(
    r"(?i)(?:\bnat[oai]|nascita|\bnacid[oa]|\bnac(?:ió|[íi])(?!\w)|nacimiento|\bf?\.?nac|\bgeboren[e]?|(?<![^\W_])geb|geburtsdatum|"
    r"geburtstag|\bnée?|\bne(?= le)|\bn[eé]\(e\)|naissance|(?<![^\W_])born|birth[ _-]?da(?:te|y)|birth|"
    r"(?<![^\W_])b(?:irth)?day|(?<![^\W_])d\.?o\.?b|compleanno|cumpleaños|anniversaire|\bclasse)"
    r"(?![^\W_])(?:[^\d\n;]|(?<=[?:])\n){0,45}\Z"
)
_BORN_AFTER = re.compile(r"(?i)[ ](?:in[ ][A-Za-zÀ-ÿ-]{2,20}[ ])?(?:geboren|nat[oa]|née?|nacid[oa])(?!\w)")
_AROUND = 60
_TAKEN = re.compile(
    r"(?i)(?:string|str|int|null|none|true|false|your\w*|user(?:name)?|login|admin|root|test|guest|example|value|text|field|required|"
    r"default|placeholder|email|name|varchar|self\.\w+|req\.\w+|request\.\w+|[a-z]+\(.*)"
)


def mark(candidate: Candidate) -> Iterable[Confirmed]:
    """A mark that is set, not one that is asked about."""
    before = candidate.text[max(0, candidate.start - _AROUND) : candidate.start]
    after = candidate.text[candidate.end : candidate.end + _AROUND]
    quoted = before[-1:] in {'"', "'", "«", "`", "„", "“", "‘"} or before[-2:] in {"« "}
    line = before.rpartition("\n")[2], after.partition("\n")[0]
    asked = _ASKED.search(line[0]) or (quoted and any(_ASKED.search(part) or _NAMED.search(part) for part in line))
    return () if asked else candidate.confirm()


def user_name(candidate: Candidate) -> Iterable[Confirmed]:
    """A word that somebody chose: letters with digits or marks between."""
    value = candidate.value.rstrip(".-")
    chosen = re.search(r"[0-9._-]", value) and re.search(r"[A-Za-z]", value) and not _TAKEN.fullmatch(value)
    return (Confirmed(candidate.start, candidate.start + len(value), value, candidate.confidence),) if chosen else ()


def file_number(candidate: Candidate) -> Iterable[Confirmed]:
    """A number of a customer, a policy or a file: digits enough, and no date or year."""
    value = candidate.value.rstrip("./-")
    digits = sum(map(str.isdigit, value))
    if digits < 4 or re.fullmatch(r"(?:19|20)\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d\d-\d\d", value):
        return ()
    return (Confirmed(candidate.start, candidate.start + len(value), value.upper(), candidate.confidence),)


def birth_date(candidate: Candidate) -> Iterable[Confirmed]:
    """A date that is said to be a birth's: right behind "born in Lecce on", or right before "geboren"."""
    text = candidate.text
    before = text[max(0, candidate.start - _AROUND) : candidate.start]
    if not (_BORN.search(before) or _BORN_AFTER.match(text, candidate.end)):
        return ()
    month = _MONTH.search(before)
    if month is None and re.fullmatch(r"\d{1,2}(?:st|nd|rd|th)?,? \d{4}", candidate.value):
        return ()
    start = candidate.start - (len(before) - month.start() if month else 0)
    return (Confirmed(start, candidate.end, text[start : candidate.end].lower(), candidate.confidence),)


def checks() -> dict[str, Check]:
    return {"mark": mark, "user_name": user_name, "file_number": file_number, "birth_date": birth_date}

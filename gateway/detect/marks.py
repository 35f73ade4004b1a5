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
_AROUND = 60
_TAKEN = re.compile(
    r"(?i)(?:string|str|int|null|none|true|false|your\w*|user(?:name)?|login|admin|root|test|guest|example|value|text|field|required|"
    r"default|placeholder|email|name|varchar|self\.\w+|req\.\w+|request\.\w+|[a-z]+\(.*)"
)


def mark(candidate: Candidate) -> Iterable[Confirmed]:
    """A mark that is set, not one that is asked about."""
    before = candidate.text[max(0, candidate.start - _AROUND) : candidate.start]
    after = candidate.text[candidate.end : candidate.end + _AROUND]
    quoted = before[-1:] in {'"', "'", "«", "`"} or before[-2:] in {"« "}
    asked = _ASKED.search(before.rpartition("\n")[2]) or (quoted and _ASKED.search(after.partition("\n")[0]))
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


def checks() -> dict[str, Check]:
    return {"mark": mark, "user_name": user_name, "file_number": file_number}

"""Turns what is wrong with a policy file into sentences that name file, rule, field and the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.core.types import Json
from gateway.policy import wording

_TAGS = frozenset({"list", "object", "word", "true", "[key]"})
"""Names of union members and the mark of a key, which pydantic puts into a path and which no file contains."""

# What a file needs at least, said instead of pydantic's words about types.
_MINIMUM: Mapping[str, str] = MappingProxyType({
    "PolicyFile": "a policy needs name, and permit for what may leave (see policies/README.md)",
    "CaseFile": "a cases file needs cases, a list (see policies/README.md)",
})  # fmt: skip

_LOWER_IN_PERMIT = (
    "a permit bounds what was found from above only, or one finding more could open it; "
    "say {instead} here, or write a forbid"
)
_UPPER_IN_FORBID = (
    "a forbid bounds what was found from below only, or one finding more could lift it; "
    "say {instead} here, or put the bound into a permit"
)
_TARGET = "a target says how much may go out, so it stands in a permit"
_LEVEL = "a finding means internal, confidential or restricted: public is earned and unknown is what cannot be read"

WAYS_OUT: Mapping[tuple[str, ...], str] = MappingProxyType({
    ("permit", "when"): "say which level may leave, for example when: {sensitivity: {at_most: internal}}",
    ("permit", "when", "sensitivity"): "say which level may leave, for example sensitivity: {at_most: internal}",
    ("permit", "when", "sensitivity", "at_least"): _LOWER_IN_PERMIT.format(instead="at_most"),
    ("permit", "when", "sensitivity", "at_most"): "say public, internal, confidential, restricted or unknown",
    ("permit", "when", "categories"): _LOWER_IN_PERMIT.format(instead="{within: […]} or {none_of: […]}"),
    ("permit", "when", "categories", "any_of"): _LOWER_IN_PERMIT.format(instead="within or none_of"),
    ("permit", "when", "kinds"): _LOWER_IN_PERMIT.format(instead="{within: […]} or {none_of: […]}"),
    ("permit", "when", "kinds", "any_of"): _LOWER_IN_PERMIT.format(instead="within or none_of"),
    ("permit", "when", "distinct", "at_least"): _LOWER_IN_PERMIT.format(instead="at_most"),
    ("permit", "when", "min_confidence"):
        "in a permit an uncertain finding counts like a certain one; remove it, or use it in a forbid",
    ("permit", "with"): "say pseudonymise, strip or rewrite; see docs/policies.md",
    ("forbid", "with"): "a forbid lets nothing out, so there is nothing to change; put `with` into a permit",
    ("forbid", "when", "sensitivity", "at_most"): _UPPER_IN_FORBID.format(instead="at_least"),
    ("forbid", "when", "categories", "within"): _UPPER_IN_FORBID.format(instead="any_of"),
    ("forbid", "when", "categories", "none_of"): _UPPER_IN_FORBID.format(instead="any_of"),
    ("forbid", "when", "kinds", "within"): _UPPER_IN_FORBID.format(instead="any_of"),
    ("forbid", "when", "kinds", "none_of"): _UPPER_IN_FORBID.format(instead="any_of"),
    ("forbid", "when", "distinct", "at_most"): _UPPER_IN_FORBID.format(instead="at_least"),
    ("forbid", "when"): "leave `when` out to forbid always, or say what is forbidden",
    ("forbid", "when", "target"): _TARGET + "; to forbid what goes beyond a share, say share: {at_least: 0.5}",
    ("adapters", "when", "target"): _TARGET + ", and an adapter lets nothing out; say rank or complexity here",
    ("floor",): "say refuse or notice, or for example {below: 0.6, then: private}",
    ("floor", "then"): "say refuse, notice, private or queue",
    ("floor", "wait_s"): "say for how many seconds, 300 at most",
    ("mode",): "policies are enforced; a mode that only watches is not built yet, remove the line",
    ("adapters", "when"): "leave `when` out for every request, or say for which",
    ("levels", "*"): _LEVEL,
    ("levels", "*", "raise_to"): "a condition may only raise: to confidential or restricted",
    ("allow", "reserved"): "give a list of kinds, or true for all",
    ("scan_answer",): "say from which level on: internal, confidential or restricted",
    ("detect", "*", "checksum"):
        "say luhn, verhoeff, damm, ean13, mod97, mod11, mod11_2, mod11_10, mod37_2 or mod37_36",
    ("detect", "*", "patterns"): "write one pattern, with | between its forms, or give each form a kind of its own",
})  # fmt: skip


def sentences(path: Path, error: ValidationError, document: Json, file: type[BaseModel]) -> list[str]:
    """One sentence per mistake, those with a way out of their own first."""
    if error.title in _MINIMUM and not isinstance(document, dict):
        what = "the file is empty" if document is None else "the file does not consist of `field: value` lines"
        return [f"{path}: {what}; {_MINIMUM[error.title]}"]
    details = error.errors(include_url=False)
    # `at_least` where `at_most` belongs is one mistake, not also a missing `at_most`.
    mistaken = {detail["loc"][:-1] for detail in details if detail["type"] == "extra_forbidden"}
    told = [
        _sentence(path, detail, document, file)
        for detail in details
        if not (detail["type"] == "missing" and len(detail["loc"]) > 1 and detail["loc"][:-1] in mistaken)
    ]
    return [text for _, text in sorted(told, key=lambda pair: not pair[0])]


def place(section: str, name: str | int) -> str:
    return f"{section} {name!r}" if isinstance(name, str) else f"{section} number {name + 1}"


def _sentence(path: Path, detail: ErrorDetails, document: Json, file: type[BaseModel]) -> tuple[bool, str]:
    loc = tuple(part for part in detail["loc"] if part not in _TAGS)
    words = tuple(str(part) for part in loc if isinstance(part, str))
    way_out = WAYS_OUT.get(words) or WAYS_OUT.get((*words[:1], "*", *words[2:]))
    if way_out is not None and detail["type"] == "literal_error":
        return True, f"{path}: {_where(loc, document)}: {wording.stands(detail['input'], loc)}; {way_out}"
    shown = loc[:-1] if detail["type"] == "extra_forbidden" and wording.guarded(loc[:-1]) else loc
    return way_out is not None, f"{path}: {_where(shown, document)}: {way_out or wording.plain(detail, loc, file)}"


def _where(loc: Sequence[str | int], document: Json) -> str:
    if not loc:
        return "the file"
    if loc[0] in ("permit", "forbid", "adapters") and len(loc) > 1 and isinstance(loc[1], int):
        rule = place(str(loc[0]), _name_of(document, str(loc[0]), loc[1]))
        return f"{rule}, {wording.dotted(loc[2:])}" if len(loc) > 2 else rule
    if loc[0] == "cases" and len(loc) > 1 and isinstance(loc[1], int):
        return f"case {loc[1] + 1}, {wording.dotted(loc[2:]) or 'as a whole'}"
    return wording.dotted(loc)


def _name_of(document: Json, section: str, index: int) -> str | int:
    try:
        name = document[section][index]["name"]
    except (KeyError, IndexError, TypeError):
        return index
    return name if isinstance(name, str) else index

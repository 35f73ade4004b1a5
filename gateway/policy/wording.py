"""What is wrong with one field of a policy, in an admin's words: the value, and what may stand there instead.

The words and numbers that a house protects are never repeated: this stands in logs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

_RULES = frozenset({"permit", "forbid", "adapters", "cases"})
_GUARDED = frozenset({"words", "pattern", "values", "description"})
"""Fields in which the house's own words stand."""
_WHOLE = "put fields here, each on a line of its own as `name: value`, indented by two spaces"

_EXAMPLES: Mapping[str, str] = MappingProxyType({
    "OneOf": "say which: {in: [one, another]} or {not_in: [one, another]}",
    "Bounds": "say from where on or up to where: {at_least: 0.55} or {at_most: 0.9}",
    "Tokens": "say from how many on or up to how many: {at_least: 100} or {at_most: 4000}",
    "Needed": "say {any_of: [tools]} or {none_of: [image]}",
    "Time": 'say for example {hours: "08:00-18:00", days: [mon, tue], tz: Europe/Rome}',
    "Target": "say {remote_share: 0.3} or {quality: 0.95}",
    "Known": 'write {values: ["…"]}, or {values: ["…"], kinds: [phone]}',
})  # fmt: skip
_NUMBER = frozenset({"float_type", "float_parsing", "int_type", "int_parsing", "int_from_float"})
_PERCENT = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*%\s*")
_QUOTED = re.compile(r"'([^']*)'")
_COMMA = re.compile(r"\s*\d+,\d+\s*")


def plain(detail: ErrorDetails, loc: Sequence[str | int], file: type[BaseModel]) -> str:
    """The sentence for `detail`, which stands at `loc` of a file of that shape."""
    kind, given, bounds = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _no_field(loc, file)
    if kind == "missing":
        return "is missing; add it"
    if kind in _NUMBER:
        return _no_number(given, whole=kind.startswith("int"))
    if kind in ("less_than_equal", "greater_than_equal", "greater_than"):
        return _out_of_bounds(kind, given, bounds)
    if kind == "literal_error":
        choice = str(bounds["expected"])
        return f"{stands(given, loc)}; say {choice}{_like(given, _QUOTED.findall(choice))}"
    if kind == "string_pattern_mismatch":
        return _no_name(given, loc)
    if kind == "list_type":
        if len(loc) == 1 and loc[0] in _RULES:
            first = "note" if loc[0] == "cases" else "name"
            return f"this is a list; begin each entry with a hyphen, as in `- {first}: …`"
        return "this is a list; write it in square brackets: [one, another]"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return _EXAMPLES.get(str(bounds.get("class_name")), _WHOLE)
    return _other(kind, given, detail["msg"])


def stands(given: Any, loc: Sequence[str | int]) -> str:
    """The value in words, unless it is long or the house's own."""
    short = isinstance(given, (str, int, float)) and len(str(given)) <= 60
    return f"{given!r} cannot stand here" if short and not guarded(loc) else "this cannot stand here"


def guarded(loc: Sequence[str | int]) -> bool:
    """Whether what stands at `loc` may be a word or a number that the house protects."""
    return not _GUARDED.isdisjoint(loc)


def dotted(loc: Sequence[str | int]) -> str:
    """Where in a file: names, and the numbers of entries counted from one."""
    return "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _other(kind: str, given: Any, said: str) -> str:
    if kind == "bool_type":
        return "say true or false"
    if kind == "string_type" and isinstance(given, (bool, int, float)):
        return f"is read as a value, not as a word; put {str(given).lower()!r} in quotes"
    if kind in ("string_type", "too_short", "string_too_short") and not given:
        return "is empty; write what belongs here, or remove the line"
    said = said.removeprefix("Value error, ")
    return f"{said[:1].lower()}{said[1:]}"


def _no_number(given: Any, *, whole: bool) -> str:
    if isinstance(given, str) and (percent := _PERCENT.fullmatch(given)) and not whole:
        share = float(percent[1].replace(",", ".")) / 100
        return f"{given!r} is no number; write {share:g} for {percent[1]} per cent"
    if isinstance(given, str) and _COMMA.fullmatch(given):
        return f"{given!r} is no number; write it with a point: {given.strip().replace(',', '.')}"
    what, example = ("whole number", "3") if whole else ("number", "0.55")
    said = f"{given!r} is no {what}" if isinstance(given, (str, float, bool)) else f"this is no {what}"
    return f"{said}; write one, like {example}"


def _out_of_bounds(kind: str, given: Any, bounds: Mapping[str, Any]) -> str:
    if kind == "less_than_equal":
        most = bounds["le"]
        share = f"; write {given / 100:g} for {given:g} per cent" if most == 1 and given <= 100 else ""
        return f"{given:g} is more than {most:g}{share}"
    if kind == "greater_than":
        return f"{given:g} is too little; it must be more than {bounds['gt']:g}"
    return f"{given:g} is too little; {bounds['ge']:g} is the least"


def _no_name(given: Any, loc: Sequence[str | int]) -> str:
    if loc[-1] == "hours":
        return f'{stands(given, loc)}; write hours like "08:00-18:00"'
    letters = unicodedata.normalize("NFKD", str(given)).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", letters).strip("-_.")[:64]
    way_out = f", for example {name}" if name else ""
    rule = "letters without accents, digits and . _ - (no spaces, at most 64 signs)"
    return f"{stands(given, loc)}: a name is made of {rule}{way_out}"


def _no_field(loc: Sequence[str | int], file: type[BaseModel]) -> str:
    meant = meant_field(loc, file)
    return f"there is no such field{meant}; remove it or correct its spelling (see policies/README.md)"


def meant_field(loc: Sequence[str | int], file: type[BaseModel]) -> str:
    """` (did you mean …?)` where a field of that place is called nearly so, else nothing."""
    models: list[type[BaseModel]] = [file]
    for part in loc[:-1]:
        inside = [field.annotation for model in models for name, field in _fields(model) if name == part]
        models = [found for annotation in inside for found in _models(annotation)] or models
    return _like(loc[-1], [name for model in models for name, _ in _fields(model)])


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _like(given: Any, known: Sequence[str]) -> str:
    near = get_close_matches(str(given).lower(), known, n=1, cutoff=0.7)
    return f" (did you mean {near[0]!r}?)" if near else ""

"""What is wrong with the settings, as one sentence: where it stands, file or variable, and why. Never a value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ValidationError

from gateway.policy import wording

_REASONS = {
    "extra_forbidden": "there is no such setting",
    "missing": "is missing",
    "model_type": "must be a mapping of settings",
    "model_attributes_type": "must be a mapping of settings",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "frozen_set_type": "must be a list",
}

_NO_NUMBER = frozenset({"int_parsing", "int_type", "int_from_float"})

_MEMBERS = frozenset({"int", "constrained-int"})
"""What pydantic adds to a place for the number in `number or auto`; no setting is called so."""

_FORMS = {
    "hash": "must be the hash that `gateway keys new` prints: sha256: and 64 hexadecimal digits",
    "sha256": "must be 64 hexadecimal digits, as `sha256sum FILE` prints them",
}
"""By the last name of their place: what a regular expression asks of them, in words."""

_MOVED: Mapping[tuple[str | int, ...], str] = {
    ("shadow", "share"): "this stands in the policy now: shadow: {share: 0.05, to: BACKEND}",
    ("shadow", "backend"): "this stands in the policy now: shadow: {share: 0.05, to: BACKEND}",
}


def sentence(path: Path | None, error: ValidationError, settings: type[BaseModel]) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    loc = tuple(part for part in first["loc"] if part not in _MEMBERS)
    where = wording.dotted(loc)
    reason = _REASONS.get(first["type"], first["msg"].removeprefix("Value error, "))
    if reason.startswith("Input should be "):
        reason = f"must be {reason.removeprefix('Input should be ').partition(', unable')[0]}"
    if first["type"] == "extra_forbidden":
        reason = _MOVED.get(loc) or reason + wording.meant_field(loc, settings)
    elif first["type"] == "string_pattern_mismatch":
        reason = _FORMS.get(str(loc[-1]), reason)
    elif first["type"] in _NO_NUMBER and first["loc"][-1] in _MEMBERS:
        reason = "must be a whole number or auto"
    source = _variable(first["loc"]) or (str(path) if path else "the settings")
    return f"{source}: {where}: {reason}" if where else f"{source}: {reason}"


def _variable(loc: tuple[int | str, ...]) -> str | None:
    """The environment variable that a mistake stands in, when it stands in one."""
    present = {name.upper() for name in os.environ}
    words = [str(part).upper() for part in loc]
    names = ("GATEWAY_" + "__".join(words[:length]) for length in range(len(words), 0, -1))
    return next((name for name in names if name in present), None)

"""Reads a policy the way a careful colleague would: mistakes, permits that no request can reach, doubtful spots."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.core.types import CATEGORIES, BackendSpec, Zone
from gateway.policy import schema
from gateway.policy.load import read_file, read_policy


@dataclass(frozen=True, slots=True)
class Report:
    errors: tuple[str, ...] = ()
    """The policy does not load."""
    warnings: tuple[str, ...] = ()
    """It loads and may not mean what its author thinks."""
    unreachable: tuple[str, ...] = ()
    """Permits that let nothing out, whatever is asked."""

    @property
    def ok(self) -> bool:
        return not self.errors and not self.unreachable


def check_policy(path: Path, backends: Sequence[BackendSpec], kinds: Collection[str] = ()) -> Report:
    """`kinds`, where given, are all that the detectors can find: other words are probably misspelt."""
    file, wrong = read_file(path)
    if file is None:
        return Report(errors=tuple(wrong))
    policy, wrong = read_policy(path, backends)
    if policy is None:
        return Report(errors=tuple(wrong))
    warnings = [*policy.warnings, *(f"{path}: {text}" for text in _doubtful(file, backends, kinds))]
    unreachable = [
        f"{path}: permit {permit.name!r}: {why}"
        for permit in file.permit
        if (why := next(_unreachable(permit, file.forbid, backends), None)) is not None
    ]
    return Report(warnings=tuple(warnings), unreachable=tuple(unreachable))


def _unreachable(
    permit: schema.Permit, forbids: Sequence[schema.Forbid], backends: Sequence[BackendSpec]
) -> Iterator[str]:
    when, zone = permit.when, _zone(permit.zone)
    for field in ("complexity", "rank", "tokens"):
        bounds = getattr(when, field)
        if bounds is not None and None not in (bounds.at_least, bounds.at_most) and bounds.at_least > bounds.at_most:
            yield f"{field} cannot be at least {bounds.at_least} and at most {bounds.at_most}"
    for field in ("tenant", "role", "tag", "model", "purpose", "language"):
        words = getattr(when, field)
        if words is not None and words.within is not None and not set(words.within) - set(words.not_in or ()):
            yield f"{field}: every word of `in` stands in `not_in` too"
    if (
        when.needs is not None
        and when.needs.any_of is not None
        and not set(when.needs.any_of) - set(when.needs.none_of or ())
    ):
        yield "needs: everything of `any_of` stands in `none_of` too"
    for forbid in forbids:
        if _zone(forbid.zone) <= zone and _always(forbid):
            yield f"forbid {forbid.name!r} always keeps everything from {forbid.zone}"
    there = {spec.name for spec in backends if spec.zone is zone}
    if permit.to is not None and there.isdisjoint(permit.to):
        yield f"none of the backends under `to` is a known backend of zone {permit.zone}"


def _always(forbid: schema.Forbid) -> bool:
    """No condition, or the one that everything fulfils: no level is below PUBLIC."""
    given = {field for field in type(forbid.when).model_fields if getattr(forbid.when, field) is not None}
    if given == {"sensitivity"} and forbid.when.sensitivity is not None:
        return forbid.when.sensitivity.at_least == "public"
    return not given


def _doubtful(file: schema.PolicyFile, backends: Sequence[BackendSpec], kinds: Collection[str]) -> Iterator[str]:
    zones = {spec.zone for spec in backends}
    for permit in file.permit:
        zone = _zone(permit.zone)
        if permit.when.sensitivity.at_most == "unknown" and zone is Zone.REMOTE:
            yield (
                f"permit {permit.name!r}: what could not be read never goes to zone remote; "
                "`at_most: unknown` opens zone private alone"
            )
        if zone not in zones:
            yield f"permit {permit.name!r}: there is no backend of zone {permit.zone} yet"
    if file.allow is not None and file.allow.reserved is True:
        yield "allow.reserved: every documentation example passes, also of kinds that are added later"
    if kinds:
        known = {*kinds, *CATEGORIES}
        for where, word in _words(file):
            if word not in known:
                yield f"{where}: no detector finds {word!r}; correct its spelling or remove it"


def _words(file: schema.PolicyFile) -> Iterator[tuple[str, str]]:
    """Every kind the file mentions, with the place."""
    for permit in file.permit:
        found = permit.when.kinds
        of = permit.when.distinct.of if permit.when.distinct is not None else []
        listed = [*((found.within or []) + (found.none_of or []) if found is not None else []), *of]
        yield from ((f"permit {permit.name!r}", word) for word in listed)
    for forbid in file.forbid:
        kinds = forbid.when.kinds
        of = forbid.when.distinct.of if forbid.when.distinct is not None else []
        named = [] if kinds is None else kinds if isinstance(kinds, list) else kinds.any_of
        yield from ((f"forbid {forbid.name!r}", word) for word in [*named, *of])
    for name, entry in file.levels.items():
        if isinstance(entry, str):
            yield "levels", name
        else:
            of = entry.when.distinct.of if entry.when.distinct is not None else []
            yield from ((f"levels {name!r}", word) for word in [*(entry.when.kinds or []), *of])
    if file.allow is not None and isinstance(file.allow.reserved, list):
        yield from (("allow.reserved", word) for word in file.allow.reserved)


def _zone(word: str) -> Zone:
    return Zone[word.upper()]

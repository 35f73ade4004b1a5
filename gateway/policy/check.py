"""Reads a policy as a careful colleague would: mistakes, permits out of reach, rules that never apply, doubts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.core.types import CATEGORIES, VALUES, BackendSpec, Zone
from gateway.policy import schema, thresholds
from gateway.policy.doubts import ANY, Vocabulary, doubts
from gateway.policy.load import read_file, read_policy


@dataclass(frozen=True, slots=True)
class Report:
    errors: tuple[str, ...] = ()
    """The policy does not load."""
    warnings: tuple[str, ...] = ()
    """It loads and may not mean what its author thinks."""
    unreachable: tuple[str, ...] = ()
    """Permits that let nothing out, whatever is asked."""
    never: tuple[str, ...] = ()
    """Parts of forbids and levels that keep nothing in, whatever is found."""

    @property
    def ok(self) -> bool:
        return not (self.errors or self.unreachable or self.never)


def check_policy(path: Path, backends: Sequence[BackendSpec], vocabulary: Vocabulary = ANY) -> Report:
    """`vocabulary`, where given, is all that the detectors can say: a rule on other words never applies."""
    file, wrong = read_file(path)
    if file is None:
        return Report(errors=tuple(wrong))
    policy, wrong = read_policy(path, backends)
    if policy is None:
        return Report(errors=tuple(wrong))
    found = doubts(file, vocabulary)
    loaded = (text for text in policy.warnings if text not in {*found.never, *found.warnings})
    warnings = (*loaded, *_doubtful(file, backends), *found.warnings)
    unreachable = [
        f"{path}: permit {permit.name!r}: {why}"
        for permit in file.permit
        if (why := next(_unreachable(permit, file.forbid, backends), None)) is not None
    ]
    return Report(
        warnings=tuple(f"{path}: {text}" for text in warnings),
        unreachable=tuple(unreachable),
        never=tuple(f"{path}: {text}" for text in found.never),
    )


def _unreachable(
    permit: schema.Permit, forbids: Sequence[schema.Forbid], backends: Sequence[BackendSpec]
) -> Iterator[str]:
    yield from _impossible(permit.when)
    yield from thresholds.impossible(permit.when)
    zone = _zone(permit.zone)
    for forbid in forbids:
        if _zone(forbid.zone) <= zone and _always(forbid):
            yield f"forbid {forbid.name!r} always keeps everything from {forbid.zone}"
    there = {spec.name for spec in backends if spec.zone is zone}
    if permit.to is not None and there.isdisjoint(permit.to):
        yield f"none of the backends under `to` is a known backend of zone {permit.zone}"


def _impossible(when: schema.When) -> Iterator[str]:
    """Selectors that no request fulfils."""
    for field in ("complexity", "rank", "share", "tokens"):
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


def _always(forbid: schema.Forbid) -> bool:
    """No condition, or the one that everything fulfils: no level is below PUBLIC."""
    given = _given(forbid.when)
    if given == {"sensitivity"} and forbid.when.sensitivity is not None:
        return forbid.when.sensitivity.at_least == "public"
    return not given


def _doubtful(file: schema.PolicyFile, backends: Sequence[BackendSpec]) -> Iterator[str]:
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
    for permit in file.permit:
        if permit.transform is not None and (why := _nothing_to_change(permit.when)) is not None:
            yield f"permit {permit.name!r}, with: {permit.transform} can never matter, because {why}"
        yield from (f"permit {permit.name!r}, when.{why}" for why in thresholds.doubts(permit.when))
    yield from thresholds.floor_doubts(file, zones)
    yield from _idle(file.adapters)
    if file.allow is not None and file.allow.reserved is True:
        yield "allow.reserved: every documentation example passes, also of kinds that are added later"


def _nothing_to_change(when: schema.PermitWhen) -> str | None:
    """Why whatever this permit lets out holds no value that a transform would replace."""
    if when.sensitivity.at_most == "public":
        return "in a public request nothing was found"
    if when.kinds is not None and when.kinds.within == []:
        return "kinds: {within: []} lets out only requests in which nothing was found"
    if when.categories is not None:
        left = set(CATEGORIES if when.categories.within is None else when.categories.within)
        if not VALUES & left - set(when.categories.none_of or ()):
            return f"it replaces values of {', '.join(sorted(VALUES))}, and none of them gets through `categories`"
    return None


def _idle(rules: Sequence[schema.Adapter]) -> Iterator[str]:
    """Entries of `adapters` that never come to count."""
    before: str | None = None
    for rule in rules:
        if before is not None:
            yield f"adapters {rule.name!r}: it never counts, because {before!r} before it holds for every request"
        elif (why := next(_impossible(rule.when), None)) is not None:
            yield f"adapters {rule.name!r}: it never counts: {why}"
        if before is None and not _given(rule.when):
            before = rule.name


def _given(when: schema.When) -> set[str]:
    return {field for field in type(when).model_fields if getattr(when, field) is not None}


def _zone(word: str) -> Zone:
    return Zone[word.upper()]

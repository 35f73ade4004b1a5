"""Builds the compiled policy out of a validated file: selectors become conditions, entries become a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import time
from zoneinfo import ZoneInfo

from gateway.core.types import CATEGORIES, Sensitivity, Zone
from gateway.policy import conditions as make
from gateway.policy import schema, targets
from gateway.policy.adapters import AdapterRule
from gateway.policy.conditions import Condition
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.facts import Catalogue, Facts
from gateway.policy.floor import QUEUE, WAIT_S, Floor
from gateway.policy.levels import Levels, Match, Raise
from gateway.policy.own import own_rules
from gateway.policy.rules import Forbid, Permit
from gateway.policy.shadow import measuring


def assemble(file: schema.PolicyFile, catalogue: Catalogue, digest: str, warnings: tuple[str, ...]) -> CompiledPolicy:
    floor = _floor(file.floor)
    permits = [*map(_permit, file.permit), *floor.permits()]
    return CompiledPolicy(
        name=file.name,
        digest=digest,
        catalogue=catalogue,
        levels=_levels(file),
        permits=tuple(sorted(permits, key=lambda rule: rule.name)),
        forbids=tuple(sorted(map(_forbid, file.forbid), key=lambda rule: rule.name)),
        floor=floor,
        unmet_wish=file.unmet_wish,
        without_record=file.without_record,
        description=file.description,
        adapters=tuple(map(_adapter, file.adapters)),
        warnings=warnings,
        scan_answer=None if file.scan_answer is None else _level(file.scan_answer),
        own=own_rules(file),
        shadow=measuring(file.shadow),
    )


def _permit(rule: schema.Permit) -> Permit:
    zone = Zone[rule.zone.upper()]
    return Permit(
        name=rule.name,
        zone=zone,
        conditions=(*_on_findings(rule.when), *_circumstances(rule.when, zone)),
        to=tuple(rule.to or ()),
        fallback=rule.fallback == "local",
        cache=rule.cache,
        transform=rule.transform,
        circumstances=tuple(_circumstances(rule.when, zone)),
    )


def _forbid(rule: schema.Forbid) -> Forbid:
    zone = Zone[rule.zone.upper()]
    return Forbid(rule.name, zone, tuple(_forbid_conditions(rule.when, zone)))


def _adapter(rule: schema.Adapter) -> AdapterRule:
    return AdapterRule(rule.name, rule.adapter, tuple(_adapter_conditions(rule.when)), rule.always)


def _on_findings(when: schema.PermitWhen) -> Iterator[Condition]:
    yield make.level_at_most(_level(when.sensitivity.at_most))
    for field, selector, get in (("kinds", when.kinds, _kinds), ("categories", when.categories, _categories)):
        if selector is not None and selector.within is not None:
            yield make.found_within(field, get, selector.within)
        if selector is not None and selector.none_of is not None:
            yield make.found_none_of(field, get, selector.none_of)
    if when.distinct is not None:
        yield make.distinct_at_most(when.distinct.of, when.distinct.at_most)


def _circumstances(when: schema.PermitWhen, zone: Zone) -> Iterator[Condition]:
    """What a permit asks besides findings."""
    target = when.target
    if target is not None and target.remote_share is not None:
        yield targets.remote_share(target.remote_share)
    if target is not None and target.quality is not None:
        yield targets.quality(target.quality)
    if target is not None and target.cap is not None:
        yield targets.cap(target.cap)
    yield from _shared(when, zone)


def _forbid_conditions(when: schema.ForbidWhen, zone: Zone) -> Iterator[Condition]:
    if when.sensitivity is not None:
        yield make.level_at_least(_level(when.sensitivity.at_least))
    confidence = when.min_confidence or 0.0
    if when.kinds is not None:
        words = when.kinds if isinstance(when.kinds, list) else when.kinds.any_of
        yield make.found_any_of("kinds", _kinds, words, confidence)
    if when.categories is not None:
        categories = when.categories if isinstance(when.categories, list) else when.categories.any_of
        yield make.found_any_of("categories", _categories, categories, confidence)
    if when.distinct is not None:
        yield make.distinct_at_least(when.distinct.of, when.distinct.at_least, confidence)
    yield from _shared(when, zone)


def _adapter_conditions(when: schema.AdapterWhen) -> Iterator[Condition]:
    if when.sensitivity is not None and when.sensitivity.at_least is not None:
        yield make.level_at_least(_level(when.sensitivity.at_least))
    if when.sensitivity is not None and when.sensitivity.at_most is not None:
        yield make.level_at_most(_level(when.sensitivity.at_most))
    if when.kinds is not None:
        yield make.found_any_of("kinds", _kinds, when.kinds, 0.0)
    if when.categories is not None:
        yield make.found_any_of("categories", _categories, when.categories, 0.0)
    yield from _shared(when, Zone.LOCAL)


def _shared(when: schema.When, zone: Zone) -> Iterator[Condition]:
    """Conditions on facts that are not findings, the cheap ones first."""
    numbers: tuple[tuple[str, schema.Bounds | None, Callable[[Facts], float | None]], ...] = (
        ("complexity", when.complexity, lambda f: f.gain),
        ("rank", when.rank, lambda f: f.rank),
        ("share", when.share, lambda f: f.share),
    )
    for field, bounds, get_number in numbers:
        if bounds is not None:
            yield make.bounded(field, get_number, bounds.at_least, bounds.at_most)
    if when.tokens is not None:
        yield make.bounded("tokens", lambda f: f.tokens, when.tokens.at_least, when.tokens.at_most)
    if when.named is not None:
        yield make.named(zone, when.named)
    for field, selector, get in (
        ("tenant", when.tenant, _tenant),
        ("model", when.model, _model),
        ("purpose", when.purpose, _purpose),
        ("language", when.language, _language),
    ):
        if selector is not None:
            yield make.one_of(field, get, selector.within, selector.not_in)
    sets: tuple[tuple[str, schema.OneOf | None, Callable[[Facts], frozenset[str]]], ...] = (
        ("role", when.role, lambda f: f.request.principal.roles),
        ("tag", when.tag, lambda f: f.request.principal.tags),
    )
    for field, selector, get_set in sets:
        if selector is not None:
            yield make.any_of_set(field, get_set, selector.within, selector.not_in)
    if when.needs is not None:
        yield make.needs(when.needs.any_of, when.needs.none_of)
    if when.time is not None:
        yield _clock(when.time)
    if when.beyond_local is not None:
        yield make.beyond_local(when.beyond_local)


def _clock(when: schema.Time) -> Condition:
    hours = None
    if when.hours is not None:
        start, end = when.hours.split("-")
        hours = time.fromisoformat(start), time.fromisoformat(end)
    days = frozenset(make.DAYS.index(day) for day in when.days) if when.days is not None else None
    return make.clock(when.model_dump(exclude_none=True), hours, days, ZoneInfo(when.tz))


def _floor(given: schema.Floors) -> Floor:
    if isinstance(given, str):
        return Floor(given)
    return Floor(given.then, given.below, (given.wait_s or WAIT_S) if given.then == QUEUE else 0.0)


def _levels(file: schema.PolicyFile) -> Levels:
    fixed = {name: _level(entry) for name, entry in file.levels.items() if isinstance(entry, str)}
    allowed = file.allow.reserved if file.allow is not None else []
    return Levels(
        kinds={name: level for name, level in fixed.items() if name not in CATEGORIES},
        categories={name: level for name, level in fixed.items() if name in CATEGORIES},
        raises=tuple(
            _raise(name, entry) for name, entry in sorted(file.levels.items()) if isinstance(entry, schema.Raise)
        ),
        reserved_kinds=frozenset(allowed) if isinstance(allowed, list) else frozenset(),
        all_reserved=allowed is True,
        public_keys=file.public.keys,
        public_generic=file.public.generic,
    )


def _raise(name: str, entry: schema.Raise) -> Raise:
    when = entry.when
    confidence, near = when.min_confidence or 0.0, frozenset(when.near or ())
    return Raise(
        name=name,
        match=Match(frozenset([*(when.kinds or ()), *(when.categories or ())]), confidence, near),
        min_count=when.min_count or 1,
        distinct=Match(frozenset(when.distinct.of), confidence, near) if when.distinct is not None else None,
        distinct_at_least=when.distinct.at_least if when.distinct is not None else 0,
        to=_level(entry.raise_to),
    )


def _level(word: str) -> Sensitivity:
    return Sensitivity[word.upper()]


def _kinds(facts: Facts) -> frozenset[str]:
    return facts.kinds


def _categories(facts: Facts) -> frozenset[str]:
    return facts.categories


def _tenant(facts: Facts) -> str:
    return facts.request.principal.tenant


def _model(facts: Facts) -> str:
    return facts.request.model


def _purpose(facts: Facts) -> str | None:
    return facts.request.principal.purpose


def _language(facts: Facts) -> str | None:
    return facts.language

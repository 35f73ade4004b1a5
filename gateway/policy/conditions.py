"""Conditions of rules, compiled: each asks one thing of the facts and answers yes, no, or not known.

A permit holds when every condition says yes. A forbid holds when none says no. So a fact that is missing or uncertain
closes a permit and fires a forbid without any condition having to know which kind of rule it stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time, tzinfo

from gateway.core.types import Json, Sensitivity, Zone
from gateway.policy.facts import Facts
from gateway.policy.levels import Match, distinct

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Test = Callable[[Facts], bool | None]


@dataclass(frozen=True, slots=True)
class Condition:
    field: str
    want: Json
    """As the policy file says it."""
    test: Test
    have: Callable[[Facts], Json]
    """The fact it looks at, for `explain`."""
    lacked: str
    """Said once, at load: why the rule did not hold."""
    unknown: str
    told: Callable[[Facts], str | None] | None = None
    """For `explain`, where wanting one thing and having another says little: a sentence, None where it is not known."""


def condition(field: str, want: Json, test: Test, have: Callable[[Facts], Json]) -> Condition:
    words = f"{field} {_words(want)}"
    return Condition(field, want, test, have, f"{words} does not hold", f"{words}: not known")


def level_at_most(level: Sensitivity) -> Condition:
    return condition("sensitivity", {"at_most": str(level)}, lambda f: f.level <= level, _level)


def level_at_least(level: Sensitivity) -> Condition:
    return condition("sensitivity", {"at_least": str(level)}, lambda f: f.level >= level, _level)


def bounded(
    field: str, get: Callable[[Facts], float | None], at_least: float | None, at_most: float | None
) -> Condition:
    def test(facts: Facts) -> bool | None:
        value = get(facts)
        if value is None:
            return None
        return (at_least is None or value >= at_least) and (at_most is None or value <= at_most)

    return condition(field, _given(at_least=at_least, at_most=at_most), test, get)


def one_of(
    field: str, get: Callable[[Facts], str | None], within: Sequence[str] | None, without: Sequence[str] | None
) -> Condition:
    """For a fact with one value. A value that is not there is in no list and out of none."""
    inside, outside = frozenset(within or ()), frozenset(without or ())

    def test(facts: Facts) -> bool | None:
        value = get(facts)
        if not value:
            return None
        return (within is None or value in inside) and value not in outside

    return condition(field, _listed(within, without), test, get)


def any_of_set(
    field: str, get: Callable[[Facts], frozenset[str]], within: Sequence[str] | None, without: Sequence[str] | None
) -> Condition:
    """For roles and tags. `in`: holds one of these; `not_in`: holds none of these; nobody said any: not known."""
    inside, outside = frozenset(within or ()), frozenset(without or ())

    def test(facts: Facts) -> bool | None:
        values = get(facts)
        if not values:
            return None
        return (within is None or not inside.isdisjoint(values)) and outside.isdisjoint(values)

    return condition(field, _listed(within, without), test, lambda f: sorted(get(f)))


def found_within(field: str, get: Callable[[Facts], frozenset[str]], words: Sequence[str]) -> Condition:
    """Nothing else was found. For permits: a further finding can only make it false."""
    allowed = frozenset(words)

    def test(facts: Facts) -> bool | None:
        if facts.findings and not get(facts) <= allowed:
            return False
        return None if facts.unread else True

    return condition(field, {"within": list(words)}, test, lambda f: sorted(get(f)))


def found_none_of(field: str, get: Callable[[Facts], frozenset[str]], words: Sequence[str]) -> Condition:
    """None of these was found. For permits."""
    refused = frozenset(words)

    def test(facts: Facts) -> bool | None:
        if facts.findings and not refused.isdisjoint(get(facts)):
            return False
        return None if facts.unread else True

    return condition(field, {"none_of": list(words)}, test, lambda f: sorted(get(f)))


def found_any_of(
    field: str, get: Callable[[Facts], frozenset[str]], words: Sequence[str], min_confidence: float
) -> Condition:
    """One of these was found. For forbids: a further finding can only make it true."""
    wanted, by_kind = frozenset(words), field == "kinds"

    def test(facts: Facts) -> bool | None:
        for finding in facts.findings:
            word = finding.kind if by_kind else finding.category
            if word in wanted and not finding.confidence < min_confidence:
                return True
        return None if facts.unread else False

    want = {"any_of": list(words)} | ({"min_confidence": min_confidence} if min_confidence else {})
    return condition(field, want, test, lambda f: sorted(get(f)))


def distinct_at_most(of: Sequence[str], most: int) -> Condition:
    match = Match(frozenset(of))

    def test(facts: Facts) -> bool | None:
        if facts.findings and distinct(facts.findings, match) > most:
            return False
        return None if facts.unread else True

    return condition("distinct", {"of": list(of), "at_most": most}, test, lambda f: distinct(f.findings, match))


def distinct_at_least(of: Sequence[str], least: int, min_confidence: float) -> Condition:
    match = Match(frozenset(of), min_confidence)

    def test(facts: Facts) -> bool | None:
        if distinct(facts.findings, match) >= least:
            return True
        return None if facts.unread else False

    want = {"of": list(of), "at_least": least} | ({"min_confidence": min_confidence} if min_confidence else {})
    return condition("distinct", want, test, lambda f: distinct(f.findings, match))


def named(zone: Zone, want: bool) -> Condition:
    def have(facts: Facts) -> bool:
        return facts.named is not None and facts.named.zone is zone

    return condition("named", want, lambda f: have(f) is want, have)


def beyond_local(want: bool) -> Condition:
    def test(facts: Facts) -> bool | None:
        beyond = facts.beyond_local
        return None if beyond is None else beyond is want

    return condition("beyond_local", want, test, lambda f: f.beyond_local)


def needs(any_of: Sequence[str] | None, none_of: Sequence[str] | None) -> Condition:
    def have(facts: Facts) -> list[str]:
        wanted = facts.assessment.needs
        return [name for name in ("image", "audio", "file", "tools", "schema", "logprobs") if getattr(wanted, name)]

    def test(facts: Facts) -> bool:
        wanted = facts.assessment.needs
        if any_of is not None and not any(getattr(wanted, name) for name in any_of):
            return False
        return none_of is None or not any(getattr(wanted, name) for name in none_of)

    return condition("needs", _given(any_of=any_of, none_of=none_of), test, have)


def clock(
    want: Mapping[str, Json], hours: tuple[time, time] | None, days: frozenset[int] | None, zone: tzinfo
) -> Condition:
    """On these days (0 = Monday), from the first hour up to the second; 22:00-06:00 goes through midnight."""

    def test(facts: Facts) -> bool | None:
        now = facts.at(zone)
        if now is None:
            return None
        if days is not None and now.weekday() not in days:
            return False
        if hours is None:
            return True
        start, end = hours
        at = now.time()
        return start <= at < end if start < end else at >= start or at < end

    def have(facts: Facts) -> Json:
        now = facts.at(zone)
        return None if now is None else f"{DAYS[now.weekday()]} {now:%H:%M}"

    return condition("time", dict(want), test, have)


def _level(facts: Facts) -> str:
    return str(facts.level)


def _given(**bounds: Json) -> dict[str, Json]:
    return {name: value for name, value in bounds.items() if value is not None}


def _listed(within: Sequence[str] | None, without: Sequence[str] | None) -> dict[str, Json]:
    lists = (("in", within), ("not_in", without))
    return {name: list(words) for name, words in lists if words is not None}


def _words(want: Json) -> str:
    if isinstance(want, dict):
        return ", ".join(f"{name} {_words(value)}" for name, value in want.items())
    if isinstance(want, list):
        return f"[{', '.join(map(str, want))}]"
    return str(want).lower() if isinstance(want, bool) else str(want)

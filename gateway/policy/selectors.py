"""What a selector must say to mean anything: mistakes that the shape of a file allows and its sense does not.

An empty selector would hold always in a permit and never in a forbid, or the other way round: whichever it did, half
of the readers would have expected the opposite. So it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel

from gateway.policy.schema import Adapter, Floor, Forbid, ForbidWhen, Permit, PolicyFile, Raise, Target, Time


def empty(file: PolicyFile) -> Iterator[str]:
    if isinstance(file.floor, Floor) and file.floor.wait_s is not None and file.floor.then != "queue":
        yield f"floor.wait_s: {file.floor.then} waits for nothing; remove it, or say then: queue"
    for permit in file.permit:
        yield from _selectors("permit", permit)
    for forbid in file.forbid:
        yield from _selectors("forbid", forbid)
        yield from _confidence(forbid.name, forbid.when)
    for adapter in file.adapters:
        yield from _selectors("adapters", adapter)
    if file.allow is not None and not file.allow.model_fields_set:
        yield "allow: it is empty; say reserved or values"
    for name, entry in file.levels.items():
        if isinstance(entry, Raise):
            if _says_nothing(entry.when):
                yield f"levels {name!r}, when: it is empty; say which findings, or assign a level without condition"
            elif entry.when.min_confidence is not None and entry.when.model_fields_set == {"min_confidence"}:
                yield f"levels {name!r}, when: min_confidence alone names no findings; add kinds or categories"


def _selectors(section: str, rule: Permit | Forbid | Adapter) -> Iterator[str]:
    for field in type(rule.when).model_fields:
        selector = getattr(rule.when, field)
        where = f"{section} {rule.name!r}, when.{field}"
        if isinstance(selector, Time):
            yield from _time(where, selector)
        elif isinstance(selector, Target):
            yield from _target(where, selector)
        elif isinstance(selector, BaseModel) and _says_nothing(selector):
            yield f"{where}: it is empty; say what it selects or remove it"


def _confidence(name: str, when: ForbidWhen) -> Iterator[str]:
    found = (when.kinds, when.categories, when.distinct)
    if when.min_confidence is not None and all(selector is None for selector in found):
        yield (
            f"forbid {name!r}, when.min_confidence: there are no findings for it to weigh; "
            "add kinds, categories or distinct"
        )


def _time(where: str, when: Time) -> Iterator[str]:
    if when.hours is None and when.days is None:
        yield f"{where}: it is empty; say hours or days"
    if when.hours is not None and when.hours[:5] == when.hours[6:]:
        yield f"{where}.hours: {when.hours!r} is no time at all; leave hours out for the whole day"
    try:
        ZoneInfo(when.tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield f"{where}.tz: {when.tz!r} is no time zone known here; write it like Europe/Rome"


def _target(where: str, target: Target) -> Iterator[str]:
    if target.remote_share is not None and target.quality is not None:
        yield f"{where}: which of remote_share and quality counts would change with the traffic; keep one"
    elif target.remote_share is None and target.quality is None:
        bound = "" if target.cap is None else f"; for a cap alone write share: {{at_most: {target.cap:g}}} beside it"
        yield f"{where}: it names no target; say remote_share or quality{bound}"


def _says_nothing(selector: BaseModel) -> bool:
    return all(getattr(selector, field) is None for field in type(selector).model_fields)

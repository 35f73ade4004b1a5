"""Targets as conditions: a share that may go out, a quality that must be kept, a cap that holds whatever is wanted.

All of them compare facts that were recorded with the request (rank, quality, share), so a decision can be made again.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway.core.types import Json
from gateway.policy.conditions import Condition
from gateway.policy.facts import Facts

_UNKNOWN = "the tenant asked too little of its kind so far"


def remote_share(share: float) -> Condition:
    """It is among so large a share of the tenant's recent requests of its family, counted from the hardest."""
    line, lately = least_rank(share), "the tenant's recent requests of its kind"
    hardest = f"the hardest {percent(share)}"

    return _target(
        {"remote_share": share},
        lambda facts: facts.rank,
        lambda rank: rank >= line,
        told=lambda rank: f"harder than {percent(rank)} of {lately}; {hardest} may go out",
        lacked=f"it is not among {hardest} of {lately}",
        unknown=f"whether it is among {hardest} of {lately} is not known ({_UNKNOWN})",
    )


def quality(target: float) -> Condition:
    """Were it answered here, with all that is easier, less than the wanted quality would be left."""
    wanted = f"{percent(target)} of the quality of answers from outside"
    here = "answering it here, with all that is easier, would leave"
    return _target(
        {"quality": target},
        lambda facts: facts.quality,
        lambda left: left < target,
        told=lambda left: f"{here} {percent(left)}; wanted: {wanted}",
        lacked=f"answered here it leaves {wanted}, or more",
        unknown=f"what answering it here would leave of {wanted} is not known ({_UNKNOWN})",
    )


def cap(share: float) -> Condition:
    """Less than this share of the tenant's recent requests really went to zone remote."""
    lately = "of the tenant's recent requests went out"
    return _target(
        {"cap": share},
        lambda facts: facts.share,
        lambda went: went < share,
        told=lambda went: f"{percent(went)} {lately}; the cap is {percent(share)}",
        lacked=f"{percent(share)} or more {lately}, which is the cap",
        unknown=f"how much {lately} is not known",
    )


def _target(
    want: dict[str, Json],
    get: Callable[[Facts], float | None],
    holds: Callable[[float], bool],
    *,
    told: Callable[[float], str],
    lacked: str,
    unknown: str,
) -> Condition:
    """On one fact: whether it holds, and what is told of it, where it is known."""

    def test(facts: Facts) -> bool | None:
        return None if (fact := get(facts)) is None else holds(fact)

    def said(facts: Facts) -> str | None:
        return None if (fact := get(facts)) is None else told(fact)

    return Condition("target", want, test, get, lacked, unknown, said)


def least_rank(remote_share: float) -> float:
    """The hardest three in ten are those that rank at 0.7 or above; 1 − 0.9 must not be a little less than 0.1."""
    return round(1 - remote_share, 9)


def percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"

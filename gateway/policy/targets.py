"""Targets as conditions: a share that may go out, a quality that must be kept, a cap that holds whatever is wanted.

All of them compare facts that were recorded with the request (rank, quality, share), so a decision can be made again.
"""

from __future__ import annotations

from gateway.policy.conditions import Condition
from gateway.policy.facts import Facts

_UNKNOWN = "the tenant asked too little of its kind so far"


def remote_share(share: float) -> Condition:
    """It is among so large a share of the tenant's recent requests of its family, counted from the hardest."""
    line, lately = least_rank(share), "the tenant's recent requests of its kind"
    hardest = f"the hardest {percent(share)}"

    def told(facts: Facts) -> str | None:
        if facts.rank is None:
            return None
        return f"harder than {percent(facts.rank)} of {lately}; {hardest} may go out"

    return Condition(
        field="target",
        want={"remote_share": share},
        test=lambda facts: None if facts.rank is None else facts.rank >= line,
        have=lambda facts: facts.rank,
        lacked=f"it is not among {hardest} of {lately}",
        unknown=f"whether it is among {hardest} of {lately} is not known ({_UNKNOWN})",
        told=told,
    )


def quality(target: float) -> Condition:
    """Were it answered here, with all that is easier, less than the wanted quality would be left."""
    wanted = f"{percent(target)} of the quality of answers from outside"

    def told(facts: Facts) -> str | None:
        if facts.quality is None:
            return None
        return f"answering it here, with all that is easier, would leave {percent(facts.quality)}; wanted: {wanted}"

    return Condition(
        field="target",
        want={"quality": target},
        test=lambda facts: None if facts.quality is None else facts.quality < target,
        have=lambda facts: facts.quality,
        lacked=f"answered here it leaves {wanted}, or more",
        unknown=f"what answering it here would leave of {wanted} is not known ({_UNKNOWN})",
        told=told,
    )


def cap(share: float) -> Condition:
    """Less than this share of the tenant's recent requests really went to zone remote."""

    def told(facts: Facts) -> str | None:
        if facts.share is None:
            return None
        return f"{percent(facts.share)} of the tenant's recent requests went out; the cap is {percent(share)}"

    return Condition(
        field="target",
        want={"cap": share},
        test=lambda facts: None if facts.share is None else facts.share < share,
        have=lambda facts: facts.share,
        lacked=f"{percent(share)} or more of the tenant's recent requests went out, which is the cap",
        unknown="how much of the tenant's recent requests went out is not known",
        told=told,
    )


def least_rank(remote_share: float) -> float:
    """The hardest three in ten are those that rank at 0.7 or above; 1 − 0.9 must not be a little less than 0.1."""
    return round(1 - remote_share, 9)


def percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"

"""Targets, caps and floors that contradict what stands beside them, or that wait for something that is not there."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gateway.core.types import Zone
from gateway.policy import schema
from gateway.policy.floor import PRIVATE, QUEUE
from gateway.policy.targets import least_rank, percent


def impossible(when: schema.PermitWhen) -> Iterator[str]:
    """Why no request fulfils the target together with the other selectors."""
    target, rank, share = when.target, when.rank, when.share
    if target is None:
        return
    if target.remote_share is not None and rank is not None and rank.at_most is not None:
        line = least_rank(target.remote_share)
        if rank.at_most < line:
            yield (
                f"target lets out the hardest {percent(target.remote_share)}, which rank at {line:g} or above, "
                f"and rank cannot be at most {rank.at_most:g} there"
            )
    if target.cap is not None and share is not None and share.at_least is not None and share.at_least >= target.cap:
        yield f"share cannot be at least {share.at_least:g} and below the cap of {target.cap:g}"


def doubts(when: schema.PermitWhen) -> Iterator[str]:
    """Targets that will not be met. Each begins with the selector it is about."""
    target = when.target
    if target is None:
        return
    if when.complexity is not None and when.complexity.at_most is not None:
        yield (
            "complexity: a target lets out the hardest requests, and at_most keeps just these in; "
            "remove it, or say at_least"
        )
    if target.remote_share is None:
        return
    if target.cap is not None and target.cap < target.remote_share:
        yield (
            f"target: the cap of {target.cap:g} is below remote_share {target.remote_share:g}, so what goes out "
            "depends on when it is asked and no longer on how hard it is; raise the cap, or lower remote_share"
        )
    if (
        when.rank is not None
        and when.rank.at_least is not None
        and when.rank.at_least > least_rank(target.remote_share)
    ):
        yield (
            f"rank: at_least {when.rank.at_least:g} lets out less than remote_share {target.remote_share:g} asks for; "
            "keep one of them"
        )


def floor_doubts(file: schema.PolicyFile, zones: Collection[Zone]) -> Iterator[str]:
    """A floor that sends requests where there is nothing, or where a forbid never lets them."""
    floor = file.floor
    if isinstance(floor, str) or floor.then not in (PRIVATE, QUEUE):
        return
    if Zone.PRIVATE not in zones:
        yield f"floor: there is no backend of zone private yet, so {floor.then} refuses"
    for forbid in file.forbid:
        if forbid.zone == "private" and not forbid.when.model_fields_set:
            yield f"floor: forbid {forbid.name!r} always keeps everything from private, so {floor.then} refuses"

"""Holds a request to the policy that is in force in the moment in which it would leave, however long it waited.

Between deciding and leaving it may queue for a server of one's own, be held as a draft, wait for its twin in flight, be
rewritten, or see one backend after the other fail: minutes, in which somebody may close what let it out.
"""

from __future__ import annotations

from gateway.core.parts import Asked
from gateway.core.ports import PolicySource


class PolicyReplaced(Exception):
    """The policy that decided the request is in force no longer: it is decided anew before it goes on."""


def outdated(policies: PolicySource, asked: Asked) -> bool:
    return policies.current().digest != asked.policy.digest


def still_in_force(policies: PolicySource, asked: Asked) -> None:
    """Raises PolicyReplaced."""
    if outdated(policies, asked):
        raise PolicyReplaced

"""The floor of competence: what becomes of a request that must stay and that the local model answers badly.

Where the floor sends it to servers of one's own, that is a permit like any other, named `floor`: it holds for every set
of findings alike, so that one finding more opens nothing, and it ends where forbids and what could not be read begin.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway.core.types import Sensitivity, Zone
from gateway.policy import conditions as make
from gateway.policy.facts import Facts
from gateway.policy.rules import Permit
from gateway.policy.targets import percent

FLOOR = "floor"
"""The name of the permit that a floor of `private` or `queue` stands for."""
REFUSE, NOTICE, PRIVATE, QUEUE = "refuse", "notice", "private", "queue"
WAIT_S = 30.0
"""How long `queue` waits unless the policy says otherwise."""


@dataclass(frozen=True, slots=True)
class Floor:
    then: str = REFUSE
    below: float | None = None
    """The least share of its kind that the local model should have been measured to answer well; None = any."""
    wait_s: float = 0.0

    def permits(self) -> Iterator[Permit]:
        """Nothing falls back to the local model from here, and no answer is kept: nobody wrote that it may be."""
        if self.then not in (PRIVATE, QUEUE):
            return
        unfit = replace(
            make.beyond_local(True),
            lacked="the local model is up to it",
            unknown="whether the local model is up to it is not known",
            told=self._told,
        )
        read = make.level_at_most(Sensitivity.RESTRICTED)
        yield Permit(FLOOR, Zone.PRIVATE, (read, unfit), fallback=False, cache=False, circumstances=(unfit,))

    def patience(self, facts: Facts, zone: Zone) -> float:
        """Seconds to wait for a server in `zone`."""
        return self.wait_s if self.then == QUEUE and zone is Zone.PRIVATE and facts.beyond_local else 0.0

    def lack(self, facts: Facts) -> str:
        """What is wrong with the local model's answer, should the request lie below."""
        language = f" in {facts.language!r}" if facts.language is not None else ""
        return (
            f"answered {percent(facts.competence or 0.0)} of such requests ({facts.assessment.family}{language}) well "
            f"when it was measured, and the floor is {percent(self.below or 0.0)}"
        )

    def _told(self, facts: Facts) -> str | None:
        if facts.below:
            return f"the local model {self.lack(facts)}"
        return {
            True: "the local model cannot do it, or does not speak its language",
            False: "the local model is up to it",
            None: None,
        }[facts.beyond_local]

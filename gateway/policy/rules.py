"""Permits and forbids, compiled, and how each reads its conditions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.types import TRANSFORMS, BackendSpec, Zone
from gateway.policy.conditions import Condition
from gateway.policy.facts import Facts

DEFAULT_RULE = "default"
"""What decided when no permit did. No rule may take this name."""


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """Lets requests out as far as `zone`, and into every zone inside it.

    Equal to itself alone: deciding asks which of a policy's permits are among those that hold.
    """

    name: str
    zone: Zone
    conditions: tuple[Condition, ...]
    to: tuple[str, ...] = ()
    """The backends of its zone that it lets out to, best first; empty = all of them. Zones inside stay open."""
    fallback: bool = True
    """The local model may answer when the way out fails."""
    cache: bool = True
    transform: str | None = None
    """What it demands of text on its way out; one of TRANSFORMS."""
    circumstances: tuple[Condition, ...] = ()
    """Those of its conditions that no finding changes."""

    def lacks(self, facts: Facts) -> str | None:
        """Why it does not hold: its first condition that is not a clear yes. None when it holds."""
        for condition in self.conditions:
            if (answer := condition.test(facts)) is not True:
                return condition.unknown if answer is None else condition.lacked
        return None

    def gives(self, backend: BackendSpec) -> bool:
        if backend.zone is self.zone:
            return not self.to or backend.name in self.to
        return backend.zone < self.zone

    def demands(self, facts: Facts) -> bool:
        """Its transform is due, whether or not it holds for what was found.

        Were the demand to lapse with the permit, one finding more could take the transform away and leave the way out
        to another permit that asks for none. So it looks at nothing that a finding changes.
        """
        return self.transform is not None and all(asks.test(facts) is True for asks in self.circumstances)


def strongest(transforms: Iterable[str | None]) -> str | None:
    return max(transforms, key=lambda name: -1 if name is None else TRANSFORMS.index(name), default=None)


@dataclass(frozen=True, slots=True)
class Forbid:
    """Keeps requests out of `zone` and of every zone beyond it."""

    name: str
    zone: Zone
    conditions: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        """True unless a condition clearly says no."""
        return all(condition.test(facts) is not False for condition in self.conditions)


def preferred(
    backends: Sequence[BackendSpec], held: Sequence[Permit], named: BackendSpec | None
) -> Sequence[BackendSpec]:
    """The named backend first, then as the permits list them, then the catalogue's order.

    Permits speak in the order of their names, so that moving a rule within the file changes nothing.
    """
    if len(backends) < 2:
        return backends
    listed = {name: at for at, name in reversed(list(enumerate(name for permit in held for name in permit.to)))}
    return sorted(backends, key=lambda spec: (spec is not named, listed.get(spec.name, len(listed))))

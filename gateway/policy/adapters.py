"""With which adapter the local model answers: the client's own wish, or the first rule that holds.

This never moves a request: it is asked after a decision is made, about an answer that would be made here anyway, and
says nothing about where or whether. So a further finding may choose another adapter and still open no way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.types import BackendSpec
from gateway.policy.conditions import Condition
from gateway.policy.facts import Facts

NONE = "none"
"""The bare model, in a rule's words. No adapter may have this name."""


@dataclass(frozen=True, slots=True)
class AdapterRule:
    name: str
    adapter: str
    conditions: tuple[Condition, ...]
    always: bool = False
    """It counts for clients that named an adapter themselves, too."""

    def holds(self, facts: Facts) -> bool:
        """Every condition is a clear yes."""
        return all(condition.test(facts) is True for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Choice:
    adapter: str | None
    why: str | None = None
    """As a reason."""
    notice: str | None = None
    """What the client should know: it named an adapter and gets another."""


def choose(rules: Sequence[AdapterRule], facts: Facts, local: BackendSpec) -> Choice:
    """Three cases:

    1. the first rule that holds is for everybody (`always`), or the client named no adapter: what the rule says
    2. the client named an adapter and that rule leaves it the choice, or none holds: what the client says
    3. neither: the bare model
    """
    wish = facts.request.adapter
    rule = next((rule for rule in rules if rule.holds(facts)), None)
    if rule is not None and (rule.always or wish is None):
        return _by_rule(rule, wish, local)
    if wish is None:
        return Choice(None)
    if wish not in local.adapters:  # it was there when the name was accepted; only a replayed record gets here
        return Choice(None, f"the client asked for adapter {wish!r}, and {local.name!r} has none of that name")
    return Choice(wish, f"the client asked for adapter {wish!r}")


def _by_rule(rule: AdapterRule, wish: str | None, local: BackendSpec) -> Choice:
    adapter = rule.adapter if rule.adapter in local.adapters else None
    why = f"adapters {rule.name!r} chooses {rule.adapter!r}"
    if adapter is None and rule.adapter != NONE:
        why += f", which {local.name!r} does not have"
    if wish is None or wish == adapter:
        return Choice(adapter, why)
    return Choice(adapter, why, f"answered with {_spoken(adapter)}, not with adapter {wish!r}, as the policy says")


def _spoken(adapter: str | None) -> str:
    return "the bare model" if adapter is None else f"adapter {adapter!r}"

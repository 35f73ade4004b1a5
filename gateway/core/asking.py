"""What the gateway itself asks its local model: no policy decides it, because it never leaves."""

from __future__ import annotations

from contextlib import aclosing

from gateway.core.ports import LocalBackend
from gateway.core.types import Allowed, Decision, Request, Sensitivity, Zone


def undecided(local: LocalBackend, rule: str) -> Decision:
    """What the engine is told instead of a decision; `rule` names who asks."""
    name = local.spec.name
    way = Allowed(name, Zone.LOCAL, rule)
    return Decision(Sensitivity.UNKNOWN, Zone.LOCAL, name, rule, (), "", "", (way,), cacheable=False)


async def ask(local: LocalBackend, request: Request, rule: str) -> tuple[str, str | None]:
    """The whole text of the answer, and why it ended. Raises what the backend raises."""
    said: list[str] = []
    finish: str | None = None
    async with aclosing(local.stream(request, undecided(local, rule))) as stream:
        async for pieces in stream:
            for chunk in pieces:
                said.append(chunk.delta.get("content") or "")
                finish = chunk.finish or finish
    return "".join(said), finish

"""How one backend is asked what was answered here: a line of its own, which leads nowhere else."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.parts import Parts
from gateway.core.ports import Observer
from gateway.core.records import Outcome
from gateway.core.types import Assessment, Json, Request
from gateway.pipeline import Pipeline
from gateway.shadow.narrow import OF, TO, AsIfHard, Narrowed
from gateway.traffic import Looking

SUFFIX = "-shadow"
"""Of a shadow's request id, behind that of the request it follows."""


class Way:
    def __init__(self, parts: Parts, backend: str) -> None:
        self.spec = parts.remotes[backend].spec
        self.policies = Narrowed(parts.policies, backend)
        self.watcher = Watcher(parts.observer)
        self._facts = parts.facts
        self._line = Pipeline(
            replace(
                parts,
                scorer=AsIfHard(parts.scorer),
                policies=self.policies,
                local=None,
                observer=self.watcher,
                cache=None,
                flight=None,
                facts=self._told,
                guard=None,
                traffic=None if parts.traffic is None else Looking(parts.traffic),
                cascade=None,
                shadow=None,
            )
        )

    async def ask(self, request: Request) -> str:
        """The whole text of the answer. Raises what the line raises."""
        async with self._line.handle(request) as reply:
            said = [chunk.delta.get("content") or "" async for pieces in reply.pieces for chunk in pieces]
        return "".join(said)

    def _told(self, request: Request, assessment: Assessment) -> dict[str, Json]:
        facts = self._facts(request, assessment) if self._facts else {}
        return {**facts, OF: request.id.removesuffix(SUFFIX), TO: self.spec.name}


class Watcher:
    """An `Observer` that keeps the outcome: a shadow is no request that somebody made, and is not counted as one."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._outcome: Outcome | None = None

    def finished(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def backend_failed(self, backend: str, error: Exception) -> None:
        self._observer.backend_failed(backend, error)

    def taken(self) -> Outcome | None:
        """The last one, once."""
        outcome, self._outcome = self._outcome, None
        return outcome

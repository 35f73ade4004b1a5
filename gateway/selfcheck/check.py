"""Opens the real gateway in front of a provider of its own and sends every planted value from every place."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import httpx

from gateway.policy.evaluate import CompiledPolicy
from gateway.selfcheck.asking import Asker
from gateway.selfcheck.hiding import Place, places
from gateway.selfcheck.outside import outside
from gateway.selfcheck.plants import HARD, Plant, control, plants
from gateway.selfcheck.result import Cell, Result, State
from gateway.selfcheck.staging import Stage, staged
from gateway.settings import Settings
from gateway.wiring import Gateway, open_gateway


async def selfcheck(
    settings: Settings,
    folder: Path,
    *,
    with_model: bool = False,
    seed: int | None = None,
    more: Sequence[Plant] = (),
) -> Result:
    """Raises ConfigurationError where the gateway could not be opened. `settings.policy.path` names the policy.

    The same `seed` makes the same values; without it they are new ones. `more` is planted beside them.
    """
    began = time.perf_counter()
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    planted = [*plants(Random(seed)), *more]  # noqa: S311 - made-up values, to be made again
    with TemporaryDirectory(prefix="slm-gateway-selfcheck-") as temporary:
        async with outside() as here:
            stage = staged(settings, folder, Path(temporary), here.base_url, with_model=with_model)
            names = tuple(backend.name for backend in stage.backends)
            async with open_gateway(stage.settings, folder, local=stage.local) as gateway, _client(gateway) as client:
                askers = [
                    Asker(client, gateway, here, names, who, model) for who in stage.who for model in _models(stage)
                ]
                return await _check(_Run(gateway, askers, planted), stage, seed, began)


def _models(stage: Stage) -> list[str]:
    """Every way to ask: for whatever is best, and for each backend by its name."""
    return ["auto", *(backend.name for backend in stage.backends)]


@asynccontextmanager
async def _client(gateway: Gateway) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=gateway.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=120) as client:
        yield client


class _Run:
    """All that is asked of one open gateway."""

    def __init__(self, gateway: Gateway, askers: Sequence[Asker], planted: Sequence[Plant]) -> None:
        self._gateway = gateway
        self._askers = askers
        self._plants = planted
        self._places = places()
        self._out: dict[tuple[str, str], bool] = {}
        """(asker, language and place) → whether a harmless request left."""

    @property
    def policy(self) -> CompiledPolicy:
        return self._gateway.policies.current()

    async def ways(self) -> list[Asker]:
        """Those that let out something harmless."""
        return [asker for asker in self._askers if any([await self._leaves(asker, language) for language in HARD])]

    async def cells(self, ways: Sequence[Asker]) -> list[Cell]:
        """Every kind from every place by one way, the ways in turn; and every kind in a user's text by each of them."""
        cells: list[Cell] = []
        first, *others = self._places
        for plant in self._plants:
            if not ways:  # what nothing harmless gets through is tried all the same, once
                cells += [await asker.plant(plant, first, stream=False) for asker in self._askers]
            for asker in ways:
                cells += await self._cell(asker, plant, first, stream=bool(len(cells) % 2))
        turns = cycle(ways)
        for place in others if ways else ():
            for plant in self._plants:
                if place.holds(plant):
                    cells += await self._cell(next(turns), plant, place, stream=bool(len(cells) % 2))
        return cells

    async def _cell(self, asker: Asker, plant: Plant, place: Place, *, stream: bool) -> list[Cell]:
        if not (await self._leaves(asker, plant.language) and await self._leaves(asker, "en", place)):
            return [Cell(plant.name, plant.short, place.name, State.SHUT, asker.model, asker.who.name, stream)]
        cells = [await asker.plant(plant, place, stream=stream)]
        if cells[0].state is State.REPLACED:  # putting back differs between a whole answer and a stream
            cells.append(await asker.plant(plant, place, stream=not stream))
        return cells

    async def _leaves(self, asker: Asker, language: str, place: Place | None = None) -> bool:
        place = place or self._places[0]
        key = (asker.name, f"{language} {place.name}")
        if key not in self._out:
            self._out[key] = bool((await asker.ask(place.body(control(language)))).left)
        return self._out[key]

    async def derived(self, asker: Asker) -> State:
        """The answer to the first request that stays here, sent back with a harmless question."""
        for plant in self._plants:
            private = await asker.ask(self._places[0].body(plant))
            if private.status == 200 and not private.left and private.text:
                return await asker.follow_up(private.text, HARD["en"])
        return State.SHUT


async def _check(run: _Run, stage: Stage, seed: int, began: float) -> Result:
    ways = await run.ways()
    cells = await run.cells(ways)
    derived = await run.derived(ways[0]) if ways else State.SHUT
    policy = run.policy
    return Result(
        policy=policy.name,
        digest=policy.digest,
        backends=tuple(f"{backend.name} ({backend.zone})" for backend in stage.backends),
        ways=tuple(asker.name for asker in ways),
        cells=tuple(cells),
        derived=derived,
        notes=stage.notes,
        seed=seed,
        seconds=time.perf_counter() - began,
    )

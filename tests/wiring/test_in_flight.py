"""The page of numbers tells how many requests are being answered, for as long as they are."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import httpx
import pytest

from gateway.core.types import BackendSpec, Chunk, Decision, Pieces, Request, Zone
from gateway.settings import Settings
from gateway.wiring import open_gateway

pytestmark = pytest.mark.anyio


class Patient:
    """A local model that says nothing before it is let go on."""

    spec = BackendSpec("local", Zone.LOCAL, "canned", "patient")
    honours = frozenset({"model", "messages"})

    def __init__(self) -> None:
        self.asked, self.may_go_on = anyio.Event(), anyio.Event()

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        self.asked.set()
        await self.may_go_on.wait()
        yield [Chunk(delta={"content": "Done."}, finish="stop")]


async def test_requests_in_flight_are_counted_and_counted_out_again(tmp_path: Path) -> None:
    local = Patient()
    async with open_gateway(Settings(), tmp_path, local=local) as gateway:
        transport = httpx.ASGITransport(app=gateway.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:

            async def in_flight() -> float:
                page = (await client.get("/metrics")).text.splitlines()
                return next(float(line.split()[1]) for line in page if line.startswith("gateway_in_flight "))

            async def ask(content: object) -> None:
                body = {"model": "local", "messages": [{"role": "user", "content": content}]}
                await client.post("/v1/chat/completions", json=body)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, "Hello!")
                await local.asked.wait()
                assert await in_flight() == 1
                local.may_go_on.set()
            await ask({"no": "text"})
            assert await in_flight() == 0

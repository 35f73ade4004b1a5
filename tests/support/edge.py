"""The real HTTP edge in this event loop, on a free port, over a line whose backends do what a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import uvicorn
from openai import AsyncOpenAI
from uvicorn.server import ServerState

from gateway.api.app import App, Endpoints
from gateway.api.auth import Auth
from gateway.api.chat import Chat, ChatOptions
from gateway.api.cors import Cors
from gateway.api.health import Health
from gateway.api.models import Models
from gateway.api.protocol import protocol
from gateway.api.route import Route
from gateway.core.types import BackendSpec, Decision, Pieces, Request, Zone
from tests.support.line import Line, Step

NAMES = {"auto": "auto", "local": "local", "large": "large"}


class PlayingLocal:
    """A local model that knows its answers by heart: the last message names the script."""

    honours = frozenset(
        {"logprobs", "max_tokens", "messages", "model", "n", "parallel_tool_calls", "stream", "stream_options"}
        | {"tool_choice", "tools", "top_logprobs"}
    )

    def __init__(self, scripts: Mapping[str, Sequence[Step]]) -> None:
        self.spec = BackendSpec("local", Zone.LOCAL, "llama", "small", images=False)
        self.calls = 0
        self._scripts = scripts

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        self.calls += 1
        for step in self._scripts[request.messages[-1]["content"]]:
            await anyio.lowlevel.checkpoint()
            if isinstance(step, Exception):
                raise step
            yield step


@dataclass(frozen=True)
class Edge:
    line: Line
    client: AsyncOpenAI
    """The real one, and it does not try again."""
    http: httpx.AsyncClient

    async def ask(self, said: str, **more: Any) -> httpx.Response:
        """What a client sees that reads bytes."""
        body = {"model": "local", "messages": [{"role": "user", "content": said}], **more}
        return await self.http.post("/v1/chat/completions", json=body)


@asynccontextmanager
async def edge(line: Line, **options: Any) -> AsyncIterator[Edge]:
    broken: list[str] = []

    def log_failure(request_id: str, error: Exception) -> None:
        broken.append(type(error).__name__)

    auth = Auth(None)
    told = ChatOptions(**{"body_limit": 2**20, "names": NAMES, **options})
    models = Models(dict.fromkeys(NAMES, "gateway"), created=1)
    chat = Chat(line.pipeline, auth, told, log_failure)
    route = Route(chat, line.preview)
    ends = Endpoints(chat, route, models, Health(()), lambda tenant: (b"", "text/plain"))
    app = App(ends, auth, Cors(None), hosts=None, log_failure=log_failure)
    async with (
        _listening(app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as http,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, http_client=http) as client,
    ):
        yield Edge(line, client, http)
    assert broken == []


@asynccontextmanager
async def _listening(app: App) -> AsyncIterator[str]:
    kind = protocol(write_timeout_s=5)
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", access_log=False)
    state = ServerState()
    make: Any = kind
    server = await asyncio.get_running_loop().create_server(lambda: make(config, state, {}), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        await asyncio.gather(*state.tasks, return_exceptions=True)
        await anyio.sleep(0.01)

"""A bare pass-through with the gateway's own HTTP stack (Starlette, uvicorn, aiohttp): the floor for Python.

`python -m bench.peers.passthrough PORT UPSTREAM_PORT` serves it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench.peers.peer import Peer
from bench.process import free_port


def peer(work: Path, upstream: int) -> Peer:
    port = free_port()
    command = (sys.executable, "-m", "bench.peers.passthrough", str(port), str(upstream))
    return Peer("Starlette + aiohttp", command, port, "/ready", "large", work)


def serve(port: int, upstream: int) -> None:
    import aiohttp
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route

    address = f"http://127.0.0.1:{upstream}/v1/chat/completions"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            app.state.session = session
            yield

    async def chat(request: Request) -> Response:
        body = await request.body()
        answer = await request.app.state.session.post(address, data=body, headers={"content-type": "application/json"})
        if answer.headers.get("content-type") != "text/event-stream":
            return Response(await answer.read(), answer.status, media_type="application/json")
        return StreamingResponse(answer.content.iter_any(), answer.status, media_type="text/event-stream")

    routes = [Route("/v1/chat/completions", chat, methods=["POST"]), Route("/ready", lambda _: Response())]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))

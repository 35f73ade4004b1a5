"""POST /v1/route: the body of a chat completion in, what would be done with it out. Nothing is answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.types import Receive

from gateway.api.body import ClientGone
from gateway.api.chat import Chat
from gateway.api.http import Answer, Headers
from gateway.core.types import Json, Request


class Route:
    """Admits whom `chat` admits, reads what it reads, and counts among the requests in flight."""

    def __init__(self, chat: Chat, preview: Callable[[Request], Awaitable[Json]]) -> None:
        self._chat = chat
        self._preview = preview

    async def __call__(self, headers: Headers, receive: Receive, answer: Answer) -> None:
        try:
            request = await self._chat.read(headers, receive, answer.request_id)
        except ClientGone:
            return
        with self._chat.counted():
            await answer.json(await self._preview(request))

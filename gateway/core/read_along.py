"""Lets somebody read an answer along while it is given, without holding up the one whom it is for."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing

from gateway.core.parts import Asked, Reply, Shadow


async def read_along(shadow: Shadow | None, asked: Asked, reply: Reply, stack: AsyncExitStack) -> Reply:
    """The same reply, its pieces noted on their way where `shadow` wants them."""
    noted = None if shadow is None else shadow.watch(asked, reply)
    if noted is not None:
        reply.pieces = await stack.enter_async_context(aclosing(noted))
    return reply

"""Counts a prompt in the local model's own tokens where the estimate is too near its limit to tell whether it fits.

The estimate is right within a third (docs/scoring.md) and costs microseconds; the engine's count is exact and costs a
walk over the whole prompt in another process. So the engine is asked in the margin alone, and for a moment only.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

import anyio

from gateway.core.types import BackendSpec, Needs
from gateway.score.needs import needs_of

Count: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[int]]
"""Tokens of a request's prompt, its tools included, as the model reads it. May raise."""

LEAST, MOST = 0.8, 1.7
"""True tokens over estimated ones, at the outside: English and code below 1, other languages in an English vocabulary
above it. A prompt is counted when its true length may lie on either side of what the model holds."""
WAIT_S = 0.25
"""An engine that is loading or busy with a long prompt is not waited for: then the estimate stands."""
AT_ONCE = 8
"""Counts under way at most; whoever comes then is estimated."""


class Counting:
    """What a request needs, with an exact context where it matters. Raises nothing that `needs_of` does not raise."""

    def __init__(self, local: BackendSpec | None, count: Count | None, *, wait_s: float = WAIT_S) -> None:
        self._context = 0 if local is None else local.context
        self._count = count
        self._wait_s = wait_s
        self._under_way = 0

    async def needs(self, body: Mapping[str, Any]) -> tuple[Needs, int]:
        """(needs, prompt tokens)."""
        needs, tokens = needs_of(body)
        if self._count is None or not self._context or not self._in_doubt(needs, tokens):
            return needs, tokens
        if needs.image or needs.audio or needs.file or self._under_way >= AT_ONCE:
            return needs, tokens  # it cannot be served here anyway, or too many ask at once
        exact = await self._counted(self._count, body)
        if exact is None:
            return needs, tokens
        # The engine needs one token to answer with, also where the client sets no limit.
        return replace(needs, context=exact + max(1, needs.context - tokens)), exact

    def _in_doubt(self, needs: Needs, tokens: int) -> bool:
        """Whether the estimate may lie on the wrong side of the room beside the longest answer, or of all the room.

        What must stay is answered with what room there is, so for that the prompt alone has to fit.
        """
        beside = self._context - (needs.context - tokens)
        return any(LEAST * tokens <= room <= MOST * tokens for room in (beside, self._context))

    async def _counted(self, count: Count, body: Mapping[str, Any]) -> int | None:
        self._under_way += 1
        try:
            with anyio.move_on_after(self._wait_s):
                return await count(body)
        except Exception:  # noqa: BLE001 - no engine, or a request it will refuse by itself: the estimate stands
            return None
        finally:
            self._under_way -= 1
        return None

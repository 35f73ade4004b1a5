"""Keeps a conversation on the side that answers it, until a score clearly demands the other one.

Changing sides in the middle costs a prompt cache, another model's signed thoughts and one tone of voice. So the gain of
a later turn is moved by at most BAND towards the side that answered last: a threshold at 0.55 becomes one at 0.50 for
who is out and at 0.60 for who is at home. Nothing else changes: what a request *is* decides whether it may leave, and a
gain, moved or not, permits nothing by itself. The moved gain is the recorded one, and the scorer's name says so.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from hashlib import blake2b
from typing import Any

from gateway.core.ports import Scorer, Traffic
from gateway.core.types import Assessment, Principal, Request, Score, Standing, Zone
from gateway.score.ask import human, text_of

BAND = 0.05
"""Half of the width: how far a gain is moved. A tenth of the scale separates hesitation from need."""
UNFIT = 0.9
"""From here on a gain states that the local model cannot serve the request at all; that is no hesitation."""
MOST = 20_000
"""Conversations remembered; the one that was silent longest is forgotten first. About 4 MB."""
KEEP_S = 2 * 3600.0
OPENING = 8_000
"""Characters of a conversation's first message that are looked at."""


class Sides:
    """Which side answered a conversation last. Holds digests under a key that nobody else has, and no text."""

    def __init__(
        self,
        secret: bytes | None = None,
        *,
        most: int = MOST,
        keep_s: float = KEEP_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._secret = (secret or secrets.token_bytes(32))[:64]
        self._most, self._keep_s, self._clock = most, keep_s, clock
        self._known: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def note(self, request: Request, zone: Zone) -> None:
        """Remember that `zone` answered this turn."""
        self._forget()
        name = self._name(request.principal, request.conversation, request.messages)
        self._known[name] = (zone > Zone.LOCAL, self._clock() + self._keep_s)
        self._known.move_to_end(name)
        if len(self._known) > self._most:
            self._known.popitem(last=False)

    def went_out(self, request: Request) -> bool | None:
        """Whether the last turn was answered elsewhere; None for a first turn and for what is not remembered."""
        if not any(each.get("role") == "assistant" for each in request.messages):
            return None
        found = self._known.get(self._name(request.principal, request.conversation, request.messages))
        return found[0] if found is not None and found[1] > self._clock() else None

    def _forget(self) -> None:
        """Every note lasts equally long, so the stalest ones stand first."""
        now = self._clock()
        while self._known and next(iter(self._known.values()))[1] <= now:
            self._known.popitem(last=False)

    def _name(self, principal: Principal, conversation: str | None, messages: Sequence[Any]) -> bytes:
        """Key's owner, the client's id for the conversation and how it began.

        One id covers many conversations of a harness (titles, helpers); many conversations begin with "Hi".
        """
        name = blake2b(key=self._secret, digest_size=16)
        for part in (principal.tenant, principal.subject, conversation or "", _opening(messages)):
            said = part.encode("utf-8", "surrogatepass")
            name.update(len(said).to_bytes(8, "big") + said)
        return name.digest()


def _opening(messages: Sequence[Any]) -> str:
    """What the first message of a user says, without what harnesses renew around it on every turn."""
    first = next((each for each in messages if isinstance(each, Mapping) and each.get("role") == "user"), None)
    said = text_of(first.get("content"))[:OPENING] if first is not None else ""
    return human(said) or said


class StayingScorer:
    """A `Scorer` that leans towards the side a conversation is on."""

    def __init__(self, scorer: Scorer, sides: Sides) -> None:
        self._scorer = scorer
        self._sides = sides

    async def score(self, request: Request) -> Score:
        score = await self._scorer.score(request)
        if score.gain is None or score.gain >= UNFIT:
            return score
        try:
            out = self._sides.went_out(request)
        except Exception:  # noqa: BLE001 - a conversation that cannot be told from others has no side to stay on
            return score
        if out is None:
            return score
        moved = min(score.gain + BAND, UNFIT) if out else max(score.gain - BAND, 0.0)
        return replace(score, gain=round(moved, 4), scorer=f"{score.scorer} stays:{'out' if out else 'home'}")


class StayingTraffic:
    """A `Traffic` that tells `Sides` where each request was answered, and another one, where there is one."""

    def __init__(self, sides: Sides, traffic: Traffic | None = None) -> None:
        self._sides = sides
        self._traffic = traffic

    def standing(self, request: Request, score: Score) -> Standing:
        return Standing() if self._traffic is None else self._traffic.standing(request, score)

    def look(self, request: Request, score: Score) -> Standing:
        return Standing() if self._traffic is None else self._traffic.look(request, score)

    def went(self, request: Request, assessment: Assessment, zone: Zone, *, answered: bool = False) -> None:
        """A turn that was refused, failed or came out of the cache leaves the conversation on the side it was on."""
        if answered:
            with suppress(Exception):  # not remembered: the next turn is scored as it is
                self._sides.note(request, zone)
        if self._traffic is not None:
            self._traffic.went(request, assessment, zone, answered=answered)

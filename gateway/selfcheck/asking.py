"""Sends one request down the line of an open gateway and says what came of it, without keeping what was in it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from gateway.core.types import DERIVED, Json, Sensitivity
from gateway.policy.replay import replay
from gateway.selfcheck.hiding import Body, Place
from gateway.selfcheck.outside import Outside, Received
from gateway.selfcheck.plants import HARD, Plant, compact
from gateway.selfcheck.reading import strings
from gateway.selfcheck.recorded import Recorded
from gateway.selfcheck.result import Cell, State
from gateway.selfcheck.staging import Who
from gateway.wiring import Gateway

_LONG = 40
"""Signs; no field name and no word of the wire has so many."""
_DERIVED = ((DERIVED[Sensitivity.RESTRICTED], "confidential"),)


@dataclass(frozen=True, slots=True)
class Said:
    """One answer."""

    status: int
    headers: httpx.Headers
    text: str = field(repr=False)
    arguments: str = field(repr=False)
    """Of its tool calls, put together."""
    left: tuple[Received, ...] = field(repr=False)
    """What arrived outside while it was made."""


class Asker:
    """Asks as one caller in one way."""

    def __init__(
        self, client: httpx.AsyncClient, gateway: Gateway, here: Outside, names: tuple[str, ...], who: Who, model: str
    ) -> None:
        self.who, self.model = who, model
        self._client = client
        self._gateway = gateway
        self._recorded = Recorded(gateway.places.audit)
        self._outside = here
        self._names = names
        """The backends' names, by their number outside."""

    @property
    def name(self) -> str:
        return self.model if self.who.token is None else f"{self.model} ({self.who.name})"

    async def ask(self, body: Body, *, stream: bool = False) -> Said:
        self._outside.taken()
        headers = {"cache-control": "no-store"}
        if self.who.token is not None:
            headers["authorization"] = f"Bearer {self.who.token}"
        asked = {**body, "model": self.model, "stream": stream}
        answer = await self._client.post("/v1/chat/completions", json=asked, headers=headers)
        text, arguments = _told(answer)
        return Said(answer.status_code, answer.headers, text, arguments, tuple(self._outside.taken()))

    async def plant(self, plant: Plant, place: Place, *, stream: bool) -> Cell:
        """Send the value from this place and look for it outside."""
        body = place.body(plant)
        said = await self.ask(body, stream=stream)
        transform = said.headers.get("x-gateway-transform", "").partition(";")[0]
        restored = None
        state = self._state(said, plant, place)
        if state is State.REPLACED and transform == "pseudonymise":
            restored = _back(said, plant, body)
        rule = said.headers.get("x-gateway-rule", "")
        return Cell(
            plant.name, plant.short, place.name, state, self.model, self.who.name, stream, rule, transform, restored
        )

    def _state(self, said: Said, plant: Plant, place: Place) -> State:
        clear = [received for received in said.left if received.holds(plant.needles)]
        if clear:
            return State.PERMITTED if all(self._permitted(said, plant.means, each) for each in clear) else State.LEFT
        if not said.left:
            return State.FAILED if said.status == 500 else State.HOME
        if place.field and place.field in said.headers.get("x-gateway-dropped", "").split(","):
            return State.UNSENT
        return State.REPLACED if any(received.replaced for received in said.left) else State.UNSENT

    async def follow_up(self, answer: str, hard: str) -> State:
        """What becomes of an answer made here when a client sends it back."""
        said = await self.ask({
            "messages": [
                {"role": "user", "content": "What do you think?"},
                {"role": "assistant", "content": answer},
                {"role": "user", "content": hard},
            ]
        })  # fmt: skip
        if not said.left:
            return State.FAILED if said.status == 500 else State.HOME
        return State.PERMITTED if all(self._permitted(said, _DERIVED, each) for each in said.left) else State.LEFT

    def _permitted(self, said: Said, means: Sequence[tuple[str, str]], received: Received) -> bool:
        """Whether the policy lets it out as it is though it knows what it is.

        Decided again from the recorded facts, with the findings that a detector should have made of the value added.
        """
        recorded = self._recorded.facts(said.headers.get("x-request-id", ""))
        if recorded is None:
            return False
        facts = {**recorded, "tenant": self.who.principal.tenant}
        known = {(finding["kind"], finding["category"]) for finding in facts["findings"]}
        facts["findings"] = facts["findings"] + [_finding(*each) for each in means if each not in known]
        way = replay(self._gateway.policies.current(), facts).allows(self._names[received.number])
        return way is not None and way.transform is None


def _finding(kind: str, category: str) -> dict[str, Json]:
    told = {"kind": kind, "category": category, "confidence": 1.0, "value_id": 0, "near": [], "reserved": False}
    return {**told, "path": "$.messages[0].content"}


def _back(said: Said, plant: Plant, body: Body) -> bool:
    """Whether both ways of saying it back hold the value, or what it was disguised as."""
    value, hard = compact(plant.value), compact(HARD[plant.language])
    disguised = [text for text in map(compact, strings(body)) if len(text) > _LONG and text != hard]
    return all(
        value in told or (bool(disguised) and all(text in told for text in disguised))
        for told in (compact("".join(strings(text, decoded=True))) for text in (said.text, said.arguments))
    )


def _told(answer: httpx.Response) -> tuple[str, str]:
    if "text/event-stream" in answer.headers.get("content-type", ""):
        data = (line[6:] for line in answer.text.splitlines() if line.startswith("data: {"))
        deltas = [choice.get("delta", {}) for each in data for choice in json.loads(each).get("choices", ())]
    else:
        deltas = [choice["message"] for choice in _json(answer).get("choices", ())]
    text = "".join(delta.get("content") or "" for delta in deltas)
    return text, " ".join(strings(_parsed("".join(_arguments(deltas)))))


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _arguments(deltas: list[dict[str, Any]]) -> Iterator[str]:
    for delta in deltas:
        for call in delta.get("tool_calls") or ():
            yield call.get("function", {}).get("arguments") or ""


def _parsed(arguments: str) -> Json:
    try:
        return json.loads(arguments) if arguments else ""
    except ValueError:
        return ""  # broken JSON is nothing restored

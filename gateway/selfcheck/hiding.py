"""Every place of a request in which a value can hide, and every disguise that it may wear in a user's text."""

from __future__ import annotations

import base64
import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gateway.core.types import Json
from gateway.selfcheck.plants import HARD, Known, Plant

Body: TypeAlias = dict[str, Json]
Build: TypeAlias = Callable[[Plant, str], Body]
"""(what is planted, the question beside it) → the request, without its model."""

_CALL = "call_selfcheck_1"


@dataclass(frozen=True, slots=True)
class Place:
    name: str
    build: Build
    known: Known = Known.WORDS
    """What a value must be known by at least, to be itself there: a name spelled out is not a name any more."""
    alone: bool = False
    """Nothing stands beside it there."""
    field: str = ""
    """A field of its own that no wire may know."""

    def holds(self, plant: Plant) -> bool:
        return plant.known >= self.known and (plant.alone or not self.alone)

    def body(self, plant: Plant) -> Body:
        return {**self.build(plant, HARD[plant.language]), "max_tokens": 64}


def places() -> tuple[Place, ...]:
    return (
        Place("user", _user),
        Place("system", lambda plant, hard: _chat(("system", plant.sentence), ("user", hard))),
        Place("earlier user turn", lambda plant, hard: _chat(("user", plant.sentence), ("assistant", "I see."),
                                                             ("user", hard))),
        Place("earlier answer", lambda plant, hard: _chat(("user", "Remind me."), ("assistant", plant.sentence),
                                                          ("user", hard))),
        Place("name of a message", lambda plant, hard: {"messages": [
            {"role": "user", "name": plant.value.replace(" ", ""), "content": hard}]}, known=Known.FORM, alone=True),
        Place("text part", lambda plant, hard: _parts(plant.sentence, hard)),
        Place("split over two parts", _split, known=Known.CHECKSUM),
        Place("tool description", lambda plant, hard: _tool(hard, description=plant.sentence)),
        Place("enum of a tool", lambda plant, hard: _tool(hard, properties={
            plant.label: {"type": "string", "enum": [plant.bare, "other"]}})),
        Place("key in a tool", lambda plant, hard: _tool(hard, properties={plant.labelled: {"type": "string"}})),
        Place("tool call arguments", lambda plant, hard: _called(hard, json.dumps({plant.label: plant.value}))),
        Place("key in arguments", lambda plant, hard: _called(hard, json.dumps({"rows": {plant.labelled: 1}}))),
        Place("JSON in arguments", lambda plant, hard: _called(
            hard, json.dumps({"body": json.dumps({"form": json.dumps({plant.label: plant.value})})}))),
        Place("tool result", lambda plant, hard: _called(hard, "{}", plant.sentence)),
        Place("JSON tool result", lambda plant, hard: _called(hard, "{}", json.dumps([{plant.label: plant.value}]))),
        Place("answer schema", _schema),
        Place("stop sequence", lambda plant, hard: {**_chat(("user", hard)), "stop": [plant.labelled]}),
        Place("user field", lambda plant, hard: {**_chat(("user", hard)), "user": plant.labelled}, field="user"),
        Place("metadata", lambda plant, hard: {**_chat(("user", hard)), "metadata": {plant.label: plant.value}},
              field="metadata"),
        Place("base64", _worn(lambda text: base64.b64encode(text.encode()).decode())),
        Place("hex", _worn(lambda text: text.encode().hex())),
        Place("percent-encoded", _worn(lambda text: "https://crm.intern/search?q=" + urllib.parse.quote(text))),
        Place("escaped (\\u0041)", _worn(lambda text: "".join(f"\\u{ord(sign):04x}" for sign in text))),
        Place("spaced out", _worn_value(lambda text: " ".join(text.replace(" ", ""))), known=Known.CHECKSUM),
        Place("full-width", _worn_value(_wide), known=Known.FORM),
        Place("invisible signs inside", _worn_value("\u200b".join), known=Known.FORM),
    )  # fmt: skip


def _chat(*said: tuple[str, str]) -> Body:
    return {"messages": [{"role": role, "content": text} for role, text in said]}


def _user(plant: Plant, hard: str) -> Body:
    return _chat(("user", f"{plant.sentence} {hard}"))


def _parts(*texts: str) -> Body:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]}


def _split(plant: Plant, hard: str) -> Body:
    at = plant.sentence.index(plant.value) + len(plant.value) // 2
    return _parts(f"{hard} {plant.sentence[:at]}", plant.sentence[at:])


def _tool(hard: str, *, description: str = "Looks something up.", properties: Json = None) -> Body:
    parameters = {"type": "object", "properties": properties or {"what": {"type": "string"}}}
    function = {"name": "look_up", "description": description, "parameters": parameters}
    return {**_chat(("user", hard)), "tools": [{"type": "function", "function": function}]}


def _called(hard: str, arguments: str, result: str = "done") -> Body:
    call = {"id": _CALL, "type": "function", "function": {"name": "look_up", "arguments": arguments}}
    said: list[Json] = [
        {"role": "user", "content": "Look it up."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": _CALL, "content": result},
        {"role": "user", "content": hard},
    ]
    return {**_tool(hard), "messages": said}


def _schema(plant: Plant, hard: str) -> Body:
    schema = {"type": "object", "properties": {"proof": {"type": "string", "description": plant.sentence}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "proof", "schema": schema}}
    return {**_chat(("user", hard)), "response_format": wanted}


def _worn(disguise: Callable[[str], str]) -> Build:
    """In a user's text, the value with its label as one encoded run."""
    return lambda plant, hard: _chat(("user", f"{hard} Context: {disguise(plant.labelled)}"))


def _worn_value(disguise: Callable[[str], str]) -> Build:
    return lambda plant, hard: _chat(("user", f"{plant.sentence.replace(plant.value, disguise(plant.value))} {hard}"))


def _wide(text: str) -> str:
    """Latin signs in their East Asian forms: `DE89` → `ＤＥ８９`."""
    return "".join(chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign for sign in text)

"""A long conversation with tools under pseudonyms, seen from the other side of the door."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest

from gateway.backends.canned import CannedRemote
from gateway.core.release import check
from gateway.core.types import Allowed, BackendSpec, Chunk, Decision, Outgoing, Sensitivity, Zone
from gateway.transform import Pseudonymise

pytestmark = pytest.mark.anyio

PLANTED = ("DE89 3704 0044 0532 0130 00", "+39 346 507 5291", "anna.verdi@posta-aziendale.it", "ZPCLRB98P07H501C")
SPEC = BackendSpec("large", Zone.REMOTE, "canned", "gpt-x")
WAY = Allowed("large", Zone.REMOTE, "masked", "pseudonymise")
LEAVES = Decision(
    Sensitivity.CONFIDENTIAL, Zone.REMOTE, "large", "masked", (), "p", "d", (WAY,), transform="pseudonymise"
)
TOKEN = re.compile(r"\[(?:[A-Z]+_)+\d+_\w{4}\]")


def answer(payload: Any, turn: int, dice: random.Random) -> list[list[Chunk]]:
    """What a remote model does with tokens: uses all it has seen, in a tool call or in text, cut anywhere."""
    tokens = sorted(set(TOKEN.findall(json.dumps(payload))))
    text = f"Turn {turn}: " + ", ".join(tokens) + "."
    if turn % 2:
        text = json.dumps({"who": tokens, "note": f'a "quoted" {tokens[0]}\n'})
    pieces = []
    while text:
        size = dice.randint(1, 7)
        call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": text[:size]}}
        pieces.append([Chunk(0, {"tool_calls": [call]} if turn % 2 else {"content": text[:size]})])
        text = text[size:]
    return [*pieces, [Chunk(0, {}, "tool_calls" if turn % 2 else "stop")]]


async def test_no_planted_value_ever_leaves_and_the_client_sees_them_all(
    tools: Any, scanner: Any, secret: bytes
) -> None:
    dice = random.Random(5)
    transform, remote = Pseudonymise(scanner, secret), CannedRemote(SPEC)
    history: list[Any] = [{"role": "system", "content": "You book appointments."}]
    for turn in range(12):
        value = PLANTED[turn % len(PLANTED)]
        said = f"Step {turn}: use {value}, please."
        if turn % 3 == 2:
            history.append({"role": "tool", "tool_call_id": "c", "content": json.dumps({"result": value})})
        history.append({"role": "user", "content": said})
        request = tools.request(history)
        done = await tools.apply(transform, scanner, request)
        prepared = remote.prepare(done.request)
        outgoing = Outgoing("large", prepared.payload, transform="pseudonymise", replaced=done.replaced)
        scan = await scanner.scan(outgoing.payload)
        check(request, LEAVES, backend=SPEC, outgoing=outgoing, scan=scan)
        assert not [planted for planted in PLANTED if planted in json.dumps(outgoing.payload)]
        chunks = await tools.through(done.restore, answer(outgoing.payload, turn, dice))
        assert done.restore.unrestored == 0
        message = {"role": "assistant", "content": tools.text(chunks) or None}
        if turn % 2:
            arguments = tools.arguments(chunks)
            assert value in json.loads(arguments)["who"]
            message["tool_calls"] = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]
        else:
            assert value in tools.text(chunks)
        history.append(message)
    assert not TOKEN.search(json.dumps(history))

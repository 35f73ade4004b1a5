"""A long streamed conversation with tools under the masking policy: the vendor sees placeholders, the client values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.e2e.conftest import large
from tests.support.capture import Answer, CaptureServer, Recorded, event, events, words
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.model

PLANTED = {
    "person": "Giulia Ferraris",
    "iban": "IT60X0542811101000000123456",
    "iban_spaced": "DE89 3704 0044 0532 0130 00",
    "email": "g.ferraris@studio-ferraris.it",
    "phone": "+39 347 655 1290",
}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "book_transfer",
            "description": "Books a transfer. Ask g.ferraris@studio-ferraris.it where in doubt.",
            "parameters": {
                "type": "object",
                "properties": {
                    "iban": {"type": "string", "enum": [PLANTED["iban"], PLANTED["iban_spaced"]]},
                    "holder": {"type": "string"},
                    "note": {"type": "string"},
                },
            },
        },
    }
]
_PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+_[a-z0-9]{4}\]")
SHIPPED = Path(__file__).resolve().parents[2] / "policies"
TURNS = 12


def compact(text: str) -> str:
    return re.sub(r"[\s\\]", "", text).lower()


@pytest.fixture(scope="module")
def gateway(outside: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("masked")
    config = {"backends": [large(outside)], "policy": {"path": "masked.yaml"}, "local": {"engine": "canned"}}
    with serving(folder, config) as running:
        yield running


def vendor(request: Recorded) -> Answer:
    """Calls the tool with the placeholders it was given, in small pieces, then talks about them, in other ones."""
    messages = request.json["messages"]
    known = list(dict.fromkeys(_PLACEHOLDER.findall(json.dumps(messages, ensure_ascii=False))))
    iban = next(each for each in known if "IBAN" in each)
    if messages[-1]["role"] == "tool":
        text = "Done for " + ", ".join(known) + "; **" + known[0].replace("_", "\\_") + "** was told."
        return events(*words(*(text[at : at + 3] for at in range(0, len(text), 3))))
    arguments = json.dumps({"iban": iban, "holder": known[0], "note": f"for {known[0]}, see {known[-1]}"})
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "book_transfer", "arguments": ""}}
    pieces = (arguments[at : at + 4] for at in range(0, len(arguments), 4))
    deltas = [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    return events(
        event({"role": "assistant", "content": None, "tool_calls": [call]}),
        *map(event, deltas),
        event({}, finish="tool_calls"),
    )


def ask(client: OpenAI, messages: list[Any]) -> tuple[str, str, str]:
    """Text, arguments and id of the call of one streamed answer."""
    text = arguments = number = ""
    with client.chat.completions.create(model="large", messages=messages, tools=TOOLS, stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                text += choice.delta.content or ""
                for call in choice.delta.tool_calls or ():
                    number = call.id or number
                    arguments += call.function.arguments or "" if call.function else ""
    return text, arguments, number


def test_no_planted_value_gets_out_in_a_long_conversation_and_every_one_comes_back(
    gateway: Serving, outside: CaptureServer
) -> None:
    outside.clear()
    outside.always(vendor)
    client = OpenAI(base_url=gateway.base_url, api_key="none", max_retries=0)
    messages: list[Any] = [{"role": "system", "content": f"You work for {PLANTED['person']}, {PLANTED['email']}."}]
    for turn in range(TURNS):
        iban = PLANTED["iban" if turn % 2 else "iban_spaced"]
        messages.append(
            {
                "role": "user",
                "content": f"{turn}: move 20 euros for {PLANTED['person']} to {iban}, call {PLANTED['phone']}",
            }
        )
        _, arguments, number = ask(client, messages)
        called = json.loads(arguments)
        assert called["holder"] == PLANTED["person"]
        assert compact(called["iban"]) in {compact(PLANTED["iban"]), compact(PLANTED["iban_spaced"])}
        assert not _PLACEHOLDER.search(arguments)
        call = {"id": number, "type": "function", "function": {"name": "book_transfer", "arguments": arguments}}
        result = json.dumps({"ok": True, PLANTED["email"]: {"iban": iban}})
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": number, "content": result})
        text, _, _ = ask(client, messages)
        assert PLANTED["person"] in text
        assert PLANTED["phone"] in text
        assert not _PLACEHOLDER.search(text)
        messages.append({"role": "assistant", "content": text})

    assert len(outside.requests) == 2 * TURNS
    sent = compact(outside.received.decode())
    assert [kind for kind, value in PLANTED.items() if compact(value) in sent] == []
    for surname in ("ferraris", "giulia"):
        assert surname not in sent


def test_a_conversation_keeps_its_placeholders_from_turn_to_turn(gateway: Serving, outside: CaptureServer) -> None:
    outside.clear()
    outside.always(events(*words("Fine.")))
    client = OpenAI(base_url=gateway.base_url, api_key="none", max_retries=0)
    messages: list[Any] = [{"role": "user", "content": f"Write to {PLANTED['email']} about {PLANTED['iban']}."}]
    ask(client, messages)
    messages += [
        {"role": "assistant", "content": "Fine."},
        {"role": "user", "content": f"Call {PLANTED['phone']} too."},
    ]
    ask(client, messages)
    first, second = (_PLACEHOLDER.findall(json.dumps(request.json)) for request in outside.requests)
    assert set(first) < set(second)


def test_what_was_replaced_is_told_and_recorded_without_a_value(gateway: Serving, outside: CaptureServer) -> None:
    outside.clear()
    outside.always(events(*words("Fine.")))
    answer = gateway.ask(f"Write to {PLANTED['email']} about {PLANTED['iban']}.", model="large")
    assert answer.headers["x-gateway-transform"] == "pseudonymise; replaced=2"
    records = gateway.of(answer.headers["x-request-id"])
    attempt = next(record for record in records if record["event"] == "attempt")
    facts = json.dumps(attempt)
    assert '"transform": "pseudonymise"' in facts
    assert '"replaced": 2' in facts
    assert PLANTED["email"] not in json.dumps(records) + gateway.log()


def test_what_stays_under_the_masking_policy_is_not_sent_masked(gateway: Serving, outside: CaptureServer) -> None:
    outside.clear()
    answer = gateway.ask("My son Luca, 8 years old, has diabetes. Write to his school.", model="large")
    assert answer.headers["x-gateway-zone"] == "local"
    assert outside.requests == []


def test_what_answers_may_not_hold_is_taken_out_and_the_clients_own_values_are_put_back(
    outside: CaptureServer, tmp_path: Path
) -> None:
    outside.clear()

    def answer(request: Recorded) -> Answer:
        (own,) = set(_PLACEHOLDER.findall(request.body.decode()))
        return events(*words("You are ", own, ", and ask o.neill@", "elsewhere-mail.ie about it."))

    outside.always(answer)
    policy = (SHIPPED / "masked.yaml").read_text().replace("# scan_answer: confidential", "scan_answer: confidential")
    (tmp_path / "strict-answers.yaml").write_text(policy)
    config = {"backends": [large(outside)], "policy": {"path": "strict-answers.yaml"}, "local": {"engine": "canned"}}
    with serving(tmp_path, config) as gateway:
        text = gateway.ask(f"Who is {PLANTED['email']}?", model="large").json()["choices"][0]["message"]["content"]
    assert text == f"You are {PLANTED['email']}, and ask [redacted: email] about it."

"""Marked values wherever a user, a vendor or an operator can put text, looked for wherever text must not get.

One gateway with everything switched on that writes: JSON log at level debug, audit log, Valkey, metrics. It gets a
marked request of each kind; then every file it left, every key and value of Valkey, the metrics and every refusal it
answered are searched for the markers, as they are and in the usual disguises.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.capture import CaptureServer, completion, error, event, events, words
from tests.support.planting import Asker, Found, mark
from tests.support.serving import serving
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import wait_for

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
IBAN = "DE89 3704 0044 0532 0130 00"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


MARKS: dict[str, str] = {}


def planted(place: str) -> str:
    MARKS[place] = mark(place)
    return MARKS[place]


APP_KEY = f"sk-gw-{planted('the app key')}"
VENDOR_KEY = f"sk-{planted('the vendor key')}"
UNICODE = f"Jürgen {planted('unicode')} Nuñez 北京"


# ── What is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def bodies() -> Iterator[dict[str, Any]]:
    """Requests with a mark in every part of a body. Hard ones go out, private ones stay."""
    for private in ("", f" My IBAN is {IBAN}."):
        kind = "private" if private else "public"

        def m(place: str, kind: str = kind) -> str:
            return planted(f"{kind} {place}")

        call = {"id": m("call id"), "type": "function", "function": {"name": "look", "arguments": m("arguments")}}
        yield {
            "messages": [
                {"role": "system", "content": m("system prompt")},
                {"role": "user", "content": f"{m('prompt')} {UNICODE}", "name": m("name")},
                {"role": "assistant", "content": m("earlier answer"), "tool_calls": [call]},
                {"role": "tool", "tool_call_id": mark(f"{kind} call id"), "content": m("tool result")},
                {"role": "user", "content": [{"type": "text", "text": HARD + private + m("text part")}]},
            ],
            "user": m("user"),
            "metadata": {m("metadata key"): m("metadata value"), "nested": {m("deep key"): [IBAN if private else "x"]}},
            "stop": [m("stop")],
            m("unknown field"): m("unknown value"),
            "temperature": 0.1,
        }
        yield {
            "messages": [{"role": "user", "content": HARD + private + m("prompt with tools")}],
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "look",
                        "description": m("tool description"),
                        "parameters": {
                            "type": "object",
                            "properties": {m("property"): {"type": "string", "enum": [IBAN if private else "a"]}},
                        },
                    },
                }
            ],
            "prediction": {"type": "content", "content": m("prediction")},
        }
        yield {
            "messages": [{"role": "user", "content": [{"type": "text", "text": m("beside an image")}, IMAGE]}],
            "model": "large",
        }
        yield {"messages": [{"role": "user", "content": HARD + private + m("prompt by name")}], "model": "large"}
        yield {
            "messages": [{"role": "user", "content": f"Rispondi in italiano, per favore: {m('in Italian')}{private}"}],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "x", "schema": {"title": m("schema title"), "type": "object"}},
            },
        }


def broken_bodies() -> dict[str, bytes]:
    message = {"role": "user", "content": planted("valid message beside a mistake")}
    fields: dict[str, Any] = {
        "role": {"messages": [{"role": planted("a role"), "content": "x"}]},
        "content": {"messages": [{"role": "user", "content": {planted("content key"): planted("content value")}}]},
        "part type": {"messages": [{"role": "user", "content": [{"type": planted("part type"), "text": "x"}]}]},
        "temperature": {"messages": [message], "temperature": planted("temperature")},
        "max_tokens": {"messages": [message], "max_tokens": planted("max_tokens")},
        "stop": {"messages": [message], "stop": {planted("stop key"): 1}},
        "tools": {"messages": [message], "tools": [{"type": "function", "function": planted("function")}]},
        "tool call": {"messages": [{"role": "tool", "tool_call_id": planted("stray call"), "content": "x"}]},
        "bias": {"messages": [message], "logit_bias": {planted("bias key"): planted("bias value")}},
        "format": {"messages": [message], "response_format": {"type": planted("format")}},
        "choice": {"messages": [message], "tool_choice": planted("choice")},
        "functions": {"messages": [message], "functions": [{"name": planted("old function")}], "model": "large"},
        "stream options": {"messages": [message], "stream_options": planted("stream options")},
    }
    raw = {name: json.dumps({"model": "auto", **body}).encode() for name, body in fields.items()}
    raw["not JSON"] = b'{"model": "auto", "messages": ' + planted("cut JSON").encode()
    raw["not UTF-8"] = b'{"model": "auto", "messages": "\xff' + planted("bad UTF-8").encode() + b'"}'
    raw["a list"] = json.dumps([planted("a list")]).encode()
    raw["a string"] = json.dumps(planted("a string")).encode()
    raw["half a character"] = b'{"model": "auto", "messages": [{"role": "user", "content": "\\ud800 %b"}]}' % (
        planted("half a character").encode()
    )
    raw["twice a key"] = b'{"model": "auto", "messages": "%b", "messages": [{"role": "user", "content": "x"}]}' % (
        planted("first of two").encode()
    )
    raw["huge number"] = b'{"model": "auto", "seed": 1e999, "messages": [{"role": "user", "content": "%b"}]}' % (
        planted("beside a huge number").encode()
    )
    raw["deep"] = b'{"model": "auto", "messages": ' + b"[" * 3000 + planted("deep").encode()
    return raw


def upstream_answers() -> Iterator[Any]:
    """What a vendor may say, each with marks of its own: it may quote the prompt anywhere."""
    for status in (400, 401, 403, 404, 422, 429, 500, 503):
        where = f"upstream {status}"
        told = planted(f"{where} message")
        yield error(status, told, code=planted(f"{where} code"), x_vendor=planted(f"{where} header"))
    yield error(400, planted("too long message"), code="context_length_exceeded")
    yield completion("ok").but(pieces=(planted("no JSON").encode(),), framing="length")
    yield completion("ok").but(pieces=(json.dumps({"choices": planted("odd choices")}).encode(),), framing="length")
    yield completion("ok", finish=planted("odd finish"), model=planted("upstream model"))
    yield completion(None, message={"tool_calls": planted("odd tool calls")})
    yield completion("ok", usage=None, message={planted("message key"): planted("message value")})
    yield events({"error": {"message": planted("event error"), "code": planted("event code"), "type": "x"}})
    yield events(event({"content": "Hel"}), b"{" + planted("broken event").encode())
    yield events(event({"content": planted("half an answer")}), done=False).but(end="cut")
    yield events(event({"content": 5, "role": planted("odd role")}), *words("x"))
    yield events(*words("x"), {planted("event key"): planted("event value")})


# ── One run, searched for everything ────────────────────────────────────────────────────────────────────────────────


def ask_everything(ask: Asker, outside: CaptureServer) -> None:
    for body in bodies():
        for streamed in (False, True):
            outside.answer(
                events(*words(planted("streamed answer"))) if streamed else completion(planted("whole answer"))
            )
            ask.chat({**body, "stream": streamed})
            outside.clear()
        routed = ask("POST", "/v1/route", json={"model": "auto", **body})
        ask.told.append(routed.content)  # it answers nothing, so even where it succeeds it may repeat nothing
    for raw in broken_bodies().values():
        ask.chat(raw)
        ask("POST", "/v1/route", content=raw)
    for answer in upstream_answers():
        outside.answer(answer)
        told = planted(f"prompt for {answer.status} {answer.pieces[:1]!r}")
        stream = answer.headers.get("content-type") == "text/event-stream"
        ask.chat({"messages": [{"role": "user", "content": f"{HARD} {told}"}], "stream": stream, "model": "large"})
        outside.clear()


def ask_in_odd_ways(ask: Asker) -> None:
    plain = {"messages": [{"role": "user", "content": "Hello"}]}
    for name in (
        "x-conversation-id", "x-request-id", "user-agent", "cookie", "x-forwarded-for", "referer", "traceparent",
        "openai-organization", "idempotency-key", "x-session-id", "cache-control",
    ):  # fmt: skip
        ask.chat(plain, headers={name: planted(f"header {name}")})
    ask.chat(plain, headers={"x-gateway-sensitivity": planted("sensitivity")})
    ask.chat(plain, headers={"authorization": f"Bearer {planted('a wrong key')}"})
    ask.chat(plain, headers={"authorization": f"{planted('a wrong scheme')} x"})
    ask.chat(plain, headers={"origin": f"https://{planted('origin')}.example"})
    ask.chat(plain, headers={"content-encoding": planted("encoding")})
    ask.chat(plain, headers={"content-type": f"text/{planted('type')}"})
    ask("GET", f"/v1/{planted('path')}")
    ask("GET", f"/readyz?zone={planted('zone')}")
    ask("PUT", f"/v1/chat/completions?x={planted('query')}")
    ask("POST", "/v1/embeddings", json={"model": "x", "input": planted("embedding")})
    # The name of a model that is not there is told back to whoever sent it, and to nobody else.
    ask.chat({**plain, "model": planted("model name")}, keep=False)
    ask("GET", f"/v1/models/{planted('model path')}", keep=False)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("gateway")
    found = Found()
    with CaptureServer() as outside, valkey(tmp_path_factory.mktemp("valkey")) as server:
        with serving(folder, _config(outside, server), env=_environment()) as gateway:
            ask = Asker(gateway, found, APP_KEY)
            ask_everything(ask, outside)
            ask_in_odd_ways(ask)
            numbers = itertools.count()

            def stored() -> bool:
                """Each answer within 50 ms, or it is not: a few have to be."""
                told = planted(f"to be stored {next(numbers)}")
                ask.chat({"messages": [{"role": "user", "content": f"{HARD} {told}"}]})
                return server.everything().count(b"\n") > 5

            wait_for(stored)
            assert {200, 400, 401, 404, 405, 415} <= set(ask.statuses)
            assert 500 not in ask.statuses, [name for name in found.sinks if name.endswith("→ 500")]
            for path in ("/metrics", "/readyz", "/v1/models", "/openapi.json"):
                found.sinks[path] = ask("GET", path, keep=False).content
            found.sinks["Valkey"] = server.everything()
            found.sinks["/v1/route"] = b"\n".join(ask.told)
            gateway.stop()
        found.sinks["Valkey's log"] = (server.folder / "valkey.log").read_bytes()
    for file in folder.rglob("*"):
        if file.is_file() and file.name != "gateway.yaml":
            found.sinks[str(file.relative_to(folder))] = file.read_bytes()
    return found


def _config(outside: CaptureServer, server: ValkeyServer) -> dict[str, Any]:
    key = {"name": "app", "hash": "sha256:" + hashlib.sha256(APP_KEY.encode()).hexdigest()}
    return {
        "auth": {"mode": "keys", "keys": [key]},
        "backends": [
            {
                "name": "large",
                "zone": "remote",
                "base_url": outside.base_url,
                "model": "capture-1",
                "api_key_env": "PLANTED_KEY",
            }
        ],
        "cache": {"url": server.url},
        "log": {"level": "debug", "format": "json"},
    }


def _environment() -> dict[str, str]:
    return {"GATEWAY_LOCAL": "canned", "PLANTED_KEY": VENDOR_KEY, "PYTHONASYNCIODEBUG": "1"}


def test_the_search_finds_what_is_there_in_every_disguise() -> None:
    word = mark("a test of the test")
    for text in (
        word,
        word.upper(),
        base64.b64encode(f"a {word} b".encode()).decode(),
        base64.b64encode(f"ab {word}, more".encode()).decode(),
        base64.b64encode(f"abc {word} more".encode()).decode(),
        word.encode().hex(),
    ):
        assert Found({"sink": text.encode()}).places(word), text
    assert Found({"sink": json.dumps(UNICODE).encode()}).places(UNICODE)
    assert Found({"sink": urllib.parse.quote(UNICODE).encode()}).places(UNICODE)


def test_every_sink_was_written(found: Found) -> None:
    names = set(found.sinks)
    assert found.sinks["/v1/route"].count(b'"kinds"') > 8
    assert {"stderr.log", "/metrics", "Valkey", "var/audit/head", "var/audit/public.pem"} <= names
    assert any(re.fullmatch(r"var/audit/.*\.jsonl", name) for name in names)
    assert any(name.startswith("var/audit/policies/") for name in names)
    assert found.sinks["Valkey"].count(b"\n") > 5
    assert found.sinks["stderr.log"].count(b'"event":"request"') > 40
    assert found.sinks["stderr.log"].count(b'"event":"backend_failed"') > 5


def test_no_mark_is_found_in_any_sink(found: Found) -> None:
    assert len(MARKS) > 100
    leaks = {place: places for place, word in MARKS.items() if (places := found.places(word))}
    assert leaks == {}


@pytest.mark.parametrize(
    "value", [UNICODE, IBAN, IBAN.replace(" ", ""), "Jürgen", "Nuñez", "北京", "square root of 2 is irr"]
)
def test_no_plain_text_of_a_request_is_found_in_any_sink(found: Found, value: str) -> None:
    started = {name: content for name, content in found.sinks.items() if name != "stderr.log"}
    started["stderr.log"] = b"\n".join(
        line for line in found.sinks["stderr.log"].splitlines() if line.startswith(b"{")
    )  # the banner gives an example
    assert Found(started).places(value) == []


def test_a_finding_under_a_users_own_key_is_placed_by_number(found: Found) -> None:
    records = [
        json.loads(line)
        for name, content in found.sinks.items()
        if name.endswith(".jsonl")
        for line in content.splitlines()
    ]
    paths = {each["path"] for record in records if record["event"] == "decided" for each in record["facts"]["findings"]}
    assert "$.metadata~value[1]~value[0][0]" in {path.replace(".nested", "~value[1]") for path in paths} | paths
    assert all(re.fullmatch(r"[$\w.\[\]~]+", path) for path in paths)
    attempts = [record["facts"]["dropped"] for record in records if record["event"] == "attempt"]
    assert any("?" in dropped and "metadata" in dropped for dropped in attempts)


def test_nothing_but_the_vendor_got_the_vendors_key_and_nobody_the_apps(tmp_path: Path) -> None:
    with CaptureServer() as outside, valkey(tmp_path) as server:
        with serving(tmp_path, _config(outside, server), env=_environment()) as gateway:
            Asker(gateway, Found(), APP_KEY).chat({"messages": [{"role": "user", "content": HARD}]})
        assert VENDOR_KEY.encode() in outside.received
        assert APP_KEY.encode() not in outside.received

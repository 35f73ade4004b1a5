"""The same search where texts are changed on their way: replaced, restored, redacted, remembered, read out of files.

One gateway that masks what leaves, scans answers, remembers in Valkey, reads files and knows words of its own. Marked
values of kinds that are found stand in requests and answers; the house's own words are marked, too. No sink holds one,
and of the values that are replaced not one reached the vendor.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.capture import CaptureServer, completion, event, events, words
from tests.support.files import docx
from tests.support.planting import Asker, Found, mark
from tests.support.serving import Serving, serving
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import wait_for

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
IBAN = "DE89 3704 0044 0532 0130 00"
CARD = "4539 1488 0343 6467"
MARKS: dict[str, str] = {}
MAILS: dict[str, str] = {}
"""Those of the marks that are in addresses which a transform has to replace."""


def planted(place: str) -> str:
    MARKS[place] = mark(place)
    return MARKS[place]


def mail(place: str) -> str:
    MAILS[place] = planted(place)
    return f"{MAILS[place]}@studio-ferraris.it"


APP_KEY = f"sk-gw-{planted('the app key')}"
OWN_WORD = planted("a word of the house")
OWN_ALLOWED = f"{planted('a value that is allowed')}@studio-ferraris.it"
OWN_FIELD = planted("a field of the house")
POLICY = f"""
name: changing
scan_answer: confidential
permit:
  - {{name: hard, zone: remote, with: pseudonymise,
     when: {{sensitivity: {{at_most: confidential}}, complexity: {{at_least: 0.55}}}}}}
  - {{name: named, zone: remote, with: pseudonymise, when: {{sensitivity: {{at_most: confidential}}, named: true}}}}
forbid:
  - {{name: ours, zone: remote, when: {{kinds: [our_project]}}}}
detect:
  our_project: {{category: confidential, words: [{OWN_WORD}]}}
  our_customer: {{category: contact, fields: [{OWN_FIELD}], pattern: 'ZQ-[0-9]{{6}}'}}
allow:
  values: [{{values: ['{OWN_ALLOWED}'], kinds: [email]}}]
"""


# ── What is asked ───────────────────────────────────────────────────────────────────────────────────────────────────


def file(place: str, data: bytes, ending: str) -> dict[str, Any]:
    encoded = base64.b64encode(data).decode()
    part = {"type": "file", "file": {"file_data": encoded, "filename": f"{planted(f'{place} name')}.{ending}"}}
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": HARD}, part]}], "model": "large"}


def files() -> Iterator[dict[str, Any]]:
    yield file("a document", docx(f"{IBAN} {mail('in a document')} {planted('in a document, plain')}"), "docx")
    yield file("a damaged document", docx(planted("in a damaged document"))[:-30], "docx")
    yield file("a text", f"{IBAN} {mail('in a text')} {planted('in a text, plain')}".encode(), "txt")
    yield file("no PDF", b"%PDF-1.7\n" + planted("in no PDF").encode(), "pdf")
    yield file("something else", planted("in something else").encode(), "bin")


def masked() -> Iterator[dict[str, Any]]:
    """What leaves with placeholders in it."""
    arguments = json.dumps({mail("a key"): mail("arguments")})
    call = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": arguments}}
    result = json.dumps({"mail": mail("result"), "seen": "ZQ-123456"})
    yield {
        "messages": [
            {"role": "system", "content": f"Write to {mail('system')}."},
            {"role": "user", "content": f"I am {mail('user')}, and {mail('user')} again. {IBAN}"},
            {"role": "assistant", "content": f"Told {mail('history')}.", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": result},
            {"role": "user", "content": HARD},
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": f"Ask {mail('a tool')}."}}],
    }


def kept() -> Iterator[dict[str, Any]]:
    """What stays, for this reason and that."""
    yield {"messages": [{"role": "user", "content": f"{CARD} {planted('beside a card')} {HARD}"}]}
    yield {"messages": [{"role": "user", "content": f"{OWN_WORD} {planted('beside our word')} {HARD}"}]}
    yield {"messages": [{"role": "user", "content": f"{HARD} {OWN_WORD}"}], "model": "large"}
    yield {"messages": [{"role": "user", "content": f"Докажите, что простых чисел много. {planted('in Russian')}"}]}
    yield {"messages": [{"role": "user", "content": HARD}], "metadata": {OWN_FIELD: planted("in our field")}}
    yield {"messages": [{"role": "user", "content": f"{HARD} {IBAN[:-4]}"}, {"role": "user", "content": IBAN[-4:]}]}


def answers(placeholder: str) -> Iterator[Any]:
    """What a vendor may make of it, whole and streamed: values of its own, placeholders well and badly copied."""
    own = f"Write to {mail('made up by the vendor')}, not to {placeholder}. Or to {placeholder[:-2]}. Yes. "
    yield completion(own + planted("said by the vendor"))
    yield events(*words(*(own[at : at + 5] for at in range(0, len(own), 5)), planted("streamed by the vendor")))
    arguments = json.dumps({"to": placeholder, "cc": mail("called by the vendor")})
    call = {"index": 0, "id": "call_9", "type": "function", "function": {"name": "look", "arguments": arguments}}
    yield events(event({"role": "assistant", "tool_calls": [call]}), event({}, finish="tool_calls"))
    yield events(*words(f"It is {placeholder}. Then ")[:2], done=False).but(end="cut")
    yield events(*words("Good. So.")[:2], b"{" + planted("broken by the vendor").encode(), done=False)


def ask_everything(ask: Asker, outside: CaptureServer) -> None:
    for body in (*files(), *kept()):
        ask.chat(body)
        ask.chat({**body, "stream": True})
    for body in masked():
        # Now, or once the memory of answers has said within its 50 ms that nothing comes back with it.
        wait_for(lambda body=body: ask.chat(body).headers["x-gateway-zone"] == "remote")
        placeholder = re.findall(r"\[EMAIL_\d+_[a-z0-9]{4}\]", outside.requests[-1].body.decode())[0]
        for answer in answers(placeholder):
            outside.answer(answer)
            ask.chat({**body, "stream": answer.headers.get("content-type") == "text/event-stream"})


def bring_back(ask: Asker, found: Found, memory: ValkeyServer) -> None:
    """What an answer was made from is remembered, and asked for when there is nobody to ask."""
    private = f"My address is {mail('remembered')}, my account {IBAN}. {OWN_WORD}"
    given = ask.chat({"messages": [{"role": "user", "content": private}]}).json()["choices"][0]["message"]
    said = {"role": "assistant", "content": given["content"]}
    ask.chat({"messages": [said, {"role": "user", "content": f"{HARD} {planted('after an answer')}"}]})

    def written() -> bool:
        """Within 50 ms of the answer, or with a later request."""
        ask.chat({"messages": [{"role": "user", "content": "Hello"}]})
        return b"slmgw:taint:" in everything(memory)

    wait_for(written)
    found.sinks["Valkey"] = everything(memory)
    memory.stop()
    other = {"role": "assistant", "content": f"{planted('an answer of another gateway')} was said before this. " * 4}
    ask.chat({"messages": [other, {"role": "user", "content": f"{HARD} {planted('while the memory is down')}"}]})
    memory.start()


INSPECT = ["inspect", "--config", "gateway.yaml"]
COMMANDS: dict[str, tuple[list[str], bytes]] = {
    "inspect": (INSPECT, f"{planted('inspected')} {IBAN} {OWN_WORD}".encode()),
    "inspect --explain": ([*INSPECT, "--explain"], f"{mail('explained')} {OWN_WORD}".encode()),
    "inspect, damaged": ([*INSPECT, "--jsonl"], b'{"id": 1, "text": "' + planted("cut line").encode()),
    "inspect, odd": ([*INSPECT, "--jsonl"], json.dumps({planted("odd line"): 1}).encode()),
    "check": (["check", "policy.yaml"], b""),
    "selfcheck": (["selfcheck", "--config", "gateway.yaml", "--seed", "7"], b""),
    "audit": (["audit", "show", "var/audit", "--json"], b""),
}


def run_commands(folder: Path, found: Found) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    for name, (arguments, told) in COMMANDS.items():
        result = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments], cwd=folder, env=environment, input=told,
            capture_output=True, timeout=300,
        )  # fmt: skip
        assert b"Traceback" not in result.stderr, name
        found.sinks[f"output of {name}"] = result.stdout
        found.sinks[f"errors of {name}"] = result.stderr


# ── One run ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def outside() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


@pytest.fixture(scope="module")
def found(outside: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder, found = tmp_path_factory.mktemp("gateway"), Found()
    (folder / "policy.yaml").write_text(POLICY)
    with valkey(tmp_path_factory.mktemp("valkey")) as memory:
        with serving(folder, _config(outside, memory), env={"PYTHONASYNCIODEBUG": "1"}) as gateway:
            ask = Asker(gateway, found, APP_KEY)
            ask_everything(ask, outside)
            bring_back(ask, found, memory)
            assert 500 not in ask.statuses
            _reload_broken(gateway, folder)
            for path in ("/metrics", "/readyz", "/v1/models"):
                found.sinks[path] = ask("GET", path, keep=False).content
            (folder / "policy.yaml").write_text(POLICY)
            gateway.stop()
        run_commands(folder, found)
    for left in folder.rglob("*"):
        # The policy is the operator's own file, and its copies beside the log are what `gateway why` decides by.
        if left.is_file() and left.name not in {"gateway.yaml", "policy.yaml"} and left.parent.name != "policies":
            found.sinks[str(left.relative_to(folder))] = left.read_bytes()
    return found


def _config(outside: CaptureServer, memory: ValkeyServer) -> dict[str, Any]:
    key = {"name": "app", "hash": "sha256:" + hashlib.sha256(APP_KEY.encode()).hexdigest()}
    remote = {"name": "large", "zone": "remote", "base_url": outside.base_url, "model": "capture-1"}
    return {
        "auth": {"mode": "keys", "keys": [key]},
        "backends": [remote],
        "local": {"engine": "canned"},
        "policy": {"path": "policy.yaml", "watch_s": 0.05},
        "cache": {"url": memory.url},
        "taint": {"url": memory.url},
        "log": {"level": "debug", "format": "json"},
    }


def _reload_broken(gateway: Serving, folder: Path) -> None:
    """Own words that are wrong: the log and `/readyz` say where, not what."""
    for number, wrong in enumerate(
        ("pattern: '({}+)+b'", "words: [{}, 7]", "words: {}", "checksum: luhn, words: [{}]")
    ):
        told = wrong.format(planted(f"wrong rule {number}"))
        seen = gateway.log().count("policy_refused")
        (folder / "fresh.yaml").write_text(POLICY.replace(f"words: [{OWN_WORD}]", told))
        (folder / "fresh.yaml").replace(folder / "policy.yaml")
        wait_for(lambda seen=seen: gateway.log().count("policy_refused") > seen)


def everything(memory: ValkeyServer) -> bytes:
    """All keys and values, those of streams and sorted sets included."""
    told: list[bytes] = []
    with memory.client() as client:
        for key in client.scan_iter():
            told.append(key)
            if client.type(key) == b"stream":
                told += [value for _, fields in client.xrange(key) for value in fields.values()]
            elif client.type(key) == b"zset":
                told += client.zrange(key, 0, -1)
            else:
                told.append(client.get(key) or b"")
    return b"\n".join(told)


def test_every_sink_was_written(found: Found) -> None:
    assert {"stderr.log", "/metrics", "/readyz", "Valkey", "output of inspect", "output of selfcheck"} <= set(
        found.sinks
    )
    assert b"slmgw:taint:" in found.sinks["Valkey"]
    assert found.sinks["stderr.log"].count(b'"event":"request"') > 20
    assert found.sinks["stderr.log"].count(b"policy_refused") >= 4
    log = b"".join(content for name, content in found.sinks.items() if name.endswith(".jsonl"))
    for happened in (
        b'"replaced":',
        b'"unrestored":',
        b"our_project",
        b'"remembered":true',
        b'"script"',
        b'"taint_unavailable"',
    ):
        assert happened in log, happened


def test_no_mark_is_found_in_any_sink(found: Found) -> None:
    assert len(MARKS) > 40
    leaks = {place: places for place, word in MARKS.items() if (places := found.places(word))}
    assert leaks == {}


@pytest.mark.parametrize("value", [IBAN, IBAN.replace(" ", ""), CARD, "ZQ-123456"])
def test_no_number_is_found_in_any_sink(found: Found, value: str) -> None:
    sinks = {name: content for name, content in found.sinks.items() if "selfcheck" not in name}
    sinks["stderr.log"] = b"\n".join(line for line in sinks["stderr.log"].splitlines() if line.startswith(b"{"))
    assert Found(sinks).places(value) == []


def test_of_what_is_replaced_nothing_reached_the_vendor(found: Found, outside: CaptureServer) -> None:
    assert len(MAILS) > 10
    sent = Found({"outside": b"\n".join(request.body for request in outside.requests)})
    assert len(outside.requests) > 5
    assert {place for place, word in MAILS.items() if sent.places(word)} == set()
    for value in (IBAN, CARD, "ZQ-123456", OWN_WORD):
        assert sent.places(value) == []


def test_no_placeholder_and_no_tag_is_found_in_any_sink(found: Found, outside: CaptureServer) -> None:
    """A tag is the same for all turns of a conversation: whoever read it could write placeholders that are restored."""
    tags = {tag for request in outside.requests for tag in re.findall(rb"\[[A-Z_]+_\d+_([a-z0-9]{4})\]", request.body)}
    assert tags
    written = re.compile(rb"_\d+_(?:" + b"|".join(sorted(tags)) + rb")(?![a-z0-9])")
    assert [name for name, content in found.sinks.items() if written.search(content)] == []

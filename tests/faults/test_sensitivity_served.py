"""Which way the privacy of a request fails in a running gateway: the rules of `test_sensitivity.py` that need one.

Outside stands a server that keeps every byte it gets; beside it a detector and a Valkey that a test may break.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.capture import CaptureServer, completion, event, events, sse, words
from tests.support.detectors import DetectorServer, detector_server, spans_of
from tests.support.serving import Serving, serving
from tests.support.valkey import ValkeyServer, valkey
from tests.support.waiting import PATIENCE_S, wait_for

ROOT = Path(__file__).parents[2]
HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
IBAN = "DE89 3704 0044 0532 0130 00"
CARD = "4539 1488 0343 6467"
RESTRICTED = f"My card is {CARD}. {HARD}"
CANNED = {"GATEWAY_LOCAL": "canned"}
POLICY = """
name: faults
scan_answer: confidential
permit:
  - {name: hard, zone: remote, with: pseudonymise,
     when: {sensitivity: {at_most: confidential}, complexity: {at_least: 0.55}}}
  - {name: named, zone: remote, with: pseudonymise, when: {sensitivity: {at_most: confidential}, named: true}}
forbid:
  - {name: ours, zone: remote, when: {kinds: [our_project]}}
detect:
  our_project: {category: confidential, words: [Nordlicht]}
"""


def backend(server: CaptureServer) -> dict[str, Any]:
    return {"name": "large", "zone": "remote", "wire": "openai", "base_url": server.base_url, "model": "capture-1"}


@dataclass
class World:
    """A gateway and what stands around it."""

    gateway: Serving
    outside: CaptureServer
    tier: DetectorServer
    memory: ValkeyServer

    def stays(self, text: str = HARD, **more: Any) -> httpx.Response:
        """Nothing left, whatever the answer."""
        self.outside.clear()
        answer = self.gateway.ask(text, **more)
        assert answer.headers.get("x-gateway-zone") in {None, "local"}, answer.text
        assert self.outside.received == b""
        return answer

    def leaves(self, text: str = HARD, **more: Any) -> httpx.Response:
        """Now, or once the memory of answers has said within its 50 ms that nothing comes back with it."""

        def left() -> httpx.Response | None:
            answer = self.gateway.ask(text, **more)
            assert answer.status_code == 200, answer.text
            return answer if answer.headers["x-gateway-zone"] == "remote" else None

        answer = wait_for(left)
        assert answer is not None
        return answer

    def streamed(self, text: str = HARD, **more: Any) -> list[str]:
        body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": text}], **more}
        answer = self.gateway.post(body)
        return [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "policy.yaml").write_text(POLICY)
    with CaptureServer() as outside, detector_server() as tier, valkey(tmp_path_factory.mktemp("valkey")) as memory:
        config = {
            "backends": [backend(outside)],
            "policy": {"path": "policy.yaml", "watch_s": 0.05},
            "cache": {"url": "off://"},
            "taint": {"url": memory.url},
            "detect": {"http": {"url": tier.url, "kinds": {"person": "person"}, "deadline_ms": 20_000}},
        }
        with serving(folder, config, env=CANNED) as gateway:
            yield World(gateway, outside, tier, memory)


@pytest.fixture
def world(shared: World) -> Iterator[World]:
    shared.outside.clear()
    yield shared
    shared.tier.answer = spans_of


def failing_over(word: str) -> Callable[[list[str]], tuple[int, bytes]]:
    """A detector that is good but for texts with `word` in them."""
    return lambda texts: (503, b"") if any(word in text for text in texts) else spans_of(texts)


# ── 1, 2 An optional detector, behind its real adapter ──────────────────────────────────────────────────────────────


def saying(texts: list[str], **span: Any) -> tuple[int, bytes]:
    found = {"start": 0, "end": 1, "kind": "person", "confidence": 1, **span}
    return 200, json.dumps({"findings": [[found] for _ in texts]}).encode()


ANSWERS: dict[str, Callable[[list[str]], tuple[int, bytes]]] = {
    "an error": lambda texts: (500, b"no"),
    "no JSON": lambda texts: (200, b"<html>"),
    "too few": lambda texts: (200, b'{"findings": []}'),
    "a span outside the text": lambda texts: (
        200,
        json.dumps(
            {"findings": [[{"start": 0, "end": 10**6, "kind": "person", "confidence": 1}]] * len(texts)}
        ).encode(),
    ),
    "a kind that was not promised": lambda texts: (
        200,
        json.dumps({"findings": [[{"start": 0, "end": 1, "kind": "nothing", "confidence": 1}]] * len(texts)}).encode(),
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
def test_rule_01_a_detector_that_answers_nonsense_keeps_everything_here(
    world: World, answer: Callable[[list[str]], tuple[int, bytes]]
) -> None:
    world.tier.answer = answer
    kept = world.stays()
    unread = world.gateway.of(kept.headers["x-request-id"])[0]["facts"]["unreadable"]
    assert [each["reason"] for each in unread] == ["detector_failed"]
    world.tier.answer = spans_of
    world.leaves()


def test_the_door_keeps_here_what_cannot_be_scanned_once_it_is_changed(world: World) -> None:
    world.tier.answer = failing_over("[IBAN")
    world.stays(f"Why would {IBAN} be refused? {HARD}")
    world.tier.answer = spans_of
    world.leaves(f"Why would {IBAN} be refused? {HARD}")
    assert b"3704" not in world.outside.received


def test_a_guard_that_cannot_scan_an_answer_shows_nothing_of_it(world: World) -> None:
    world.tier.answer = failing_over("marzipan")
    good, bad = "The first thing is true. ", f"Then there is marzipan for {IBAN}. "
    world.outside.answer(events(*words(good, good, bad, bad)))
    data = "".join(world.streamed())
    assert "first thing" in data
    assert "marzipan" not in data
    assert "3704" not in data
    assert "redacted: unreadable" in data


# ── 3 The rules ─────────────────────────────────────────────────────────────────────────────────────────────────────


def start(folder: Path, **config: Any) -> subprocess.CompletedProcess[str]:
    """`gateway serve`, which is expected to give up."""
    (folder / "gateway.yaml").write_text(yaml.safe_dump({"backends": [], "local": {"engine": "canned"}, **config}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    arguments = [sys.executable, "-m", "gateway", "serve", "--config", "gateway.yaml", "--port", "0"]
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


def gave_up(result: subprocess.CompletedProcess[str], *says: str) -> None:
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert result.stderr.strip().count("\n") == 0
    for word in says:
        assert word in result.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A copy of the package that a test may damage, in the folder that the gateway is started from."""
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway", copy_function=os.symlink)
    shutil.copytree(ROOT / "policies", tmp_path / "policies", copy_function=os.symlink)
    return tmp_path


def replaced(folder: Path, name: str, change: Callable[[bytes], bytes] | None) -> None:
    file = folder / "gateway" / "detect" / name
    content = file.read_bytes()
    file.unlink()
    if change is not None:
        file.write_bytes(change(content))


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes] | None]] = {
    "no kinds": ("data/kinds.toml", None),
    "half of the kinds": ("data/kinds.toml", lambda content: content[: len(content) // 2] + b"["),
    "secrets that are no JSON": ("data/secrets.json", lambda content: content[:-10]),
    "no weights": ("tagger/weights.npz", None),
    "one bit of the weights": ("tagger/weights.npz", flipped),
    "no card of the weights": ("tagger/card.json", None),
}


@pytest.mark.parametrize(("name", "change"), DAMAGE.values(), ids=DAMAGE.keys())
def test_rule_03_a_gateway_whose_rules_are_missing_or_damaged_does_not_start(
    installed: Path, name: str, change: Callable[[bytes], bytes] | None
) -> None:
    replaced(installed, name, change)
    gave_up(start(installed), "detector's rules are missing or damaged")


def test_rule_03_a_rule_that_is_not_what_was_installed_ends_the_start(installed: Path) -> None:
    """Valid rules, one of which finds nothing any more: only the installer's list of digests knows."""
    record = installed / "slm_gateway-0.1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: slm-gateway\nVersion: 0.1.0\n")
    names = ["gateway/detect/data/kinds.toml", "gateway/detect/data/secrets.json", "gateway/detect/tagger/weights.npz"]
    digests = [base64.urlsafe_b64encode(hashlib.sha256((installed / name).read_bytes()).digest()) for name in names]
    lines = [f"{name},sha256={digest.decode().rstrip('=')},1" for name, digest in zip(names, digests, strict=True)]
    (record / "RECORD").write_text("\n".join(lines) + "\n")
    replaced(installed, "data/kinds.toml", lambda content: content.replace(b"kind = ", b"kind  = ", 1))
    gave_up(start(installed), "kinds.toml is not the file that was installed")


# ── 4, 15 The policy ────────────────────────────────────────────────────────────────────────────────────────────────

BROKEN = {
    "not YAML": "permit: [",
    "unknown key": POLICY + "permits: []\n",
    "a rule of its own that is no pattern": POLICY + "  another: {category: contact, pattern: '(a+)+b'}\n",
    "a permit with a lower bound on findings": "name: x\npermit: [{name: a, zone: remote, when: "
    "{sensitivity: {at_least: internal}}}]\n",
    "monitoring": POLICY + "mode: monitor\n",
}


@pytest.mark.parametrize("which", ["not YAML", "a rule of its own that is no pattern"])
def test_rule_04_a_gateway_does_not_start_under_a_policy_that_does_not_parse(tmp_path: Path, which: str) -> None:
    (tmp_path / "policy.yaml").write_text(BROKEN[which])
    gave_up(start(tmp_path, policy={"path": "policy.yaml"}), "policy.yaml")


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_rule_04_a_broken_change_leaves_the_old_policy_and_its_own_rules_in_force(world: World, content: str) -> None:
    file = world.gateway.folder / "policy.yaml"
    file.write_text(content)
    try:
        wait_for(lambda: "warning" in state(world))
        world.stays(f"Tell me about Nordlicht. {HARD}")
        world.stays(RESTRICTED)
        world.leaves()
    finally:
        file.write_text(POLICY)
    wait_for(lambda: "warning" not in state(world))


def test_rule_15_no_policy_can_ask_to_be_watched_instead_of_kept(tmp_path: Path) -> None:
    """`mode` is no word of a policy at all: at a start and, above, at a change."""
    (tmp_path / "policy.yaml").write_text(BROKEN["monitoring"])
    gave_up(start(tmp_path, policy={"path": "policy.yaml"}), "policy.yaml: mode: policies are enforced")


def state(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.gateway.get("/readyz").json()["parts"]["policy"]
    return found


# ── 5 A body that nobody can read ───────────────────────────────────────────────────────────────────────────────────

BODIES = {
    "cut off": b'{"model": "large", "messages": [{"role": "user", "content": "DE89',
    "not UTF-8": b'{"model": "large", "messages": [{"role": "user", "content": "\xff"}]}',
    "a list": b'["large"]',
    "nothing": b"",
    "half a character": b'{"model": "large", "messages": [{"role": "user", "content": "\\ud800"}]}',
    "messages that are none": b'{"model": "large", "messages": {"role": "user"}}',
    "an unknown part": b'{"model": "large", "messages": [{"role": "user", "content": [{"type": "hologram"}]}]}',
    "an unknown role": b'{"model": "large", "messages": [{"role": "oracle", "content": "hello"}]}',
    "too deep": b'{"model": "large", "messages": [{"role": "user", "content": "x"}], "metadata": ' + b"[" * 3000,
    "an image": b'{"model": "large", "messages": [{"role": "user", "content": '
    b'[{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]}]}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_rule_05_a_body_that_nobody_can_read_goes_nowhere(world: World, body: bytes) -> None:
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        answer = client.post(world.gateway.url + "/v1/chat/completions", content=body)
    assert 400 <= answer.status_code < 500, answer.text
    assert world.outside.received == b""


def test_rule_07_a_request_in_another_script_is_not_sent_out_unread(world: World) -> None:
    world.stays("我父亲得了癌症，请帮我写一封信给他的雇主。", model="large")


# ── 9, 13, 14 The model, the header, the stream ─────────────────────────────────────────────────────────────────────


def test_rule_09_without_a_local_model_private_requests_get_503_and_nothing_leaves(tmp_path: Path) -> None:
    with CaptureServer() as outside:
        with serving(tmp_path, {"backends": [backend(outside)], "local": {"engine": "off"}}) as gateway:
            for text in (RESTRICTED, f"Is {IBAN} right?"):
                for model in ("auto", "local", "large"):
                    answer = gateway.ask(text, model=model)
                    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "local_unavailable")
                    assert int(answer.headers["retry-after"]) >= 1
        assert outside.received == b""


HEADERS = ["public", "internal", "PUBLIC", "confidential", "restricted", "nonsense", ""]


@pytest.mark.parametrize("level", HEADERS)
def test_rule_13_no_header_lowers_what_was_found(world: World, level: str) -> None:
    world.stays(RESTRICTED, headers={"x-gateway-sensitivity": level})
    world.stays(f"Tell me about Nordlicht. {HARD}", headers={"x-gateway-sensitivity": level})


def test_rule_13_a_header_may_raise(world: World) -> None:
    world.stays(headers={"x-gateway-sensitivity": "restricted"})
    world.leaves()


ENDS = {
    "an error event": lambda said: events(*words("Hel")[:2], done=False).but(
        pieces=(
            *sse(*words("Hel")[:2], done=False),
            *sse({"error": {"message": f"cannot answer {said}", "code": said}}, done=False),
        ),
        gap_s=0.05,
    ),
    "no JSON": lambda said: events(*words("Hel")[:2], b"{" + said.encode(), done=False),
    "cut": lambda said: events(*words("Hel")[:2], done=False).but(end="cut"),
    "an odd piece": lambda said: events(*words("Hel")[:2], event({"tool_calls": said})),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_rule_14_an_error_in_the_middle_of_a_stream_does_not_say_what_was_asked(
    world: World, end: Callable[[str], Any]
) -> None:
    said = "zebra-crossing-42"
    world.outside.answer(end(said))
    data = world.streamed(f"{HARD} Mention {said}.")
    assert said not in "".join(data)
    if "[DONE]" not in data:
        assert "error" in json.loads(data[-1])
    assert said not in world.gateway.log()


@pytest.mark.parametrize("before", ["", "There are two of them. One is old. "], ids=["at once", "in the middle"])
def test_rule_12_a_stream_that_ends_inside_a_placeholder_gives_no_value(world: World, before: str) -> None:
    asked = f"Why would {IBAN} be refused? {HARD}"
    begun = words(f"{before}It is {placeholder(world, asked)[:-2]}")[:2]
    world.outside.answer(events(*begun, done=False).but(end="cut"))
    data = world.streamed(asked)
    assert "3704" not in "".join(data)
    if before:
        assert "error" in json.loads(data[-1])
    else:  # nothing was shown yet, so the local model could take over
        assert "[canned]" in "".join(data)


def placeholder(world: World, asked: str) -> str:
    """What leaves in the place of the account number."""
    world.leaves(asked)
    sent = json.dumps(world.outside.requests[-1].json)
    return sent[sent.index("[IBAN") :].partition("]")[0] + "]"


def test_rule_12_the_placeholder_of_another_request_is_not_restored(world: World) -> None:
    theirs = placeholder(world, f"Why would {IBAN} be refused? {HARD}")
    world.outside.answer(completion(f"It was {theirs}."))
    answer = world.leaves(f"What about IT60 X054 2811 1010 0000 0123 456? {HARD}")
    assert answer.json()["choices"][0]["message"]["content"] == f"It was {theirs}."


# ── The memory of answers ───────────────────────────────────────────────────────────────────────────────────────────


def after(answer: str) -> dict[str, Any]:
    """A chat that brings back an answer which this gateway did not give."""
    said = [("user", "Go on."), ("assistant", answer), ("user", HARD)]
    return {"model": "auto", "messages": [{"role": role, "content": text} for role, text in said]}


def test_while_the_memory_of_answers_is_down_what_brings_an_answer_back_stays(world: World) -> None:
    def zone(answer: str) -> str:
        return str(world.gateway.post(after(answer)).headers["x-gateway-zone"])

    first = "Somebody else's gateway said this, and nobody here knows what it was from. " * 3
    wait_for(lambda: zone(first) == "remote")
    another = "This is another answer that nobody has seen before in this place. " * 3
    world.memory.stop()
    try:
        world.outside.clear()
        kept = world.gateway.post(after(another))
        assert kept.headers["x-gateway-zone"] == "local"
        assert world.outside.received == b""
        unread = world.gateway.of(kept.headers["x-request-id"])[0]["facts"]["unreadable"]
        assert [each["reason"] for each in unread] == ["taint_unavailable"]
        world.leaves(f"{HARD} A first question brings nothing back.")
    finally:
        world.memory.start()
    wait_for(lambda: zone(another) == "remote")

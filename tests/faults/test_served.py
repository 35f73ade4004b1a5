"""Which way a running gateway fails: broken disks, dead and silent neighbours, bad files, impatient clients."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.capture import (
    CaptureServer,
    cut_before_answer,
    error,
    events,
    silence,
    sse,
    words,
)
from tests.support.ports import held_port
from tests.support.serving import Serving, serving
from tests.support.valkey import valkey
from tests.support.waiting import PATIENCE_S, wait_for

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
PRIVATE = "Is DE89 3704 0044 0532 0130 00 a valid account number?"
CANNED = {"GATEWAY_LOCAL": "canned"}
NOTHING_LEAVES = "name: tight\nforbid:\n  - {name: nothing-leaves, zone: private}\n"


def backend(server: CaptureServer, name: str = "large", **more: Any) -> dict[str, Any]:
    where = {"name": name, "zone": "remote", "wire": "openai", "base_url": server.base_url, "model": "capture-1"}
    return where | more


@pytest.fixture(scope="module")
def outside() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


@pytest.fixture(scope="module")
def other() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(outside: CaptureServer, other: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """Two remotes, of which the policy names one."""
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "policy.yaml").write_text(
        "name: one\npermit:\n  - name: hard\n    zone: remote\n    to: [large, second]\n"
        "    when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.55}}\n"
    )
    config = {
        "backends": [backend(outside), backend(other, "second"), backend(other, "unnamed")],
        "policy": {"path": "policy.yaml"},
        "cache": {"url": "off://"},
    }
    with serving(folder, config, env=CANNED) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Serving, outside: CaptureServer, other: CaptureServer) -> Serving:
    outside.clear()
    other.clear()
    return shared


@contextmanager
def streaming(gateway: Serving, text: str = HARD) -> Iterator[httpx.Response]:
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": text}]}
    with (
        httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
        client.stream("POST", gateway.url + "/v1/chat/completions", json=body) as response,
    ):
        yield response


def data_of(response: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]


# ── Content that nobody can read ────────────────────────────────────────────────────────────────────────────────────


def test_an_image_is_unknown_and_refused_for_good(gateway: Serving, outside: CaptureServer) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    content = [{"type": "text", "text": HARD}, image]
    answer = gateway.post({"model": "auto", "messages": [{"role": "user", "content": content}]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_content")
    assert answer.headers["x-should-retry"] == "false"
    assert outside.received == b""


# ── A remote backend ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("failure", [error(503), error(429), cut_before_answer()], ids=["503", "429", "cut"])
def test_before_the_first_chunk_the_next_backend_takes_over(
    gateway: Serving, outside: CaptureServer, other: CaptureServer, failure: Any
) -> None:
    outside.answer(failure)
    answer = gateway.ask(HARD)
    assert (answer.status_code, answer.headers["x-gateway-backend"]) == (200, "second")
    backends = [record["facts"].get("backend") for record in gateway.of(answer.headers["x-request-id"])]
    assert backends == [None, "large", "second", "second"]
    assert len(other.requests) == 1


def test_when_no_backend_of_the_decision_answers_the_local_model_does(
    gateway: Serving, outside: CaptureServer, other: CaptureServer
) -> None:
    outside.answer(error(500))
    other.answer(error(500))
    answer = gateway.ask(HARD)
    assert (answer.status_code, answer.headers["x-gateway-zone"]) == (200, "local")
    assert len(other.requests) == 1  # `second`; `unnamed` stands on the same server and is not in the decision
    assert gateway.of(answer.headers["x-request-id"])[-1]["facts"]["attempts"] == 2
    assert 'gateway_backend_errors_total{backend="second",error="BackendBroke"}' in gateway.get("/metrics").text


def test_a_backend_that_rejects_the_request_is_the_last_one_asked(
    gateway: Serving, outside: CaptureServer, other: CaptureServer
) -> None:
    outside.answer(error(400, code="invalid_value"))
    answer = gateway.ask(HARD)
    assert (answer.status_code, answer.headers["x-should-retry"]) == (400, "false")
    assert other.received == b""


@pytest.mark.parametrize("kind", ["cut", "an error event"])
def test_after_the_first_chunk_comes_one_error_event_and_no_second_answer(
    gateway: Serving, outside: CaptureServer, other: CaptureServer, kind: str
) -> None:
    begun = events(*words("Hel")[:2], done=False)
    bad = sse({"error": {"message": "the upstream's prose", "code": 500}}, done=False)
    outside.answer(begun.but(end="cut") if kind == "cut" else begun.but(pieces=(*begun.pieces, *bad), gap_s=0.05))
    with streaming(gateway) as response:
        data = data_of(response)
    assert json.loads(data[-1])["error"]["type"] == "upstream_error"
    assert [each for each in data if "error" in json.loads(each)] == data[-1:]
    assert "[DONE]" not in data
    assert "prose" not in "".join(data)
    assert other.received == b""
    outcome = gateway.of(response.headers["x-request-id"])[-1]["facts"]
    assert (outcome["outcome"], outcome["error"]) == ("error", "BackendBroke")


# ── The client ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_a_client_that_leaves_before_the_first_token_closes_the_upstream(
    gateway: Serving, outside: CaptureServer, streamed: bool
) -> None:
    outside.answer(silence())
    before = len(gateway.settled())
    with gateway.asked(HARD, stream=streamed):
        [asked] = outside.wait_for_requests(1)
    asked.wait_until_left()
    assert [each["facts"]["outcome"] for each in gateway.settled()[before:]] == ["client_closed"]


def test_a_client_that_leaves_in_the_middle_closes_the_upstream(gateway: Serving, outside: CaptureServer) -> None:
    outside.answer(events(*words("Hel")[:2], done=False).but(end="hang"))
    with streaming(gateway) as response:
        next(response.iter_lines())
    outside.wait_for_requests(1)[0].wait_until_left()
    assert gateway.of(response.headers["x-request-id"])[-1]["facts"]["outcome"] == "client_closed"


# ── The audit log ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", ["refuse", "local"])
def test_when_the_log_cannot_be_written_nothing_leaves(tmp_path: Path, outside: CaptureServer, rule: str) -> None:
    outside.clear()
    shipped = (Path(__file__).parents[2] / "policies" / "default.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(shipped.replace("without_record: refuse", f"without_record: {rule}"))
    config = {"backends": [backend(outside)], "policy": {"path": "policy.yaml", "watch_s": 0.1}}
    with serving(tmp_path, config, env=CANNED) as gateway:
        shutil.move(gateway.audit, tmp_path / "away")
        gateway.audit.write_text("a file where the folder was")
        hard, private = gateway.ask(HARD), gateway.ask(PRIVATE)
        if rule == "refuse":
            for answer in (hard, private):
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "audit_unavailable")
                assert int(answer.headers["retry-after"]) >= 1
        else:
            assert [answer.headers["x-gateway-zone"] for answer in (hard, private)] == ["local", "local"]
        assert outside.received == b""
        ready = gateway.get("/readyz")
        assert (ready.status_code, ready.json()["parts"]["audit"]["ready"]) == (503, False)

        # A policy that changes meanwhile takes over all the same.
        (tmp_path / "policy.yaml").write_text(NOTHING_LEAVES)
        wait_for(lambda: gateway.get("/readyz").json()["parts"]["policy"]["name"] == "tight")

        gateway.audit.unlink()
        shutil.move(tmp_path / "away", gateway.audit)
        gateway.wait_until_ready()
        assert gateway.ask(PRIVATE).status_code == 200
        assert gateway.stop() == 0
    assert "recovered" in [record["event"] for record in gateway.records()]


# ── The policy file ─────────────────────────────────────────────────────────────────────────────────────────────────

BROKEN = {
    "not YAML": b"permit: [",
    "unknown key": b"name: x\npermits: []\n",
    "not text": b"\xff\xfe\x00\x01",
    "empty": b"",
    "too deep": b"[" * 20_000,
    "too large": b"#" * 2_000_000,
    "an alias bomb": b"a: &a [1]\nb: [*a, *a]\n",
}


@pytest.fixture(scope="module")
def edited(outside: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("edited")
    shutil.copy(Path(__file__).parents[2] / "policies" / "default.yaml", folder / "policy.yaml")
    config = {"backends": [backend(outside)], "policy": {"path": "policy.yaml", "watch_s": 0.05}}
    with serving(folder, config, env=CANNED) as gateway:
        yield gateway


def policy_state(gateway: Serving) -> dict[str, Any]:
    state: dict[str, Any] = gateway.get("/readyz").json()["parts"]["policy"]
    return state


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_policy_file_leaves_the_old_policy_in_force(edited: Serving, content: bytes) -> None:
    file = edited.folder / "policy.yaml"
    good = file.read_bytes()
    file.write_bytes(content)
    try:
        state = wait_for(lambda: state if "warning" in (state := policy_state(edited)) else None)
        assert state["name"] == "default"
        assert edited.get("/readyz").status_code == 200
        assert edited.ask(HARD).headers["x-gateway-zone"] == "remote"
        assert "policy_refused" in edited.log()
    finally:
        file.write_bytes(good)
    wait_for(lambda: "warning" not in policy_state(edited))


def test_a_policy_file_that_is_gone_or_no_file_leaves_the_old_policy_in_force(edited: Serving) -> None:
    file = edited.folder / "policy.yaml"
    good = file.read_bytes()
    file.unlink()
    wait_for(lambda: "warning" in policy_state(edited))
    file.mkdir()
    assert edited.ask(HARD).headers["x-gateway-zone"] == "remote"
    file.rmdir()
    file.write_bytes(good)
    wait_for(lambda: "warning" not in policy_state(edited))


def test_a_new_policy_takes_over_at_a_signal_and_is_recorded_and_kept(tmp_path: Path, outside: CaptureServer) -> None:
    file = tmp_path / "policy.yaml"
    shutil.copy(Path(__file__).parents[2] / "policies" / "default.yaml", file)
    config = {"backends": [backend(outside)], "policy": {"path": "policy.yaml", "watch_s": 0}}
    with serving(tmp_path, config, env=CANNED) as gateway:
        file.write_text("permit: [")
        gateway.hang_up()
        wait_for(lambda: "warning" in policy_state(gateway))
        assert gateway.ask(HARD).headers["x-gateway-zone"] == "remote"
        file.write_text(NOTHING_LEAVES)
        gateway.hang_up()
        state = wait_for(lambda: state if (state := policy_state(gateway))["name"] == "tight" else None)
        assert gateway.ask(HARD).headers["x-gateway-zone"] == "local"
        changes = wait_for(lambda: found if len(found := gateway.records("policy")) == 2 else None)
        assert [change["facts"]["accepted"] for change in changes] == [False, True]
        assert (gateway.audit / "policies" / f"{state['digest']}.yaml").read_text() == NOTHING_LEAVES
        metrics = gateway.get("/metrics").text
        assert 'gateway_policy_reloads_total{result="refused"} 1.0' in metrics
        assert 'gateway_policy_reloads_total{result="accepted"} 1.0' in metrics


# ── The cache ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dead_cache_is_a_miss_and_comes_back_with_its_server(tmp_path: Path, outside: CaptureServer) -> None:
    with valkey(tmp_path) as server:
        config = {"backends": [backend(outside)], "cache": {"url": server.url}}
        with serving(tmp_path, config, env=CANNED) as gateway:
            numbers = itertools.count()

            def stored() -> bytes:
                """The answer goes to the client first, then into the cache: unless that takes more than 50 ms."""
                gateway.ask(f"{HARD} Again {next(numbers)}.")
                return server.everything()

            wait_for(stored)
            server.stop()
            for number in range(3):
                answer = gateway.ask(f"{HARD} Version {number}.")
                assert (answer.status_code, answer.headers["x-gateway-cache"]) == (200, "miss")
            assert gateway.get("/readyz").status_code == 200
            server.start()
            wait_for(stored)


def test_a_silent_cache_costs_a_request_no_more_than_its_deadline(tmp_path: Path, outside: CaptureServer) -> None:
    with _silent_server() as port:
        config = {"backends": [backend(outside)], "cache": {"url": f"redis://127.0.0.1:{port}"}}
        with serving(tmp_path, config, env=CANNED) as gateway:
            took = []
            for number in range(4):
                began = time.monotonic()
                answer = gateway.ask(f"{HARD} Version {number}.")
                took.append(time.monotonic() - began)
                assert (answer.status_code, answer.headers["x-gateway-cache"]) == (200, "miss")
    assert min(took) < 2  # 50 ms to look it up; the answer is out before it is stored


@contextmanager
def _silent_server() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    accepted: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                accepted.append(listener.accept()[0])
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in accepted:
            connection.close()


# ── Too much at once ────────────────────────────────────────────────────────────────────────────────────────────────


def test_beyond_the_limit_of_requests_in_flight_clients_are_told_to_come_back(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    outside.answer(silence())
    config = {"server": {"max_in_flight": 1}, "backends": [backend(outside)]}
    with serving(tmp_path, config, env=CANNED) as gateway:
        with gateway.asked(HARD):
            outside.wait_for_requests(1)
            answer = gateway.ask("Another one.")
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "queue_full")
        assert int(answer.headers["retry-after"]) >= 1
        assert "x-should-retry" not in answer.headers
        wait_for(lambda: gateway.ask("Another one.").status_code == 200)


def test_a_backend_that_is_not_there_leaves_the_gateway_ready_and_the_local_model_answering(tmp_path: Path) -> None:
    with held_port() as port:
        nobody = {"name": "large", "zone": "remote", "base_url": f"http://127.0.0.1:{port}/v1", "model": "m"}
        with serving(tmp_path, {"backends": [nobody]}, env=CANNED) as gateway:
            answer = gateway.ask(HARD)
            assert (answer.status_code, answer.headers["x-gateway-zone"]) == (200, "local")

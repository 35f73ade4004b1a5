"""The main job with the real small model: private stays, hard and harmless goes out, and the log proves it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.capture import CaptureServer, events, words
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.model

IBAN = "Write one friendly sentence to my bank: my account is DE89 3704 0044 0532 0130 00."
KEY = "Explain what this setting does: OPENAI_KEY=sk-proj-Zq8vT1nB4kLw9XyR2mC7dF5hJ3gS6aP0uE8iO1tQ"
HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
ITALIAN = "Scrivi una lettera alla mia banca: il mio IBAN IT60X0542811101000000123456 è stato usato senza permesso."


def backend(outside: CaptureServer) -> dict[str, Any]:
    return {"name": "large", "zone": "remote", "base_url": outside.base_url, "model": "capture-1"}


def run(gateway: Serving, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments], capture_output=True, text=True, cwd=gateway.folder, timeout=300
    )


def verified(gateway: Serving) -> subprocess.CompletedProcess[str]:
    return run(gateway, "audit", "verify", str(gateway.audit))


@contextmanager
def streaming(gateway: Serving, text: str, **more: Any) -> Iterator[httpx.Response]:
    body = {"model": "auto", "stream": True, "messages": [{"role": "user", "content": text}], **more}
    with (
        httpx.Client(timeout=60, trust_env=False) as client,
        client.stream("POST", gateway.url + "/v1/chat/completions", json=body) as response,
    ):
        yield response


def data_of(response: httpx.Response) -> list[str]:
    return [line.removeprefix("data: ") for line in response.iter_lines() if line.startswith("data: ")]


def text_of(data: list[str]) -> str:
    deltas = [choice["delta"] for each in data if each != "[DONE]" for choice in json.loads(each)["choices"]]
    return "".join(delta.get("content") or "" for delta in deltas)


# ── Private stays ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("text", "kind"), [(IBAN, "iban"), (KEY, "openai_api_key")], ids=["an IBAN", "an API key"])
def test_a_private_request_is_answered_by_the_local_model_and_not_one_byte_leaves(
    gateway: Serving, outside: CaptureServer, text: str, kind: str
) -> None:
    connections = outside.connections
    answer = gateway.ask(text, max_tokens=24, temperature=0)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["content"].strip()
    assert answer.json()["usage"]["completion_tokens"] in range(1, 25)
    assert (answer.headers["x-gateway-zone"], answer.headers["x-gateway-rule"]) == ("local", "default")
    records = gateway.of(answer.headers["x-request-id"])
    assert [record["event"] for record in records] == ["decided", "outcome"]
    assert [found["kind"] for found in records[0]["facts"]["findings"]] == [kind]
    assert records[1]["facts"] | {"outcome": "ok", "zone": "local", "attempts": 0} == records[1]["facts"]
    assert outside.received == b""
    assert outside.connections == connections


def test_a_private_request_for_a_remote_model_by_name_stays_too(gateway: Serving, outside: CaptureServer) -> None:
    answer = gateway.ask(IBAN, model="large", max_tokens=4)
    assert (answer.status_code, answer.headers["x-gateway-zone"]) == (200, "local")
    assert outside.received == b""


def test_a_private_answer_streams_and_its_repetition_comes_from_the_cache(
    gateway: Serving, outside: CaptureServer
) -> None:
    texts = []
    for cache in ("miss", "hit"):
        with streaming(gateway, IBAN, max_tokens=12, stream_options={"include_usage": True}) as response:
            data = data_of(response)
        assert response.headers["x-gateway-cache"] == cache
        assert data[-1] == "[DONE]"
        assert json.loads(data[-2])["usage"]["completion_tokens"] in range(1, 13)
        texts.append(text_of(data))
    assert texts[0] == texts[1] != ""
    assert outside.received == b""


# ── Hard and harmless goes out ──────────────────────────────────────────────────────────────────────────────────────


def test_a_hard_public_request_goes_out_with_exactly_the_allowed_fields(
    gateway: Serving, outside: CaptureServer
) -> None:
    answer = gateway.ask(HARD, temperature=0.2, user="anna", metadata={"team": "x"}, store=True, unheard_of=[1])
    assert answer.json()["choices"][0]["message"]["content"] == "Hello."
    assert (answer.headers["x-gateway-zone"], answer.headers["x-gateway-backend"]) == ("remote", "large")
    assert set(answer.headers["x-gateway-dropped"].replace(" ", "").split(",")) >= {"user", "metadata", "unheard_of"}
    (sent,) = outside.requests
    assert sent.json == {
        "model": "capture-1",
        "messages": [{"role": "user", "content": HARD}],
        "temperature": 0.2,
        "store": False,
        "stream": False,
    }
    assert set(sent.headers) == {"host", "content-type", "content-length", "accept", "accept-encoding", "user-agent"}
    records = gateway.of(answer.headers["x-request-id"])
    assert [record["event"] for record in records] == ["decided", "attempt", "outcome"]
    assert records[1]["facts"]["backend_digest"] == records[0]["facts"]["decision"]["backend_digest"]
    assert records[2]["facts"] | {"outcome": "ok", "prompt_tokens": 7, "completion_tokens": 2} == records[2]["facts"]


def test_a_public_answer_streams(gateway: Serving, outside: CaptureServer) -> None:
    outside.answer(events(*words("Let ", "p/q ", "be")))
    with streaming(gateway, HARD + " Stream it.") as response:
        data = data_of(response)
    assert (response.headers["x-gateway-zone"], data[-1], text_of(data)) == ("remote", "[DONE]", "Let p/q be")


# ── A language that the local model does not speak ──────────────────────────────────────────────────────────────────


def test_a_private_request_in_italian_is_refused_with_the_way_out(gateway: Serving, outside: CaptureServer) -> None:
    answer = gateway.ask(ITALIAN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "local_model_unfit")
    assert answer.headers["x-should-retry"] == "false"
    assert "gateway models pull" in answer.json()["error"]["message"]
    assert [record["event"] for record in gateway.of(answer.headers["x-request-id"])] == ["decided", "outcome"]
    assert outside.received == b""


# ── Looking back ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", [IBAN, HARD, ITALIAN], ids=["stayed", "left", "was refused"])
def test_why_decides_the_same_again_from_the_log(gateway: Serving, text: str) -> None:
    request_id = gateway.ask(text, max_tokens=4).headers["x-request-id"]
    gateway.of(request_id)
    told = json.loads(run(gateway, "why", request_id, "--config", "gateway.yaml").stdout)
    assert told["agrees"] is True
    assert told["decided"]["rule"] == told["again"]["rule"]
    assert len(told["attempts"]) == (text is HARD)
    assert text[:20] not in json.dumps(told)


def test_the_numbers_say_where_requests_went(gateway: Serving) -> None:
    gateway.of(gateway.ask(HARD + " Briefly.").headers["x-request-id"])
    metrics = gateway.get("/metrics").text
    assert 'gateway_requests_total{backend="large",outcome="ok",rule="hard-and-nothing-found",zone="remote"}' in metrics
    assert 'gateway_findings_total{kind="iban"}' in metrics
    assert "gateway_local_restarts 0.0" in metrics


def test_the_log_verifies_while_the_gateway_runs(gateway: Serving) -> None:
    gateway.of(gateway.ask("Hello", max_tokens=4).headers["x-request-id"])
    result = verified(gateway)
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert "ok" in result.stdout


# ── The local model dies ────────────────────────────────────────────────────────────────────────────────────────────


def engine_pid(gateway: Serving) -> int | None:
    """The engine's process: the child of the gateway that runs the engine's module."""
    for pid, parent, arguments in processes():
        if parent == gateway.process.pid and "gateway.engine" in arguments:
            return pid
    return None


def processes() -> Iterator[tuple[int, int, str]]:
    """(pid, parent, arguments) of all, read where Linux keeps them; `ps` is not in every image, but in every macOS."""
    if not Path("/proc/self/stat").exists():
        listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout
        for line in listing.splitlines():
            pid, parent, arguments = line.split(None, 2)
            yield int(pid), int(parent), arguments
        return
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            yield int(folder.name), int(parent), (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()


def test_a_killed_engine_starts_again_and_the_request_with_it_is_answered(
    gateway: Serving, outside: CaptureServer
) -> None:
    pid = engine_pid(gateway)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    answer = gateway.ask(IBAN + " Now.", max_tokens=4)
    assert (answer.status_code, answer.headers["x-gateway-zone"]) == (200, "local")
    assert engine_pid(gateway) not in {None, pid}
    assert outside.received == b""
    assert '"event":"local_engine"' in gateway.log()


def test_an_engine_killed_in_the_middle_ends_the_stream_with_one_error_event(
    gateway: Serving, outside: CaptureServer
) -> None:
    with streaming(gateway, IBAN + " Tell a very long story about it.", max_tokens=2000) as response:
        lines = response.iter_lines()
        first = next(line for line in lines if '"content":"' in line and '"content":""' not in line)
        pid = engine_pid(gateway)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        rest = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert first
    assert json.loads(rest[-1])["error"]["type"] == "upstream_error"
    assert "[DONE]" not in rest
    outcome = gateway.of(response.headers["x-request-id"])[-1]["facts"]
    assert (outcome["outcome"], outcome["error"], outcome["zone"]) == ("error", "BackendBroke", "local")
    assert outside.received == b""


def test_an_engine_that_keeps_dying_means_503_and_still_nothing_goes_out(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    with serving(tmp_path, {"backends": [backend(outside)], "local": {"start_wait_s": 1}}) as gateway:
        until = time.monotonic() + 120
        while "failed" not in str(gateway.get("/readyz").json()["parts"]["local"]):
            assert time.monotonic() < until
            if (pid := engine_pid(gateway)) is not None:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.02)
        answer = gateway.ask(IBAN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "local_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert [record["event"] for record in gateway.of(answer.headers["x-request-id"])] == ["decided", "outcome"]
        assert outside.received == b""
        assert gateway.get("/readyz?zone=remote").status_code == 200
        assert gateway.ask(HARD).headers["x-gateway-zone"] == "remote"
        assert gateway.stop() == 0
    assert verified(gateway).returncode == 0


def test_with_the_engine_switched_off_a_private_request_gets_503_and_nothing_goes_out(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    with serving(tmp_path, {"backends": [backend(outside)], "local": "off"}) as gateway:
        answer = gateway.ask(IBAN)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "local_unavailable")
        assert int(answer.headers["retry-after"]) >= 1
        assert outside.received == b""
        assert gateway.ask(HARD).headers["x-gateway-zone"] == "remote"


def test_a_floor_of_notice_answers_in_italian_and_says_so(tmp_path: Path, outside: CaptureServer) -> None:
    outside.clear()
    shipped = (Path(__file__).parents[2] / "policies" / "default.yaml").read_text()
    (tmp_path / "policy.yaml").write_text(shipped.replace("floor: refuse", "floor: notice"))
    config = {"backends": [backend(outside)], "policy": {"path": "policy.yaml"}}
    with serving(tmp_path, config) as gateway:
        answer = gateway.ask(ITALIAN, max_tokens=4)
        assert (answer.status_code, answer.headers["x-gateway-zone"]) == (200, "local")
        assert "does not speak" in answer.headers["x-gateway-notice"]
        with streaming(gateway, ITALIAN, max_tokens=4, stop=["never"]) as response:
            assert data_of(response)[-1] == "[DONE]"
        assert "does not speak" in response.headers["x-gateway-notice"]
        assert outside.received == b""


def test_a_full_queue_turns_private_requests_away_and_sends_them_nowhere_else(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    with serving(tmp_path, {"backends": [backend(outside)], "local": {"parallel": 1, "queue": 1}}) as gateway:
        pid = engine_pid(gateway)
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        with ThreadPoolExecutor() as threads:
            taken = [threads.submit(gateway.ask, f"{IBAN} {number}", max_tokens=4) for number in range(2)]
            while "gateway_local_waiting 2.0" not in gateway.get("/metrics").text:
                time.sleep(0.02)
            turned_away = gateway.ask(IBAN)
            os.kill(pid, signal.SIGCONT)
            assert [answer.result().status_code for answer in taken] == [200, 200]
        assert (turned_away.status_code, turned_away.json()["error"]["code"]) == (429, "queue_full")
        assert int(turned_away.headers["retry-after"]) >= 1
        assert outside.received == b""


# ── What is left on the disk ────────────────────────────────────────────────────────────────────────────────────────


def test_no_word_of_these_requests_lies_in_any_file_of_the_gateway(gateway: Serving) -> None:
    """Runs last: engine, cache, log and audit of this module's gateway have seen all of the above by now."""
    for file in gateway.folder.rglob("*"):
        if file.is_file() and file != gateway.config:
            lines = file.read_bytes().splitlines()
            text = b"\n".join(line for line in lines if b"curl -s" not in line)  # the banner's examples
            for word in (b"DE89", b"Zq8vT1nB4k", b"square root", b"banca", b"friendly sentence"):
                assert word not in text, file

"""Starting, stopping and dying: what a gateway leaves behind, and what it says when it cannot start."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.capture import CaptureServer, completion, events, words
from tests.support.serving import Serving, serving
from tests.support.waiting import PATIENCE_S, wait_for

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
CANNED = {"GATEWAY_LOCAL": "canned"}


def backend(outside: CaptureServer, **more: object) -> dict[str, object]:
    return {"name": "large", "zone": "remote", "base_url": outside.base_url, "model": "capture-1", **more}


def verify(gateway: Serving) -> tuple[int, str]:
    command = [sys.executable, "-m", "gateway", "audit", "verify", str(gateway.audit)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return result.returncode, result.stdout


def body(*, stream: bool = False) -> dict[str, object]:
    return {"model": "auto", "stream": stream, "messages": [{"role": "user", "content": HARD}]}


def test_a_stream_that_runs_when_the_gateway_is_told_to_stop_runs_to_its_end(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.answer(events(*words(*(f"w{number} " for number in range(10)))).but(gap_s=0.1))
    with serving(tmp_path, {"backends": [backend(outside)]}, env=CANNED) as gateway:
        with (
            httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
            client.stream("POST", gateway.url + "/v1/chat/completions", json=body(stream=True)) as response,
        ):
            lines = response.iter_lines()
            next(lines)
            gateway.process.terminate()
            rest = "".join(lines)
        assert "w9" in rest
        assert rest.endswith("data: [DONE]")
        assert gateway.stop() == 0
    assert [record["event"] for record in gateway.records()][-2:] == ["outcome", "stopped"]
    assert gateway.records("outcome")[-1]["facts"]["outcome"] == "ok"
    assert verify(gateway)[0] == 0


def test_what_takes_longer_than_the_patience_at_a_stop_is_cut_and_still_recorded(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    outside.answer(events(*words("Hel")[:2], done=False).but(end="hang"))
    config = {"server": {"drain_s": 1}, "backends": [backend(outside)]}
    with serving(tmp_path, config, env=CANNED) as gateway:
        begun = threading.Event()

        def read() -> None:
            with (
                httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
                client.stream("POST", gateway.url + "/v1/chat/completions", json=body(stream=True)) as response,
                suppress(httpx.TransportError),
            ):
                for _ in response.iter_lines():
                    begun.set()

        reader = threading.Thread(target=read)
        reader.start()
        assert begun.wait(PATIENCE_S)
        assert gateway.stop() == 0
        reader.join()
    assert [record["event"] for record in gateway.records()][-2:] == ["outcome", "stopped"]
    ended = gateway.records("outcome")[-1]["facts"]
    assert ended["outcome"] == "client_closed"
    assert ended["total_ms"] < 9_000  # not after the ten seconds that are usual
    assert "Traceback" not in gateway.log()
    assert verify(gateway)[0] == 0


def test_what_runs_when_the_gateway_is_told_twice_to_stop_is_cut_and_still_recorded(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    outside.answer(events(*words("Hel")[:2], done=False).but(end="hang"))
    config = {"server": {"drain_s": 60}, "backends": [backend(outside)]}
    with (
        serving(tmp_path, config, env=CANNED) as gateway,
        httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
        client.stream("POST", gateway.url + "/v1/chat/completions", json=body(stream=True)) as response,
    ):
        lines = response.iter_lines()  # kept: without it the client would close the connection
        next(lines)
        gateway.process.terminate()
        _wait_until_closed(gateway)
        assert gateway.stop() == 0  # within half of drain_s, or this fails
    assert [record["event"] for record in gateway.records()][-4:] == ["decided", "attempt", "outcome", "stopped"]
    assert gateway.records("outcome")[-1]["facts"]["outcome"] == "client_closed"
    assert "Traceback" not in gateway.log()
    assert verify(gateway)[0] == 0


def _wait_until_closed(gateway: Serving) -> None:
    """It has heard the first signal once it takes no more connections."""
    url = httpx.URL(gateway.url)

    def closed() -> bool:
        try:
            socket.create_connection((url.host, url.port or 0), PATIENCE_S).close()
        except ConnectionError:
            return True
        return False

    wait_for(closed)


def test_the_log_of_a_killed_gateway_verifies_and_goes_on(tmp_path: Path, outside: CaptureServer) -> None:
    outside.clear()
    config = {"backends": [backend(outside)]}
    with serving(tmp_path, config, env=CANNED) as gateway:
        gateway.ask(HARD)
        outside.answer(completion().but(delay_s=20))
        threading.Thread(target=lambda: _ignore(gateway), daemon=True).start()
        outside.wait_for_requests(2)
        gateway.process.send_signal(signal.SIGKILL)
        gateway.process.wait()
    attempts = gateway.records("attempt")
    assert len(attempts) == 2  # the second one was on disk before its first byte left
    assert verify(gateway)[0] == 0
    with serving(tmp_path, config, env=CANNED) as gateway:
        assert gateway.ask(HARD).status_code == 200
        assert gateway.stop() == 0
    assert verify(gateway)[0] == 0
    sequence = [record["seq"] for record in gateway.records()]
    assert sequence == list(range(1, len(sequence) + 1))


def _ignore(gateway: Serving) -> None:
    try:
        gateway.ask(HARD + " Once more.")
    except httpx.TransportError:
        return


def start(folder: Path, *arguments: str, **config: object) -> subprocess.CompletedProcess[str]:
    """A start that is expected to fail."""
    (folder / "gateway.yaml").write_text(yaml.safe_dump(config))
    return subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--config", "gateway.yaml", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        env={**os.environ, **CANNED},
    )


def test_a_port_that_is_taken_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = start(tmp_path, "--port", str(port))
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert str(port) in result.stderr
    assert "--port" in result.stderr


@pytest.mark.parametrize(
    ("config", "says"),
    [
        pytest.param({"server": {"host": "0.0.0.0"}, "auth": "none"}, "auth: none", id="open to everybody"),
        pytest.param({"policy": {"path": "gone.yaml"}}, "gone.yaml", id="no policy"),
        pytest.param({"polcy": {}}, "polcy", id="unknown setting"),
        pytest.param({"server": {"tls": {"cert": "a.pem", "key": "b.pem"}}}, "server.tls", id="no certificate"),
        pytest.param({"cache": {"url": "ftp://:hunter2@host"}}, "cache.url", id="unknown cache"),
        pytest.param({"audit": {"dir": "gateway.yaml"}}, "gateway.yaml", id="the log is a file"),
        pytest.param({"audit": {"dir": "log", "keys_dir": "log/keys"}}, "key", id="keys beside the log"),
        pytest.param(
            {"backends": [{"name": "x", "zone": "remote", "base_url": "http://192.0.2.1/v1", "model": "m"}]},
            "https",
            id="plain http to the world",
        ),
        pytest.param({"aliases": {"gpt": "nobody"}}, "nobody", id="an alias to nothing"),
    ],
)
def test_what_is_wrong_with_the_configuration_is_told_in_one_sentence(
    tmp_path: Path, config: dict[str, object], says: str
) -> None:
    result = start(tmp_path, "--port", "0", **config)
    assert (result.returncode, result.stdout) == (2, ""), result.stderr
    assert says in result.stderr
    assert result.stderr.strip().count("\n") == 0
    assert "hunter2" not in result.stderr


def test_a_second_gateway_on_the_same_log_is_refused(tmp_path: Path, outside: CaptureServer) -> None:
    with serving(tmp_path, {"backends": [backend(outside)]}, env=CANNED):
        second = tmp_path / "second"
        second.mkdir()
        result = start(second, "--port", "0", audit={"dir": str(tmp_path / "var" / "audit")})
    assert result.returncode == 2, result.stderr
    assert result.stderr.strip().count("\n") == 0


def test_a_stand_in_plays_the_remote_where_its_key_is_missing_and_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, {}, env=CANNED) as gateway:
        answer = gateway.ask(HARD)
        assert answer.headers["x-gateway-zone"] == "remote"
        assert "[canned]" in answer.json()["choices"][0]["message"]["content"]
        assert "STAND-IN" in gateway.log()
        parts = gateway.get("/readyz").json()["parts"]
        assert "stand-in" in parts["large"]["note"]
        assert "canned" in parts["local"]["note"]


def test_a_missing_key_is_an_error_where_others_can_call(tmp_path: Path) -> None:
    key = {"name": "app", "hash": "sha256:" + "0" * 64}
    config = {"server": {"host": "0.0.0.0"}, "auth": {"mode": "keys", "keys": [key]}, "local": "off"}
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(config))
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    result = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--config", "gateway.yaml", "--port", "0"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
        env=environment,
    )
    assert result.returncode == 2
    assert "OPENAI_API_KEY" in result.stderr


# ── litellm ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def litellm_is_imported(gateway: Serving) -> bool:
    """By a compiled library that it brings along, where Linux lists them; elsewhere by its 230 MB."""
    if (maps := Path(f"/proc/{gateway.process.pid}/maps")).exists():
        return "/tiktoken/" in maps.read_text()
    listing = subprocess.run(["ps", "-o", "rss=", "-p", str(gateway.process.pid)], capture_output=True, text=True)
    return int(listing.stdout) / 1024 > 250


def _both_told(gateway: Serving) -> dict[str, dict[str, object]]:
    """The parts' states, once neither backend is being imported any more."""
    wait_for(lambda: "imported" not in gateway.get("/readyz").text, timeout_s=120)
    parts: dict[str, dict[str, object]] = gateway.get("/readyz").json()["parts"]
    return parts


def test_a_backend_behind_litellm_answers_once_it_is_imported_and_what_is_private_stays(
    tmp_path: Path, outside: CaptureServer
) -> None:
    outside.clear()
    through = backend(outside, name="vendor", wire="litellm", model="openai/gpt-4.1", api_key_env="VENDOR_KEY")
    strange = {"name": "strange", "zone": "remote", "wire": "litellm", "model": "no-such-vendor/model"}
    environment = {**CANNED, "VENDOR_KEY": "vendor-key"}
    with serving(tmp_path, {"backends": [through, strange]}, env=environment, ready="?zone=local") as gateway:
        state = _both_told(gateway)
        assert (state["vendor"]["ready"], state["strange"]["problem"]) == (
            True,
            "litellm does not know model 'no-such-vendor/model'",
        )
        assert litellm_is_imported(gateway)  # there, and nowhere else: see the next test
        private = gateway.ask("Is DE89 3704 0044 0532 0130 00 a valid account number?")
        assert private.headers["x-gateway-zone"] == "local"
        assert outside.received == b""
        answer = gateway.ask(HARD)
        assert (answer.status_code, answer.headers["x-gateway-backend"]) == (200, "vendor")
        assert answer.json()["choices"][0]["message"]["content"] == "Hello."
        assert outside.requests[0].json["messages"] == [{"role": "user", "content": HARD}]
        with (
            httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
            client.stream("POST", gateway.url + "/v1/chat/completions", json=body(stream=True) | {"seed": 1}) as told,
        ):
            assert told.read().rstrip().endswith(b"data: [DONE]")
        events_told = [record["event"] for record in gateway.of(answer.headers["x-request-id"])]
        assert events_told == ["decided", "attempt", "outcome"]
        # A vendor that litellm does not know is one backend that fails, and no more.
        unknown = gateway.ask(HARD + " Once more.", model="strange")
        assert (unknown.status_code, unknown.headers["x-gateway-backend"]) == (200, "vendor")


def test_without_such_a_backend_litellm_is_not_imported(tmp_path: Path, outside: CaptureServer) -> None:
    with serving(tmp_path, {"backends": [backend(outside)]}, env=CANNED) as gateway:
        gateway.ask(HARD)
        assert not litellm_is_imported(gateway)
        ready = json.loads(gateway.get("/readyz").text)
        assert ready["status"] == "ready"

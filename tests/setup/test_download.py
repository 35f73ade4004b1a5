"""Downloads against a server on loopback: resumed, redirected, bounded and checked."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.setup.download import Source, check_url, download

CONTENT = bytes(range(256)) * 8000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Serves CONTENT, as well or as badly as it is told."""

    def __init__(self) -> None:
        self.breaks = 0
        """How many answers break off half way."""
        self.ranges = True
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, self.headers.get("Range")))
                outer.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/redirect/"):
            handler.send_response(302)
            handler.send_header("Location", handler.path.removeprefix("/redirect/"))
            handler.end_headers()
            return
        if handler.path.startswith("/missing"):
            handler.send_error(404)
            return
        asked = handler.headers.get("Range") if self.ranges else None
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if start >= len(CONTENT):
            handler.send_error(416)
            return
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Length", str(len(CONTENT) - start))
        handler.end_headers()
        rest = CONTENT[start:]
        if self.breaks:
            self.breaks -= 1
            rest = rest[: len(rest) // 2]
        with contextlib.suppress(ConnectionError):  # a client that refuses the size leaves
            handler.wfile.write(rest)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Callable[..., Path]:
    def fetch(path: str = "/m.gguf", sha256: str = DIGEST, limit: int = 10**9, attempts: int = 4) -> Path:
        source = Source(server.url + path, sha256, limit)
        return download(source, tmp_path / "m.gguf", attempts=attempts)

    return fetch


def test_a_file_arrives_whole(fetch: Callable[..., Path], tmp_path: Path) -> None:
    assert fetch().read_bytes() == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["m.gguf"]


def test_what_breaks_off_goes_on_from_there(fetch: Callable[..., Path], server: Server) -> None:
    server.breaks = 2
    assert fetch().read_bytes() == CONTENT
    ranges = [asked for _, asked in server.requests]
    assert ranges == [None, f"bytes={len(CONTENT) // 2}-", f"bytes={len(CONTENT) * 3 // 4}-"]


def test_after_giving_up_the_next_run_goes_on(fetch: Callable[..., Path], server: Server) -> None:
    server.breaks = 1
    with pytest.raises(ConfigurationError, match="run it again to go on"):
        fetch(attempts=1)
    assert fetch().read_bytes() == CONTENT
    assert server.requests[-1][1] == f"bytes={len(CONTENT) // 2}-"


def test_a_server_without_ranges_begins_again(fetch: Callable[..., Path], server: Server) -> None:
    server.breaks, server.ranges = 1, False
    assert fetch().read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_only_checked(fetch: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "m.gguf.part").write_bytes(CONTENT)
    assert fetch().read_bytes() == CONTENT


def test_another_digest_leaves_nothing_behind(fetch: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="deleted, not used"):
        fetch(sha256="0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_redirects_are_followed(fetch: Callable[..., Path], server: Server) -> None:
    assert fetch(f"/redirect/{server.url}/m.gguf").read_bytes() == CONTENT


def test_a_redirect_to_plain_http_elsewhere_is_refused(fetch: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match="https"):
        fetch("/redirect/http://example.com/m.gguf")


def test_redirects_without_end_are_refused(fetch: Callable[..., Path], server: Server) -> None:
    with pytest.raises(ConfigurationError, match="redirects more than"):
        fetch("/redirect/" * 8 + "/m.gguf")
    assert len(server.requests) == 6


def test_a_missing_file_says_404_and_no_token(fetch: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match="404") as refused:
        fetch("/missing?token=secret-zebra")
    assert "zebra" not in str(refused.value)


def test_a_file_beyond_the_limit_is_refused(fetch: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="larger than the limit"):
        fetch(limit=1000)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_not_there_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="ConnectError"):
        download(Source("http://127.0.0.1:9/m.gguf", DIGEST), tmp_path / "m.gguf", attempts=1)


@pytest.mark.parametrize("url", ["https://example.com/m.gguf", "http://127.0.0.1:1/m", "http://[::1]:1/m"])
def test_https_and_plain_loopback_are_fine(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("url", ["http://example.com/m", "ftp://example.com/m", "https://", "file:///etc/passwd", "x"])
def test_everything_else_is_not(url: str) -> None:
    with pytest.raises(ConfigurationError):
        check_url(url)


def test_messages_and_registry_hold_no_credentials() -> None:
    assert Source("https://user:pass@example.com/a/m.gguf?token=t#f", "").plain == "https://example.com/a/m.gguf"

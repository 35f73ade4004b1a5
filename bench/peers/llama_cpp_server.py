"""llama-cpp-python's own server, of the version that the gateway builds on; in a virtual environment of its own.

It answers one request after another. As it ships, a new request ends the stream that is running: that is switched off,
or no answer would be whole. Everything else is left as it comes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.peers.peer import NotHere, Peer
from bench.peers.served import Served
from bench.process import free_port
from gateway.core.errors import ConfigurationError
from gateway.setup.engine import ensure_engine

EXTRAS = "llama-cpp-python[server]"


def _python(cache: Path) -> Path:
    home = cache / "bench-llama-cpp-server"
    python = home / "bin" / "python"
    stamp = home / "done"
    if not stamp.exists():
        print(f"installing {EXTRAS} into {home} (once; the wheel is the one that the gateway uses) …", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            ensure_engine(lambda line: print(line, file=sys.stderr), python=python)
            subprocess.run([python, "-m", "pip", "install", "--quiet", EXTRAS], check=True)
        except (subprocess.CalledProcessError, ConfigurationError) as error:
            raise NotHere(f"{EXTRAS} could not be installed") from error
        stamp.touch()
    return python


def peer(work: Path, served: Served, cache: Path) -> Peer:
    port = free_port()
    options = {
        "--model": served.file,
        "--model_alias": "local",
        "--host": "127.0.0.1",
        "--port": port,
        "--n_ctx": served.context,
        "--n_threads": served.threads,
        "--n_threads_batch": served.threads,
        "--interrupt_requests": "false",
    }
    command = (str(_python(cache)), "-m", "llama_cpp.server", *(str(part) for pair in options.items() for part in pair))
    return Peer("llama_cpp.server", command, port, "/v1/models", "local", work)

"""LiteLLM proxy: one worker, production mode, no database, no classification; in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.peers.peer import NotHere, Peer
from bench.process import free_port

RELEASE = "litellm[proxy]==1.102.4"

_CONFIG = """\
model_list:
  - model_name: large
    litellm_params: {{model: openai/bench, api_base: "http://127.0.0.1:{upstream}/v1", api_key: sk-bench}}
litellm_settings: {{drop_params: true, num_retries: 0, telemetry: false, set_verbose: false}}
"""
# Nothing is looked up outside, and the settings are those that its own documentation recommends for production.
_ENV = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
    "DISABLE_ADMIN_UI": "True",
}


def _installed(cache: Path) -> Path:
    home = cache / "bench-litellm"
    command = home / "bin" / "litellm"
    if not command.exists():
        print(f"installing {RELEASE} into {home} (once) …", file=sys.stderr)
        try:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            subprocess.run([home / "bin" / "python", "-m", "pip", "install", "--quiet", RELEASE], check=True)
        except subprocess.CalledProcessError as error:
            raise NotHere(f"{RELEASE} could not be installed") from error
    return command


def peer(work: Path, upstream: int, cache: Path) -> Peer:
    port, config = free_port(), work / "litellm.yaml"
    config.write_text(_CONFIG.format(upstream=upstream))
    command = (
        str(_installed(cache)),
        "--config",
        str(config),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--num_workers",
        "1",
    )
    return Peer("LiteLLM proxy", command, port, "/health/liveliness", "large", work, _ENV)

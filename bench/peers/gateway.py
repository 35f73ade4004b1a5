"""The gateway with its whole line on: detectors, score, default policy, cache, audit with fsync; no local model."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.peers.peer import NotHere, Peer
from bench.process import free_port

ROOT = Path(__file__).resolve().parents[2]

_CONFIG = """\
server: {{host: 127.0.0.1, port: {port}}}
auth: {{mode: none}}
policy: {{path: {policy}}}
backends:
  - name: large
    zone: remote
    wire: openai
    base_url: "http://127.0.0.1:{upstream}/v1"
    model: bench
    api_key_env: BENCH_KEY
cache: {{url: "memory://", ttl_s: 3600, max_mb: {cache_mb}}}
audit: {{dir: {audit}}}
"""


def peer(work: Path, upstream: int, cache_mb: int = 64) -> Peer:
    command = Path(sys.executable).with_name("gateway")
    if not command.exists():
        raise NotHere(f"{command} does not exist: run 'make install'")
    port, config = free_port(), work / "gateway.yaml"
    policy = ROOT / "policies" / "default.yaml"
    audit = work / "audit"
    config.write_text(_CONFIG.format(port=port, policy=policy, upstream=upstream, cache_mb=cache_mb, audit=audit))
    env = {"GATEWAY_LOCAL": "canned", "BENCH_KEY": "sk-bench"}
    return Peer(
        "gateway", (str(command), "serve", "--config", str(config)), port, "/readyz?zone=remote", "auto", work, env
    )

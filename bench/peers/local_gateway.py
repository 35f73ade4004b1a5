"""The gateway before its own local engine, whole line on: detectors, score, default policy, cache, audit with fsync."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.peers.peer import NotHere, Peer
from bench.peers.served import Served
from bench.process import free_port

ROOT = Path(__file__).resolve().parents[2]

_CONFIG = """\
server: {{host: 127.0.0.1, port: {port}}}
auth: {{mode: none}}
policy: {{path: {policy}}}
backends: []
local:
  model: {model}
  languages: [en]
  context: {context}
  threads: {threads}
  parallel: {slots}
  encode: "{encode}"
  isolation: {isolation}
  context_overflow: {overflow}
audit: {{dir: {audit}}}
"""


def peer(work: Path, served: Served) -> Peer:
    command = Path(sys.executable).with_name("gateway")
    if not command.exists():
        raise NotHere(f"{command} does not exist: run 'make install'")
    port, config = free_port(), work / "gateway.yaml"
    config.write_text(
        _CONFIG.format(
            port=port,
            policy=ROOT / "policies" / "default.yaml",
            model=served.file,
            context=served.context,
            threads=served.threads,
            slots=served.slots,
            encode=served.encode,
            isolation=served.isolation,
            overflow=served.overflow,
            audit=work / "audit",
        )
    )
    return Peer("gateway", (str(command), "serve", "--config", str(config)), port, "/readyz?zone=local", "local", work)

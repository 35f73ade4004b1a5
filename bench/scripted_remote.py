"""An OpenAI-compatible remote on loopback that knows the shipped probes: right by their gold answers, wrong at times.

`python -m bench.scripted_remote PORT` serves until it is ended. It stands in for a large model where none may be
called: how often it errs grows with a probe's level (`WRONG`), and which probes it gets wrong is the same at every run.
Where a name was replaced on its way out, the answer names the placeholder, as a model that reads it would.
"""

from __future__ import annotations

import json
import re
import sys
import zlib
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from gateway.calibrate.probes import Probe, load

WRONG: Mapping[str, float] = {"trivial": 0.01, "easy": 0.03, "medium": 0.08, "hard": 0.25}
SAID: Mapping[str, str] = {
    "last-element": "xs[-1]",
    "sql-count": "SELECT COUNT(*) FROM orders;",
    "five-words": "Il mare è molto blu.",
    "all-s": "Seven sailors sail southern seas.",
    "only-ok": "OK",
    "three-colours": "red, green, blue",
}
"""Answers to probes whose gold answer is a pattern."""
DOUBT = "I am not sure about that, sorry."
_PLACEHOLDER = re.compile(r"\[[A-Z]+(?:_[A-Za-z0-9]+)+\]")


def golden(probe: Probe) -> str:
    """An answer that is right."""
    match probe.check:
        case "one_of":
            return str(probe.gold[0])
        case "contains_all":
            said = " ".join(str(alternatives[0]) for alternatives in probe.gold)
            least = probe.words[0] if probe.words else 1
            return said + " …" * max(0, least - len(said.split()))
        case "json_equals":
            return json.dumps(probe.gold, ensure_ascii=False)
        case "regex":
            item = probe.id.removesuffix(f".{probe.lang}")
            return SAID.get(item) or probe.prompt.rpartition(" ")[2].upper()
    return str(probe.gold)


class Script:
    """What is answered to which prompt."""

    def __init__(self, probes: Iterable[Probe]) -> None:
        self._probes = {probe.prompt: probe for probe in probes}

    def answer(self, prompt: str) -> str:
        probe, names = self._probes.get(prompt), dict[str, str]()
        if probe is None and _PLACEHOLDER.search(prompt):
            probe, names = self._masked(prompt)
        if probe is None or _share(probe.id) < WRONG[probe.level]:
            return DOUBT
        said = golden(probe)
        for name, placeholder in names.items():
            said = said.replace(name, placeholder).replace(name.lower(), placeholder)
        return said

    def _masked(self, prompt: str) -> tuple[Probe | None, dict[str, str]]:
        placeholders = _PLACEHOLDER.findall(prompt)
        pattern = re.compile("(.+?)".join(map(re.escape, _PLACEHOLDER.split(prompt))), re.DOTALL)
        for text, probe in self._probes.items():
            if (found := pattern.fullmatch(text)) is not None:
                return probe, dict(zip(found.groups(), placeholders, strict=True))
        return None, {}


def _share(name: str) -> float:
    return zlib.crc32(name.encode()) / 2**32


def completion(text: str) -> dict[str, Any]:
    tokens = max(1, len(text) // 4)
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "scripted",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}],
        "usage": {"prompt_tokens": 40, "completion_tokens": tokens, "total_tokens": 40 + tokens},
    }


def server(port: int = 0) -> ThreadingHTTPServer:
    """Not serving yet; `server_address[1]` is its port."""
    script = Script(load())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = json.dumps(completion(script.answer(body["messages"][-1]["content"]))).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Prompts stay out of terminals."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


if __name__ == "__main__":
    serving = server(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    print(f"http://127.0.0.1:{serving.server_address[1]}/v1", flush=True)
    serving.serve_forever()

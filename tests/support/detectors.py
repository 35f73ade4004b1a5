"""What stands behind optional detectors in tests: a tiny model, a server, an analyzer, a local model with opinions."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio

from gateway.core.types import BackendSpec, Chunk, Decision, Pieces, Request, Zone
from gateway.detect.tier import Span
from gateway.detect.walk import Text

NAMES = re.compile(r"Mario Rossi|Anna Bianchi")


def write_model(folder: Path, *, inputs: Sequence[str] = ("input_ids", "attention_mask")) -> Path:
    """A token classifier that knows four words: each token's label is looked up in a table."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from tokenizers.processors import TemplateProcessing

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "Mario", "Rossi", "Anna", "Bianchi", "Rome"]
    labels = ["O", "B-PER", "I-PER", "B-LOC"]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    table = np.zeros((len(words), len(labels)), dtype=np.float32)
    table[:, 0] = 4.0
    for word, label in {"Mario": 1, "Anna": 1, "Rossi": 2, "Bianchi": 2, "Rome": 3}.items():
        table[words.index(word)] = 0.0
        table[words.index(word), label] = 5.0
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["found"])]
    last = "found"
    for extra in inputs[1:]:  # as real models do, it uses what it is given
        nodes += [
            helper.make_node("Cast", [extra], [f"{extra}_f"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", [f"{extra}_f"], [f"{extra}_m"], keepdims=0),
            helper.make_node("Mul", [f"{extra}_m", "zero"], [f"{extra}_z"]),
            helper.make_node("Add", [last, f"{extra}_z"], [f"{extra}_out"]),
        ]
        last = f"{extra}_out"
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, [1, None]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, None, len(labels)])],
        [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array(0, dtype=np.float32), "zero")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"id2label": {str(n): label for n, label in enumerate(labels)}}))
    return folder


@dataclass
class Entity:
    entity_type: str
    start: int
    end: int
    score: float


class FakeAnalyzer:
    """Of the shape of `presidio_analyzer.AnalyzerEngine`: it knows two people and every address of electronic mail."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def get_supported_entities(self, language: str | None = None) -> list[str]:
        return ["PERSON", "EMAIL_ADDRESS", "LOCATION", "DATE_TIME"]

    def analyze(
        self, text: str, language: str, entities: list[str] | None = None, score_threshold: float | None = None
    ) -> list[Entity]:
        self.asked.append((language, text))
        found = [Entity("PERSON", *match.span(), 0.85) for match in NAMES.finditer(text)]
        found += [Entity("EMAIL_ADDRESS", *match.span(), 1.0) for match in re.finditer(r"\w+@\w+\.org", text)]
        return [each for each in found if each.entity_type in (entities or ()) and each.score >= (score_threshold or 0)]


@dataclass
class DetectorServer:
    """A server of the detector protocol, and what it was told. `answer` may be changed between requests."""

    url: str
    answer: Callable[[list[str]], tuple[int, bytes]]
    bodies: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def spans_of(texts: list[str]) -> tuple[int, bytes]:
    found = [
        [{"start": m.start(), "end": m.end(), "kind": "person", "confidence": 0.9} for m in NAMES.finditer(text)]
        for text in texts
    ]
    return 200, json.dumps({"findings": found}).encode()


@contextmanager
def detector_server(tls: ssl.SSLContext | None = None) -> Iterator[DetectorServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            told.bodies.append(body)
            told.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, answer = told.answer(body["texts"])
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("location", told.url)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """A client that left is no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        told = DetectorServer(f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}/find", spans_of)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield told
        finally:
            server.shutdown()
            thread.join()


class Opinionated:
    """A local model that calls private what holds one of its words, and remembers what it was asked."""

    honours = frozenset({"messages", "response_format", "temperature", "max_tokens"})

    def __init__(
        self, *words: str, says: str | None = None, fails: Exception | None = None, hangs: bool = False
    ) -> None:
        self.spec = BackendSpec("local", Zone.LOCAL, "llama", "tiny", digest="d1")
        self.requests: list[Request] = []
        self.closed = 0
        self._words, self._says, self._fails, self._hangs = words, says, fails, hangs

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        self.requests.append(request)
        try:
            if self._hangs:
                await anyio.sleep_forever()
            if self._fails is not None:
                raise self._fails
            asked = str(request.messages[-1]["content"])
            verdict = json.dumps({"private": any(word in asked for word in self._words)})
            said = verdict if self._says is None else self._says
            yield [Chunk(delta={"content": said[:5]}), Chunk(delta={"content": said[5:]}, finish="stop")]
        finally:
            self.closed += 1


class Names:
    """A finder of two names that can be told to fail, to hang or to lie."""

    def __init__(self, name: str = "fake", *, fails: Exception | None = None, hangs: bool = False, **span: Any) -> None:
        self.name, self.pack = name, f"{name}-1"
        self.words = frozenset({("person", "person")})
        self.asked: list[list[str]] = []
        self.closed = False
        self._fails, self._hangs, self._span = fails, hangs, span

    def pick(self, texts: Sequence[Text]) -> Sequence[Text]:
        return texts

    async def find(self, texts: Sequence[str]) -> Sequence[Sequence[Span]]:
        self.asked.append(list(texts))
        if self._hangs:
            await anyio.sleep_forever()
        if self._fails is not None:
            raise self._fails
        plain = Span(0, 0, "person", "person", 0.9)
        return [
            [plain._replace(**{"start": m.start(), "end": m.end(), **self._span}) for m in NAMES.finditer(text)]
            for text in texts
        ]

    async def aclose(self) -> None:
        self.closed = True

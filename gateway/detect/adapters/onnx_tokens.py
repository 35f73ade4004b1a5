"""A token classifier in ONNX as a tier: names, addresses and whatever else a model in a local folder was taught.

Long texts are read in windows that overlap; of a token that stands in two of them, the reading further from the edge
counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from gateway.core.errors import ConfigurationError
from gateway.detect.adapters.labels import Grouping, meanings
from gateway.detect.adapters.options import OnnxOptions
from gateway.detect.tier import Span
from gateway.detect.walk import Text
from gateway.detect.worker import Worker

INSTALL = "pip install 'slm-gateway[onnx]'"
_FILES = ("model.onnx", "tokenizer.json", "config.json")


class OnnxFinder:
    """Everything of the model stays in this process; nothing is fetched."""

    name = "onnx"

    def __init__(self, folder: Path, options: OnnxOptions) -> None:
        """Raises ConfigurationError where the libraries or one of the files are missing or do not fit together."""
        self._window = options.window
        self._session, self._tokenizer = _load(folder, options.threads)
        self._inputs = {each.name for each in self._session.get_inputs()}
        labels = _labels(folder)
        self._grouping = Grouping(labels, meanings(labels, options.labels), options.threshold)
        self._pack = _digest(folder, options)
        self._worker = Worker(self.name)

    @property
    def pack(self) -> str:
        return self._pack

    @property
    def words(self) -> frozenset[tuple[str, str]]:
        return self._grouping.words

    def pick(self, texts: Sequence[Text]) -> Sequence[Text]:
        return texts

    async def find(self, texts: Sequence[str]) -> Sequence[Sequence[Span]]:
        # one call for each text: a request that gives up leaves the thread after the text it is at
        return [await self._worker.run(partial(self._spans, text)) for text in texts]

    async def aclose(self) -> None:
        self._worker.close()

    def _spans(self, text: str) -> list[Span]:
        import numpy as np

        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        ids, offsets = encoded.ids, encoded.offsets
        if not ids:
            return []
        before, after = self._special()
        room = self._window - len(before) - len(after)
        step = max(1, room - room // 4)
        best = np.full(len(ids), -1)
        logits: Any = None
        for start in range(0, max(1, len(ids) - room // 4), step):
            part = ids[start : start + room]
            out = self._run([*before, *part, *after])[len(before) : len(before) + len(part)]
            if logits is None:
                logits = np.zeros((len(ids), out.shape[-1]), dtype=np.float32)
            at = np.arange(len(part))
            inner = np.minimum(at + (start == 0) * room, len(part) - 1 - at + (start + room >= len(ids)) * room)
            better = inner > best[start : start + len(part)]
            best[start : start + len(part)][better] = inner[better]
            logits[start : start + len(part)][better] = out[better]
        return self._grouping.spans(_softmax(logits), offsets, text)

    def _special(self) -> tuple[list[int], list[int]]:
        """What the tokenizer puts around a text: [CLS] and [SEP] or their like."""
        encoded = self._tokenizer.encode("", add_special_tokens=True).ids
        return encoded[:1], encoded[1:]

    def _run(self, ids: list[int]) -> Any:
        import numpy as np

        row = np.array([ids], dtype=np.int64)
        given = {"input_ids": row, "attention_mask": np.ones_like(row), "token_type_ids": np.zeros_like(row)}
        out = self._session.run(None, {name: value for name, value in given.items() if name in self._inputs})[0]
        if not np.isfinite(out).all():
            raise ValueError("the model's answer holds no numbers")
        return out[0]


def _softmax(logits: Any) -> Any:
    import numpy as np

    grown = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return grown / grown.sum(axis=-1, keepdims=True)


def _load(folder: Path, threads: int) -> tuple[Any, Any]:
    try:
        import onnxruntime
        from tokenizers import Tokenizer
    except ImportError:
        raise ConfigurationError(f"detect.onnx needs onnxruntime and tokenizers: {INSTALL}") from None
    for name in _FILES:
        if not (folder / name).is_file():
            raise ConfigurationError(f"detect.onnx: there is no {name!r} in {str(folder)!r}")
    wanted = onnxruntime.SessionOptions()
    wanted.intra_op_num_threads = threads
    wanted.inter_op_num_threads = 1
    wanted.log_severity_level = 4  # it writes to stderr, past the log
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        session = onnxruntime.InferenceSession(folder / "model.onnx", wanted, providers=["CPUExecutionProvider"])
    except Exception as error:  # the libraries raise classes of their own, and bare Exception
        raise ConfigurationError(f"detect.onnx: cannot load {str(folder)!r}: {type(error).__name__}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    inputs = {each.name for each in session.get_inputs()}
    if "input_ids" not in inputs or not inputs <= {"input_ids", "attention_mask", "token_type_ids"}:
        raise ConfigurationError(f"detect.onnx: {str(folder)!r} is no token classifier: it takes {sorted(inputs)}")
    return session, tokenizer


def _labels(folder: Path) -> dict[int, str]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return {int(number): str(label) for number, label in config["id2label"].items()}
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        raise ConfigurationError(f"detect.onnx: config.json in {str(folder)!r} has no id2label") from None


def _digest(folder: Path, options: OnnxOptions) -> str:
    told: Mapping[str, Any] = options.model_dump(mode="json", include={"threshold", "labels", "window"})
    total = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name in _FILES:
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()

"""LoRA adapters: small files that give the local model another voice, loaded beside it and chosen per request."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gateway.core.errors import ConfigurationError
from gateway.core.types import Json
from gateway.engine.files.digest import known_sha256_of
from gateway.engine.files.gguf import FLOAT32, Head, NotGGUF, read_head

_KINDS = {0: "F32", 1: "F16", 8: "Q8_0", 30: "BF16"}
"""Types of elements that llama.cpp's converter writes; with some others computing ends the process."""


@dataclass(frozen=True, slots=True)
class AdapterFile:
    """An adapter as the operator named it."""

    name: str
    path: Path
    sha256: str | None = None
    """None: the operator vouches for the file; `verified` writes down what it holds."""
    scale: float = 1.0
    """How strongly it speaks; 1 = as it was trained."""

    def to_frame(self) -> dict[str, Json]:
        return {"name": self.name, "path": str(self.path), "sha256": self.sha256, "scale": self.scale}

    @classmethod
    def from_frame(cls, frame: Mapping[str, Json]) -> AdapterFile:
        return cls(frame["name"], Path(frame["path"]), frame["sha256"], frame["scale"])


def verified(file: AdapterFile) -> AdapterFile:
    """The same with the digest of its content. Raises ConfigurationError when it is missing or another one."""
    if not file.path.is_file():
        raise ConfigurationError(f"{_named(file)}: no file {str(file.path)!r}; name a GGUF file")
    try:
        actual = known_sha256_of(file.path)
    except OSError as error:
        raise ConfigurationError(f"{_named(file)}: cannot read {str(file.path)!r}: {error.strerror}") from None
    if file.sha256 is not None and actual != file.sha256:
        raise ConfigurationError(
            f"{_named(file)}: {str(file.path)!r} has sha256 {actual}, expected {file.sha256}: it was changed or damaged"
        )
    return replace(file, sha256=actual)


def identity(files: Sequence[AdapterFile]) -> list[Json]:
    """What of these adapters makes the model answer as it does, for the backend's digest. Takes verified files."""
    return [[file.name, file.sha256, file.scale] for file in files]


def load_adapters(model: Any, files: Sequence[AdapterFile]) -> dict[str, Any]:
    """llama.cpp's pointers by name; they are freed with the model. Raises ConfigurationError.

    `model` is a llama_model_p. The files are compared with their digests once more: what the audit log names is what
    answers, also after a restart of the worker.
    """
    from llama_cpp import llama_cpp as lib

    architecture = _architecture(lib, model)
    loaded: dict[str, Any] = {}
    for file in files:
        verified(file)
        _check(file, architecture)
        adapter = lib.llama_adapter_lora_init(model, os.fsencode(file.path))
        if not adapter:
            raise ConfigurationError(
                f"{_named(file)}: {file.path.name!r} does not fit this model: "
                "it was made for one with other layers or sizes, or is cut off"
            )
        loaded[file.name] = adapter
    return loaded


def _check(file: AdapterFile, architecture: str) -> None:
    try:
        problem = _problem(read_head(file.path), architecture, file.path.stat().st_size)
    except (NotGGUF, OSError) as error:
        problem = str(error) if isinstance(error, NotGGUF) else f"it cannot be read ({error.strerror})"
    if problem is not None:
        raise ConfigurationError(f"{_named(file)}: {file.path.name!r} is not usable: {problem}")


def _problem(head: Head, architecture: str, size: int) -> str | None:
    values = head.values
    if values.get("general.type") != "adapter":
        return "it is no adapter; local.model names models, local.adapters what convert_lora_to_gguf.py makes"
    if values.get("adapter.type") != "lora":
        return "it is an adapter of another kind than LoRA"
    if values.get("general.architecture") != architecture:
        return f"it was made for a model of another architecture than {architecture!r}"
    alpha = values.get("adapter.lora.alpha", 1.0)
    if head.kinds.get("adapter.lora.alpha", FLOAT32) != FLOAT32 or not math.isfinite(alpha):
        return "its adapter.lora.alpha is no 32-bit number"
    if "adapter.alora.invocation_tokens" in values:
        return "it is an activated LoRA, which wants to be switched on in the middle of a prompt"
    if not head.tensors:
        return "it holds no weights"
    if any(tensor.kind not in _KINDS for tensor in head.tensors):
        return f"its weights are of another type than {', '.join(_KINDS.values())}"
    if any(not 0 < tensor.elements <= size for tensor in head.tensors):
        return "it claims to hold more weights than fit into it"
    return None


def _architecture(lib: Any, model: Any) -> str:
    room = ctypes.create_string_buffer(128)
    lib.llama_model_meta_val_str(model, b"general.architecture", room, len(room))
    return room.value.decode("utf-8", "replace")


def _named(file: AdapterFile) -> str:
    return f"local.adapters {file.name!r}"

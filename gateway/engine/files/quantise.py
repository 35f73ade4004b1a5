"""Writes a model file in another format: `python -m gateway.engine.files.quantise`, an errand of `encode`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from gateway.engine.files.errand import run
from gateway.engine.files.gguf import read_head
from gateway.engine.files.weights import SLOW, check_whole
from gateway.engine.frames import Frame

FTYPES = {"Q8_0": 7, "Q4_K_M": 15}
"""llama.cpp's numbers for recipes of whole files."""
_Q4_0 = 2
_BUFFER = 256 << 20
"""Rows are converted in pieces of so many bytes, however big their matrix is."""


def quantise(job: Frame) -> Iterator[Frame]:
    """Nothing is sent: the file is there and whole, or this raises."""
    source, target, recipe, threads = Path(job["source"]), Path(job["target"]), job["recipe"], job["threads"]
    _write(source, target, recipe, threads)
    if slow := [tensor.name for tensor in read_head(target).tensors if tensor.kind in SLOW]:
        # Rows that do not divide by 256 have no Q4_K: llama.cpp takes Q5_0, slower than Q8_0 is.
        _write(source, target, recipe, threads, dict.fromkeys(slow, _Q4_0))
    # A full disk is reported for some writes only.
    check_whole(read_head(target), target)
    with target.open("rb") as written:
        os.fsync(written.fileno())
    yield from ()


def _write(
    source: Path, target: Path, recipe: str, threads: int, otherwise: Mapping[str, int] = MappingProxyType({})
) -> None:
    """`otherwise`: formats of weights by name, where not the recipe's."""
    from llama_cpp import llama_cpp as lib

    silent = lib.llama_log_callback(lambda _level, _text, _data: None)
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    params = lib.llama_model_quantize_default_params()
    params.ftype = FTYPES[recipe]
    params.allow_requantize = True
    params.nthread = threads
    params.max_buf_size = _BUFFER
    # Ends with an empty one. A pattern is what it wants: an exact name with its dots escaped is one.
    overrides = (lib.llama_model_tensor_override * (len(otherwise) + 1))()
    for place, (name, kind) in zip(overrides, otherwise.items(), strict=False):
        place.pattern, place.type = f"^{re.escape(name)}$".encode(), kind
    params.tt_overrides = overrides
    if lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), params) != 0:
        raise RuntimeError("llama.cpp could not convert it")


if __name__ == "__main__":
    run(quantise)

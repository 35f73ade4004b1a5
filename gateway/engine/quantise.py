"""Writes a model file in another format: `python -m gateway.engine.quantise`, an errand of `encode`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from gateway.engine.errand import run
from gateway.engine.frames import Frame
from gateway.engine.gguf import read_head
from gateway.engine.weights import check_whole

FTYPES = {"Q8_0": 7, "Q4_K_M": 15}
"""llama.cpp's numbers for recipes of whole files."""
_BUFFER = 256 << 20
"""Rows are converted in pieces of so many bytes, however big their matrix is."""


def quantise(job: Frame) -> Iterator[Frame]:
    """Nothing is sent: the file is there and whole, or this raises."""
    from llama_cpp import llama_cpp as lib

    source, target = Path(job["source"]), Path(job["target"])
    silent = lib.llama_log_callback(lambda _level, _text, _data: None)
    lib.llama_log_set(silent, None)
    lib.llama_backend_init()
    params = lib.llama_model_quantize_default_params()
    params.ftype = FTYPES[job["recipe"]]
    params.allow_requantize = True
    params.nthread = job["threads"]
    params.max_buf_size = _BUFFER
    if lib.llama_model_quantize(os.fsencode(source), os.fsencode(target), params) != 0:
        raise RuntimeError("llama.cpp could not convert it")
    # It reports a full disk for some writes only.
    check_whole(read_head(target), target)
    with target.open("rb") as written:
        os.fsync(written.fileno())
    yield from ()


if __name__ == "__main__":
    run(quantise)

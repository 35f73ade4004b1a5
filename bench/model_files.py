"""The model files of a measurement: the default model as it is shipped, and the same in Q8_0 for everybody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import DEFAULT_MODEL, find
from gateway.setup import ensure_model


def shipped() -> Path:
    try:
        return find(DEFAULT_MODEL).path
    except ConfigurationError:
        ensure_model(DEFAULT_MODEL, lambda line: print(line, file=sys.stderr))
        return find(DEFAULT_MODEL).path


def q8_0(cache: Path) -> Path:
    """The shipped file in Q8_0, made once; in a process of its own, because llama.cpp speaks a lot meanwhile."""
    made = cache / "bench-models" / "SmolLM2-135M-Instruct.Q8_0.gguf"
    if not made.exists():
        made.parent.mkdir(parents=True, exist_ok=True)
        part = made.with_suffix(".part")
        subprocess.run([sys.executable, "-m", "bench.model_files", shipped(), part], check=True, capture_output=True)
        part.rename(made)
    return made


def _quantize(source: str, target: str) -> int:
    import ctypes

    import llama_cpp

    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0
    params.allow_requantize = True
    return int(llama_cpp.llama_model_quantize(source.encode(), target.encode(), ctypes.byref(params)))


if __name__ == "__main__":
    sys.exit(_quantize(sys.argv[1], sys.argv[2]))

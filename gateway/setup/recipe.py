"""How llama-cpp-python is built here, and the name under which the finished wheel is kept."""

from __future__ import annotations

import hashlib
import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.engine.files.places import cache_dir

_ACCELERATORS = {
    "cpu": ("-DGGML_NATIVE=ON", "-DGGML_METAL=OFF"),
    "portable": ("-DGGML_NATIVE=OFF", "-DGGML_METAL=OFF"),
    "metal": ("-DGGML_NATIVE=ON", "-DGGML_METAL=ON"),
    "cuda": ("-DGGML_NATIVE=ON", "-DGGML_CUDA=ON", "-DGGML_METAL=OFF"),
}
"""All but `portable` use every instruction of the processor they are built on: a fifth faster with AVX-512."""
_NO_COMMON = "set(LLAMA_BUILD_COMMON OFF)\n"
"""Their CMake file forces this option on in the cache; a normal variable set first wins. It halves the build."""


_WHAT_IT_CAN = ("flags", "Features")
"""The lines of /proc/cpuinfo that name instructions, on x86 and on ARM."""


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """A short name for what this processor can do: a wheel built for another one may die of an illegal instruction."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    able = next((line for line in lines if line.split(":")[0].strip() in _WHAT_IT_CAN), platform.processor())
    return hashlib.sha256(" ".join(sorted(able.split())).encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Recipe:
    requirement: str
    """The lock's entry, version and hashes."""
    accelerator: str
    extra: str = ""
    """The operator's own CMAKE_ARGS, put last so that they win."""
    machine: str = ""

    @classmethod
    def here(cls, requirement: str, environ: Mapping[str, str]) -> Recipe:
        """The recipe for this machine. Raises ConfigurationError for an unknown GATEWAY_ACCEL."""
        apple = sys.platform == "darwin" and platform.machine() == "arm64"
        accelerator = environ.get("GATEWAY_ACCEL") or ("metal" if apple else "cpu")
        if accelerator not in _ACCELERATORS:
            raise ConfigurationError(f"GATEWAY_ACCEL is {accelerator!r}; it must be one of cpu, portable, metal, cuda")
        machine = "-".join((sysconfig.get_platform(), *platform.libc_ver()))
        if accelerator != "portable":
            machine = f"{machine}-{processor()}"
        return cls(requirement, accelerator, environ.get("CMAKE_ARGS", ""), machine)

    @property
    def flags(self) -> tuple[str, ...]:
        return ("-DLLAVA_BUILD=OFF", *_ACCELERATORS[self.accelerator])

    @property
    def key(self) -> str:
        parts = (self.requirement, self.machine, *self.flags, self.extra, _NO_COMMON)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    def folder(self) -> Path:
        """Where the finished wheel lies, in the user's cache: a second environment installs it in seconds."""
        return cache_dir() / "wheels" / f"{self.accelerator}-{self.key}"

    def wheel(self) -> Path | None:
        return next(iter(sorted(self.folder().glob("*.whl"))), None)

    def environment(self, environ: Mapping[str, str], scratch: Path) -> dict[str, str]:
        """The build's environment; writes the file that CMake is told to read."""
        include = scratch / "no-common.cmake"
        include.write_text(_NO_COMMON)
        arguments = [*self.flags, f"-DCMAKE_PROJECT_INCLUDE={include}", self.extra]
        return {**environ, "CMAKE_ARGS": " ".join(part for part in arguments if part)}

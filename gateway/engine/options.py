"""How the local model is run: what it may take of the machine, who waits how long, and how it speaks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gateway.core.errors import ConfigurationError
from gateway.engine.files.adapters import AdapterFile
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.machine import physical_cores
from gateway.engine.messages import SYSTEM_PROMPT

CHARACTERS_PER_TOKEN = 256
"""No tokenizer puts more into one token, long runs of spaces excepted."""

SHIFTED_CONTEXTS = 4
"""A prompt that is shifted while it is read may be so many times longer; the rest is read for nothing."""

LEAST_CONTEXT = 16


@dataclass(frozen=True, slots=True)
class EngineOptions:
    # -- what it may take
    context: int = 4096
    """Tokens of each answer's prompt and text together."""
    context_overflow: Literal["error", "shift"] = "error"
    threads: int | None = None
    """None = as many as the machine has physical cores."""
    parallel: int | None = None
    """Answers made at once; None = as many as memory suggests."""
    isolation: Literal["process", "thread"] = "process"
    encode: Literal["auto", "fast", "off"] = "off"
    keep_s: float | None = None
    """Seconds without a request after which what former ones left in memory is overwritten; None = never."""

    # -- who waits how long
    queue: int = 32
    """Requests that may wait, …"""
    share: int | None = None
    """… so many of them of one tenant; None = all."""
    start_wait_s: float = 60
    """For the model to be loaded."""
    wait_s: float = 60
    """For one's turn."""
    answer_s: float = 600
    """From its turn on."""

    # -- how it speaks
    name: str = "local"
    languages: frozenset[str] | None = None
    """None = those of the catalogue."""
    system_prompt: str = SYSTEM_PROMPT
    max_tokens: int | None = None
    """The longest answer where the client sets no limit; None = as far as the context goes."""
    adapters: tuple[AdapterFile, ...] = ()

    @property
    def most_characters(self) -> int:
        """Of a prompt: a longer one does not fit for certain."""
        return self.context * CHARACTERS_PER_TOKEN * (SHIFTED_CONTEXTS if self.context_overflow == "shift" else 1)

    def fit(self, model: ModelFile) -> None:
        """Raises ConfigurationError where the model cannot be run so."""
        if model.context and self.context > model.context:
            raise ConfigurationError(
                f"local.context is {self.context}, but {model.id!r} was trained for {model.context}"
            )
        if self.context < LEAST_CONTEXT:
            raise ConfigurationError(f"local.context is {self.context}; it must be at least {LEAST_CONTEXT}")

    def to_frame(self, model: ModelFile) -> Mapping[str, Any]:
        """What the worker is told to load."""
        return {
            "path": str(model.path),
            "sha256": model.sha256,
            "context": self.context,
            "threads": self.threads or physical_cores(),
            "max_tokens": self.max_tokens,
            "parallel": self.parallel,
            "context_overflow": self.context_overflow,
            "system_prompt": self.system_prompt,
            "keep_s": self.keep_s,
            "encode": self.encode,
            "adapters": [file.to_frame() for file in self.adapters],
        }

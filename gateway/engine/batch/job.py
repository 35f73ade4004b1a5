"""A request as the scheduler takes it: prompt in tokens, everything compiled that an answer needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.engine.ask import Ask

if TYPE_CHECKING:
    from gateway.engine.sampling.grammar import Grammar
    from gateway.engine.tools import Syntax


@dataclass(slots=True, eq=False)
class Job:
    """One request with its choices. Belongs to the computing thread once it was handed over."""

    number: int
    ask: Ask
    prompt: Sequence[int]
    seed: int
    limit: int
    """Most tokens of an answer."""
    tenant: str = ""
    adapter: str | None = None
    public: int = 0
    """So many tokens at the prompt's beginning are the operator's own, the same for all tenants."""
    sinks: int = 4
    """So many tokens at the beginning stay when the context shifts."""
    grammar: Grammar | None = None
    syntax: Syntax | None = None
    """How this model writes tool calls; None where the request has no tools."""
    arrived: float = 0.0
    first: int | None = None
    """Number of the sequence in which the first choice stands."""
    open: int = 0
    """Choices that have not ended."""
    made: int = 0
    """Tokens of all choices."""
    cached: int = 0
    """Prompt tokens that the first choice took over from an earlier one."""
    dropped: int = 0
    """Tokens that context shifts dropped, prompt and answer, of all choices."""
    failed: bool = False

    def close(self) -> None:
        if self.grammar is not None:
            self.grammar.close()
            self.grammar = None

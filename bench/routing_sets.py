"""The public sets that are here, by the folders a user names, and why others are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ParamSpec, TypeVar

from bench.routing_rows import (
    GPT4O,
    NotHere,
    Outcomes,
    labelled,
    llmrouter,
    mmlu_dev,
    parallel,
    routellm_gsm8k,
    routellm_mmlu,
    routellm_mt_bench,
)

Given = ParamSpec("Given")
Found = TypeVar("Found")

MODELS = {"Mistral-7B": "mistral-7b-instruct-v0.3", "CodeGemma-7B": "codegemma-7b"}
"""Weak models of LLMRouter; the strong one is Nemotron-51B."""
SIZES = {f"Qwen2.5-{size}": f"Qwen__Qwen2.5-{size}-Instruct-GPTQ-Int4" for size in ("0.5B", "1.5B", "3B")}
"""Weak models of M-IFEval; the strong one is gpt-4o."""
PARALLEL = ("en", "es", "de", "fr")
GRADE_SCHOOL = frozenset({"gsm8k", "agentverse-mgsm"})
"""Tasks of LLMRouter whose questions are GSM8K's."""


@dataclass(slots=True)
class Public:
    """What could be read. `dev`: MMLU is the half that may be looked at while developing."""

    dev: bool = False
    mmlu: Outcomes | None = None
    gsm8k: Outcomes | None = None
    mt_bench: Outcomes | None = None
    llmrouter: dict[str, tuple[Outcomes, Outcomes]] = field(default_factory=dict)
    """By weak model: to learn from, and to be asked about."""
    zeroeval: dict[str, Outcomes] = field(default_factory=dict)
    mifeval: dict[tuple[str, str], Outcomes] = field(default_factory=dict)
    """By weak model and language."""
    parallel: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def routellm(self) -> list[Outcomes]:
        """RouteLLM's own tests: whoever is asked about them has not learnt from them."""
        return [one for one in (self.mmlu, self.gsm8k, self.mt_bench) if one is not None]

    def to_learn(self, model: str = "Mistral-7B", *, without: frozenset[str] = frozenset()) -> Outcomes | None:
        """LLMRouter's training rows without RouteLLM's questions, and without whole tasks where they are named."""
        if model not in self.llmrouter:
            return None
        return self.llmrouter[model][0].without(*self.routellm, quoted=True).where(lambda _, task: task not in without)

    def read(self, name: str, read: Callable[Given, Found], *given: Given.args, **named: Given.kwargs) -> Found | None:
        try:
            return read(*given, **named)
        except NotHere as reason:
            self.missing[name] = str(reason)
            return None


def public(routellm: Path | None, data: Path | None) -> Public:
    found = Public()
    if routellm:
        found.mmlu = found.read("RouteLLM's MMLU", routellm_mmlu, routellm)
        found.gsm8k = found.read("RouteLLM's GSM8K", routellm_gsm8k, routellm)
        found.mt_bench = found.read("RouteLLM's MT-Bench", routellm_mt_bench, routellm)
    if data:
        if found.mmlu is None:
            found.mmlu, found.dev = found.read("MMLU, 27 subjects", mmlu_dev, data), True
        _folder(found, data)
    return found


def _folder(found: Public, data: Path) -> None:
    for name, model in MODELS.items():
        if pair := found.read("LLMRouter", llmrouter, data, model):
            found.llmrouter[name] = pair
    for name in ("crux", "math-l5"):
        path, called = data / f"zeroeval_{name}.csv", f"ZeroEval {name}"
        if one := found.read(called, labelled, path, called, "gemma-2-2b-it", GPT4O, text="question"):
            found.zeroeval[name] = one
    for size, model in SIZES.items():
        for code in ("en", "es", "fr"):
            called = f"M-IFEval {code}"
            if one := found.read(called, labelled, data / f"mifeval_{code}.csv", called, model, GPT4O):
                found.mifeval[size, code] = one
    found.parallel = found.read("parallel MGSM", parallel, data, PARALLEL) or {}

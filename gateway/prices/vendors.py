"""litellm's list of prices, read as the file it is: litellm itself is not imported, and nothing is fetched.

A model's name alone says nothing about its price: anybody may serve a `gpt-4.1` of their own. So the list is only asked
where the vendor is known, by the prefix that litellm's names have or by the host that a request goes to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from gateway.core.types import BackendSpec
from gateway.prices.price import FEMTO, Price, Rates

_FILE = "model_prices_and_context_window_backup.json"
_HOSTS: Mapping[str, str] = {
    "api.openai.com": "openai", "openai.azure.com": "azure", "api.mistral.ai": "mistral", "api.groq.com": "groq",
    "api.deepseek.com": "deepseek", "api.x.ai": "xai", "openrouter.ai": "openrouter", "api.together.xyz": "together_ai",
    "api.fireworks.ai": "fireworks_ai", "api.perplexity.ai": "perplexity", "api.cerebras.ai": "cerebras",
    "generativelanguage.googleapis.com": "gemini",
}  # fmt: skip
"""Hosts that speak OpenAI's protocol, and what litellm calls the vendors behind them."""
_MODES = frozenset({"chat", "completion", "responses"})
_BEYOND = re.compile(r"input_cost_per_token_above_(\d+)k_tokens")


def vendor_prices(specs: Iterable[BackendSpec]) -> dict[str, Price]:
    """The price of each backend whose vendor and model the list knows, by the backend's name."""
    wanted = {spec.name: pair for spec in specs if (pair := _vendor(spec)) is not None}
    if not wanted:
        return {}
    entries = _entries()
    found = {name: _entry(entries, vendor, model) for name, (vendor, model) in wanted.items()}
    return {name: price for name, entry in found.items() if entry is not None and (price := _price(entry)) is not None}


def _entries() -> Mapping[str, Any]:
    """The whole list; nothing where litellm is not installed or keeps it otherwise: then no price is known."""
    spec = find_spec("litellm")  # finds it and does not import it
    places = spec.submodule_search_locations if spec else None
    if not places:
        return {}
    try:
        entries = orjson.loads((Path(places[0]) / _FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _vendor(spec: BackendSpec) -> tuple[str, str] | None:
    """(vendor, model) in litellm's words, or None where nobody can say whose model it is."""
    if spec.wire == "litellm":
        vendor, slash, model = spec.model.partition("/")
        if not slash:
            return None
        # `openai/NAME` with an address of its own means any server that speaks the protocol.
        return (vendor, model) if vendor != "openai" or spec.host in ("", vendor) else _by_host(spec)
    return _by_host(spec) if spec.wire == "openai" else None


def _by_host(spec: BackendSpec) -> tuple[str, str] | None:
    model = spec.model.removeprefix("openai/") if spec.wire == "litellm" else spec.model
    for host, vendor in _HOSTS.items():
        if spec.host == host or spec.host.endswith(f".{host}"):
            return vendor, model
    return None


def _entry(entries: Mapping[str, Any], vendor: str, model: str) -> Mapping[str, Any] | None:
    """Under the vendor's prefix, or under the bare name where the entry says that it is this vendor's."""
    for name in (f"{vendor}/{model}", model):
        entry = entries.get(name)
        if not isinstance(entry, dict) or entry.get("mode") not in _MODES:
            continue
        provider = str(entry.get("litellm_provider"))
        if provider == vendor or provider.startswith((f"{vendor}_", f"{vendor}-")):
            return entry
    return None


def _price(entry: Mapping[str, Any]) -> Price | None:
    base = _rates(entry, "")
    if base is None:
        return None
    steps = sorted(int(found[1]) for name in entry if (found := _BEYOND.fullmatch(name)))
    beyond = [(step * 1000, rates) for step in steps if (rates := _rates(entry, f"_above_{step}k_tokens")) is not None]
    return Price(base, tuple(beyond))


def _rates(entry: Mapping[str, Any], suffix: str) -> Rates | None:
    prompt = _femto(entry, f"input_cost_per_token{suffix}")
    completion = _femto(entry, f"output_cost_per_token{suffix}")
    if prompt is None or completion is None:
        return None
    return Rates(
        prompt,
        completion,
        cached=_femto(entry, f"cache_read_input_token_cost{suffix}"),
        written=_femto(entry, f"cache_creation_input_token_cost{suffix}"),
        reasoning=None if suffix else _femto(entry, "output_cost_per_reasoning_token"),
        audio_prompt=_femto(entry, "input_cost_per_audio_token"),
        audio_completion=_femto(entry, "output_cost_per_audio_token"),
    )


def _femto(entry: Mapping[str, Any], name: str) -> int | None:
    """The shortest decimal that means the float is what stands in the file."""
    value = entry.get(name)
    return round(Decimal(repr(value)) * FEMTO) if isinstance(value, int | float) and 0 <= value < 1 else None

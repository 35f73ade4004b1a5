"""The names of the local model's adapters: `local:legal` means the model on this host with adapter `legal`."""

from __future__ import annotations

LOCAL = "local"


def with_adapter(model: str, adapter: str) -> str:
    return f"{model}:{adapter}"


def meant(name: str) -> tuple[str, str | None]:
    """What a name means, less the adapter, and the adapter: ('local', 'legal') for 'local:legal'."""
    model, _, adapter = name.partition(":")
    return (LOCAL, adapter) if model == LOCAL and adapter else (name, None)

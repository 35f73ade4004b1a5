"""What an answer cost, in OpenAI's words, and what of the conversation the local engine forgot on the way, in ours."""

from __future__ import annotations

from gateway.core.types import Json, Usage


def usage_body(usage: Usage) -> dict[str, Json]:
    """OpenAI's `usage` object. What is ours alone stays out of it: clients validate it."""
    details = {name: value for name, value in (usage.details or {}).items() if name != "context"}
    return {
        **details,
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def context_header(usage: Usage | None) -> bytes | None:
    """The value of `x-gateway-context`, where there is something to tell."""
    return b"shifted; dropped=%d" % usage.context_dropped if usage and usage.context_dropped else None

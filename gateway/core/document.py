"""What everybody who reads a request's JSON agrees on: which words in it are the API's own, and how deep it is read."""

from __future__ import annotations

DEPTH = 64
"""Objects and lists inside each other; what lies deeper nobody has read."""

WORDS = frozenset(
    {
        "messages", "role", "content", "model", "type", "text", "name", "id", "tools", "tool_calls", "tool_call_id",
        "function", "arguments", "description", "parameters", "properties", "required", "enum", "items", "title",
        "default", "additionalProperties", "strict", "stream", "stream_options", "include_usage", "temperature",
        "top_p", "n", "stop", "seed", "max_tokens", "max_completion_tokens", "logprobs", "top_logprobs", "logit_bias",
        "presence_penalty", "frequency_penalty", "user", "metadata", "response_format", "json_schema", "schema",
        "tool_choice", "parallel_tool_calls", "store", "prediction", "modalities", "audio", "voice", "format",
        "input_audio", "data", "image_url", "url", "detail", "file", "file_id", "file_data", "filename", "refusal",
        "reasoning_effort", "reasoning_content", "service_tier", "safety_identifier", "prompt_cache_key",
        "web_search_options", "user_location", "functions", "function_call", "prompt", "input", "annotations", "source",
        "parts", "verbosity", "extra_body", "system", "object", "string", "assistant", "tool", "developer",
        "cache_control", "thinking", "instructions", "suffix", "anyOf", "oneOf", "allOf", "$ref", "$defs",
        "attachments", "file_ids", "key", "value", "index", "minimum", "maximum", "pattern", "examples"
    }
)  # fmt: skip
"""Words of the API itself. No detector looks at one that stands alone, no transform changes it, and only these are
spelled out in a path: a key from anywhere else is the user's text, so a path, which goes into logs and records,
numbers it instead."""

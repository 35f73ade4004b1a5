"""A plain JSON schema as a grammar, by llama.cpp's converter with its two mistakes put right."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from llama_cpp.llama_grammar import SchemaConverter

from gateway.core.errors import Unsupported

_LIMIT = 400_000


def _literal(text: str) -> str:
    # The original leaves backslashes alone, so that a constant with a line break yields JSON nobody can read.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'


def _constant(value: Any) -> str:
    # Letters as themselves: a model does not write "caff\u00e8".
    return f"{_literal(json.dumps(value, ensure_ascii=False))} space"


def to_grammar(schema: Mapping[str, Any]) -> str:
    """GBNF for a schema made by `plain_schema`. Raises Unsupported."""
    make: Any = SchemaConverter
    converter = make(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
    converter._format_literal = _literal
    converter._generate_constant_rule = _constant
    try:
        resolved = converter.resolve_refs(json.loads(json.dumps(schema)), "schema")
        converter.visit(resolved, "")
        grammar = converter.format_grammar()
    except (AssertionError, AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise Unsupported("the local model cannot hold to this response_format", param="response_format") from error
    if len(grammar) > _LIMIT:
        raise Unsupported("response_format: the schema is too large", param="response_format")
    # The original lets control characters into strings, where JSON wants them escaped.
    return str(grammar).replace('[^"\\\\] |', '[^"\\\\\\x7F\\x00-\\x1F] |')

"""Schemas: rebuilt from what can be enforced, refused by keyword otherwise, and turned into a grammar of true JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Unsupported
from gateway.engine.grammar import to_grammar
from gateway.engine.schema import plain_schema

PLAIN: dict[str, tuple[Any, Any]] = {
    "type list": (
        {"type": ["string", "null"], "minLength": 2},
        {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]},
    ),
    "notes are left out": ({"type": "string", "title": "T", "format": "email"}, {"type": "string"}),
    "known format": ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    "enum beside a type": ({"type": "string", "enum": ["a"]}, {"enum": ["a"]}),
    "allOf of one": ({"allOf": [{"type": "integer"}], "default": 3}, {"type": "integer"}),
    "no type": ({"items": {"type": "null"}}, {"type": "array", "items": {"type": "null"}}),
    "closed": ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
}


@pytest.mark.parametrize(("schema", "plain"), PLAIN.values(), ids=PLAIN.keys())
def test_a_schema_becomes_plain(schema: Any, plain: Any) -> None:
    assert plain_schema(schema) == plain


def test_definitions_are_renamed_so_that_no_property_is_taken_for_one() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "integer"}, "other": {"$ref": "#/$defs/name"}},
        "$defs": {"name": {"type": "boolean"}},
    }
    grammar = to_grammar(plain_schema(schema))
    assert 'other-kv ::= "\\"other\\"" space ":" space other' in grammar
    assert "other ::= boolean" in grammar


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(None, id="none"),
        pytest.param({"type": "integer", "minimum": 3}, id="minimum"),
        pytest.param({"type": "string", "pattern": "^a$"}, id="pattern"),
        pytest.param({"type": "array", "uniqueItems": True}, id="uniqueItems"),
        pytest.param({"type": "object", "patternProperties": {}}, id="patternProperties"),
        pytest.param({"not": {}}, id="not"),
        pytest.param({"type": "tuple"}, id="strange type"),
        pytest.param({"$ref": "https://example.com/schema"}, id="a reference out of the document"),
        pytest.param({"$ref": "#"}, id="a reference to the whole"),
        pytest.param({"type": "array", "items": {"type": "null"}, "maxItems": 10**9}, id="gigabytes"),
        pytest.param({"type": "string", "minLength": 9, "maxLength": 3}, id="upside down"),
        pytest.param({"type": "string", "maxLength": "9"}, id="text for a number"),
        pytest.param({"allOf": [{"type": "object"}, {"type": "object"}]}, id="allOf of two"),
        pytest.param({"anyOf": [{"type": "object"}], "properties": {}}, id="union beside properties"),
        pytest.param({"$defs": True}, id="definitions of the wrong kind"),
        pytest.param({"type": "object", "required": True}, id="required of the wrong kind"),
        pytest.param({"enum": []}, id="empty enum"),
        pytest.param({"type": "object", "required": ["a"]}, id="required and undescribed"),
        pytest.param({"type": "object", "properties": {"a": 3}}, id="a number for a schema"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_parameter(schema: Any) -> None:
    with pytest.raises(Unsupported) as refused:
        plain_schema(schema)
    assert refused.value.param == "response_format"


def test_a_schema_of_any_depth_ends() -> None:
    deep: dict[str, Any] = {"type": "null"}
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Unsupported, match="deeper"):
        plain_schema(deep)


def test_strings_of_the_grammar_hold_no_control_characters() -> None:
    grammar = to_grammar(plain_schema({"type": "string"}))
    assert r'[^"\\\x7F\x00-\x1F]' in grammar


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["type", "properties", "items", "enum", "anyOf", "$ref", "$defs", "required", "maxItems"])


@given(st.dictionaries(WORDS, JSON, max_size=4))
def test_any_nonsense_is_refused_or_becomes_a_grammar(schema: dict[str, Any]) -> None:
    try:
        grammar = to_grammar(plain_schema(schema))
    except Unsupported:
        return
    assert "root ::=" in grammar

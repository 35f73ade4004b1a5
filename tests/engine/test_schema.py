"""Schemas: rebuilt from what can be enforced, refused by place otherwise."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest
from hypothesis import given, settings

from gateway.core.errors import Unsupported
from gateway.engine.schemas.gbnf import to_grammar
from gateway.engine.schemas.schema import plain_schema
from tests.support.schemas import SCHEMAS

TEXT = {"type": "string"}
PLAIN: dict[str, tuple[Any, Any]] = {
    "type list": (
        {"type": ["string", "null"], "minLength": 2},
        {"anyOf": [{"type": "string", "minLength": 2}, {"type": "null"}]},
    ),
    "nullable": ({"type": "integer", "nullable": True}, {"anyOf": [{"type": "integer"}, {"type": "null"}]}),
    "notes are left out": ({"type": "string", "title": "T", "format": "password", "x-order": 3}, TEXT),
    "known format": ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
    "enum beside a type": ({"type": "string", "enum": ["a", 1]}, {"enum": ["a"]}),
    "const": ({"const": {"a": None}}, {"enum": [{"a": None}]}),
    "allOf of one": ({"allOf": [{"type": "integer"}], "default": 3}, {"type": "integer"}),
    "objects together": (
        {"allOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"type": "object", "properties": {"b": TEXT}}]},
        {"type": "object", "properties": {"a": TEXT, "b": TEXT}, "required": ["a"]},
    ),
    "no type": ({"items": {"type": "null"}}, {"type": "array", "items": {"type": "null"}, "loose": True}),
    "closed": ({"type": "object", "additionalProperties": False}, {"type": "object", "additionalProperties": False}),
    "required alone": (
        {"type": "object", "required": ["a"]},
        {"type": "object", "properties": {"a": {}}, "required": ["a"]},
    ),
    "a tuple as draft 7 wrote it": (
        {"type": "array", "items": [TEXT], "additionalItems": False},
        {"type": "array", "prefixItems": [TEXT], "maxItems": 1},
    ),
    "a bound as draft 4 wrote it": (
        {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        {"type": "number", "exclusiveMinimum": 0},
    ),
    "keywords of another type": ({"type": "boolean", "minLength": 3, "minimum": 2}, {"type": "boolean"}),
    "a length beyond all answers": ({"type": "string", "maxLength": 10**9}, TEXT),
    "names of one pattern": (
        {"type": "object", "patternProperties": {"^x": TEXT}, "additionalProperties": False},
        {"type": "object", "propertyNames": {"type": "string", "pattern": "^x"}, "additionalProperties": TEXT},
    ),
    "a reference into properties": (
        {"properties": {"a": {"type": "null"}, "b": {"$ref": "#/properties/a"}}},
        {
            "type": "object",
            "properties": {"a": {"type": "null"}, "b": {"$ref": "#/$defs/d0"}},
            "loose": True,
            "$defs": {"d0": {"type": "null"}},
        },
    ),
    "exclusive alternatives": ({"oneOf": [TEXT, {"type": "null"}]}, {"anyOf": [TEXT, {"type": "null"}]}),
    "definitions nobody uses": ({"type": "null", "$defs": {"a": {"not": {}}}}, {"type": "null"}),
}


@pytest.mark.parametrize(("schema", "plain"), PLAIN.values(), ids=PLAIN.keys())
def test_a_schema_becomes_plain(schema: Any, plain: Any) -> None:
    assert plain_schema(schema) == plain
    assert "root ::=" in to_grammar(plain_schema(schema))


HERE = "response_format.json_schema.schema"
NODE = {"properties": {"next": {"$ref": "#/$defs/N"}}, "required": ["next"]}
REFUSED: dict[str, tuple[Any, str]] = {
    "none": (None, ""),
    "a step": ({"properties": {"age": {"type": "integer", "multipleOf": 5}}}, ".properties.age.multipleOf"),
    "a pattern that looks ahead": ({"type": "string", "pattern": "^(?=a)"}, ".pattern"),
    "a pattern with a back reference": ({"items": {"type": "string", "pattern": r"^(a)\1$"}}, ".items.pattern"),
    "a pattern longer than the text may be": ({"pattern": "^(ab)+$", "maxLength": 5}, ".pattern"),
    "a format longer than the text may be": ({"type": "string", "format": "uuid", "maxLength": 5}, ".format"),
    "unique items": ({"type": "array", "uniqueItems": True}, ".uniqueItems"),
    "two patterns of names": ({"patternProperties": {"^a": {}, "^b": {}}}, ".patternProperties"),
    "not": ({"anyOf": [{"type": "null"}, {"not": {}}]}, ".anyOf[1].not"),
    "a strange type": ({"type": "tuple"}, ".type"),
    "a reference out of the document": ({"$ref": "https://example.com/schema"}, ".$ref"),
    "a reference that is no text": ({"$ref": {}}, ".$ref"),
    "a reference to nothing": ({"properties": {"a": {"$ref": "#/$defs/B"}}}, ".properties.a.$ref"),
    "itself and nothing else": ({"$ref": "#"}, ""),
    "itself before anything": ({"$ref": "#/$defs/A", "$defs": {"A": {"anyOf": [{"$ref": "#/$defs/A"}]}}}, ".$defs.A"),
    "no end": ({"$ref": "#/$defs/N", "$defs": {"N": NODE}}, ".$defs.N"),
    "within a definition": ({"$ref": "#/$defs/A", "$defs": {"A": {"items": {"if": {}}}}}, ".$defs.A.items.if"),
    "too many at least": ({"type": "array", "minItems": 10**9}, ".minItems"),
    "upside down": ({"type": "string", "minLength": 9, "maxLength": 3}, ".minLength"),
    "no number between": ({"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 4}, ""),
    "a bound that is no number": ({"type": "integer", "minimum": "3"}, ".minimum"),
    "text for a number": ({"type": "string", "maxLength": "9"}, ".maxLength"),
    "objects that are not open": ({"allOf": [{"additionalProperties": False}, {"properties": {}}]}, ".allOf[0]"),
    "described twice": (
        {"allOf": [{"properties": {"a": {}}}, {"properties": {"a": {"type": "null"}}}]},
        ".allOf[1].properties.a",
    ),
    "a union beside properties": ({"anyOf": [{"type": "object"}], "properties": {}}, ".properties"),
    "alternatives that overlap": ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, ".oneOf"),
    "required of the wrong kind": ({"type": "object", "required": True}, ".required"),
    "required and forbidden": ({"required": ["a"], "additionalProperties": False}, ".required"),
    "an empty enum": ({"enum": []}, ".enum"),
    "an enum of another type": ({"type": "integer", "enum": ["a"]}, ".enum"),
    "half a character": ({"enum": ["\ud800"]}, ".enum"),
    "a name of half a character": ({"properties": {"\ud800": {}}}, ""),
    "a number for a schema": ({"type": "object", "properties": {"a": 3}}, ".properties.a"),
    "nothing allowed": ({"properties": {"a": False}}, ".properties.a"),
}


@pytest.mark.parametrize(("schema", "place"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_enforced_is_refused_by_its_place(schema: Any, place: str) -> None:
    with pytest.raises(Unsupported) as refused:
        plain_schema(schema)
    assert str(refused.value).split(": ")[0] == HERE + place
    assert refused.value.param == "response_format"


def test_a_tools_schema_is_refused_by_its_own_place() -> None:
    where = "tools[0].function.parameters"
    with pytest.raises(Unsupported) as refused:
        plain_schema({"properties": {"a": {"type": "integer", "multipleOf": 2}}}, param=where, path=where)
    assert str(refused.value).startswith(f"{where}.properties.a.multipleOf: ")
    assert refused.value.param == where


ANIMAL = [
    {"type": "object", "properties": {"kind": {"const": kind}, "name": {"type": "string"}}, "required": ["kind"]}
    for kind in ("cat", "dog")
]


@pytest.mark.parametrize(
    "alternatives",
    [
        pytest.param(ANIMAL, id="a constant tells them apart"),
        pytest.param([{"type": "string"}, {"type": "integer"}, {"type": "null"}], id="types"),
        pytest.param([{"enum": ["a", 1]}, {"enum": ["b", 2]}], id="values"),
        pytest.param(
            [
                {"properties": {"a": {}}, "required": ["a"], "additionalProperties": False},
                {"properties": {"b": {}}, "required": ["b"]},
            ],
            id="a property that only the other must have",
        ),
    ],
)
def test_alternatives_of_which_no_answer_matches_two_may_be_exclusive(alternatives: list[Any]) -> None:
    assert len(plain_schema({"oneOf": alternatives})["anyOf"]) == len(alternatives)


@pytest.mark.parametrize(
    "alternatives",
    [
        pytest.param([{"enum": [1]}, {"enum": [1.0]}], id="one number written in two ways"),
        pytest.param([{"type": "object"}, ANIMAL[0]], id="any object"),
        pytest.param([{}, {"type": "null"}], id="anything"),
        pytest.param([{"properties": {"a": {}}, "required": ["a"]}, {"type": "null"}], id="whatever is no object"),
        pytest.param([{"minLength": 3}, {"enum": [1]}], id="whatever is no text"),
        pytest.param([{"properties": {"a": {}}}, {"properties": {"b": {}}}], id="both may be empty"),
    ],
)
def test_alternatives_that_an_answer_might_match_twice_are_refused_as_exclusive(alternatives: list[Any]) -> None:
    with pytest.raises(Unsupported, match="anyOf allows that"):
        plain_schema({"oneOf": alternatives})


def test_a_schema_of_any_depth_ends() -> None:
    deep: dict[str, Any] = {"type": "null"}
    for _ in range(500):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Unsupported, match="deeper"):
        plain_schema(deep)


def test_alternatives_of_alternatives_do_not_grow_without_end() -> None:
    # Each definition doubles the ways to read the one before: 2 to the 40th of them would take llama.cpp for ever.
    definitions: dict[str, Any] = {"d40": {"type": "null"}}
    for at in range(40):
        part = {"$ref": f"#/$defs/d{at + 1}"}
        definitions[f"d{at}"] = {"anyOf": [part, {"anyOf": [part, {"const": at}]}]}
    with pytest.raises(Unsupported, match="circles"):
        plain_schema({"$ref": "#/$defs/d0", "$defs": definitions})


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"enum": [str(n) * 80 for n in range(2999)]}, id="values"),
        pytest.param({"properties": {f"a{n}": {"pattern": f"^[a-z]{{{n + 99}}}$"} for n in range(900)}}, id="patterns"),
    ],
)
def test_a_grammar_that_would_be_huge_is_refused(schema: Any) -> None:
    with pytest.raises(Unsupported, match="large"):
        to_grammar(plain_schema(schema))


@settings(max_examples=300)
@given(SCHEMAS)
def test_any_schema_is_refused_or_becomes_a_grammar(schema: Any) -> None:
    try:
        grammar = to_grammar(plain_schema(schema))
    except Unsupported:
        return
    assert grammar.encode().startswith(b"root ::= ")


_MANY = 700
SLOW: dict[str, Any] = {
    "alternatives that exclude each other": {"oneOf": [{"const": number} for number in range(2 * _MANY)]},
    "alternatives in two lists": {"oneOf": [{"anyOf": [{"const": f"{a}{b}"} for b in range(_MANY)]} for a in range(2)]},
    "values by kinds": {"enum": [1] * 40 * _MANY, "type": ["x"] * 40 * _MANY},
    "one object over and over": {
        "$defs": {"a": {"type": "object", "properties": {f"p{number}": {} for number in range(4 * _MANY)}}},
        "allOf": [{"$ref": "#/$defs/a"}] * 10 * _MANY,
    },
    "a name as long as a book": {
        "properties": {"n" * 4_000_000: {"properties": {f"p{number}": {"oneOf": [TEXT]} for number in range(_MANY)}}}
    },
    "definitions in a chain": {
        "$defs": {
            f"a{number}": {"properties": {"a": {"$ref": f"#/$defs/a{number + 1}"}}, "required": ["a"]}
            for number in range(2 * _MANY)
        }
        | {f"a{2 * _MANY}": TEXT},
        "$ref": "#/$defs/a0",
    },
    "megabytes": {"enum": [f"{number}" for number in range(200_000)]},
}


@pytest.mark.parametrize("schema", SLOW.values(), ids=SLOW)
def test_no_schema_takes_long_to_read(schema: Any) -> None:
    began = time.thread_time()
    with contextlib.suppress(Unsupported):
        plain_schema(schema)
    assert time.thread_time() - began < 7

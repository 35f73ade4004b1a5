"""JSON schemas for hypothesis: sound ones, sound ones with nonsense in them, and nonsense."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

_KINDS = ["object", "array", "string", "integer", "number", "boolean", "null"]
_KEYWORDS = """type properties items enum const anyOf oneOf allOf $ref $defs required maxItems minItems minLength
    maxLength pattern format minimum exclusiveMaximum prefixItems additionalProperties propertyNames
    patternProperties nullable"""
_WORDS = st.sampled_from([*_KEYWORDS.split(), "a", "b"])
_REFS = st.sampled_from(["#", "#/$defs/a", "#/$defs/b", "#/properties/a", "#/items", "#/anyOf/0", "#/x", "#/%24defs/a"])
_SCRAPS = st.text(alphabet='^$()[]{}|*+?\\.,-ad09"\n\ud800', max_size=8)
_VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | _SCRAPS
    | _REFS
    | st.sampled_from([*_KINDS, "date", "email"])
)
_NONSENSE = st.recursive(
    _VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=3), max_leaves=12
)
_SCHEMAS = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(_KINDS)}) | st.fixed_dictionaries({"$ref": _REFS}) | st.just({}),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"items": inner, "maxItems": st.integers(0, 3000)}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"oneOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2)}),
        st.fixed_dictionaries({"pattern": _SCRAPS, "minLength": st.integers(0, 9)}),
        st.fixed_dictionaries({"enum": st.lists(_VALUES, max_size=3)}),
        st.dictionaries(_WORDS, inner | _NONSENSE, max_size=3),
    ),
    max_leaves=10,
)


def _whole(schema: Any, definitions: dict[str, Any]) -> Any:
    return {**schema, "$defs": definitions} if isinstance(schema, dict) else schema


SCHEMAS = st.builds(_whole, _SCHEMAS, st.dictionaries(st.sampled_from("ab"), _SCHEMAS, max_size=2))

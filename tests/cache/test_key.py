"""What changes the name of an answer and what does not."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.key import cache_key, is_local
from gateway.core.types import Zone

BODY: dict[str, Any] = {
    "model": "auto",
    "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why is the sky blue?"}],
    "temperature": 0.2,
    "max_tokens": 100,
}
PARTS: dict[str, Any] = {
    "secret": b"secret",
    "tenant": "a",
    "policy_digest": "p1",
    "zone": Zone.REMOTE,
    "backend_digest": "b1",
    "model": "m1",
    "adapter": None,
}


def key(body: dict[str, Any] = BODY, **changed: Any) -> str:
    parts = {**PARTS, **changed}
    return cache_key(parts.pop("secret"), body=body, **parts)


def test_a_local_answer_belongs_to_one_adapter_and_an_answer_from_elsewhere_to_none() -> None:
    bare, legal, clinic = (key(zone=Zone.LOCAL, adapter=name) for name in (None, "legal", "clinic"))
    assert len({bare, legal, clinic}) == 3
    assert key(adapter="legal") == key(adapter=None), "the adapter of the local model, should that have to step in"


def with_message(**fields: Any) -> dict[str, Any]:
    return {**BODY, "messages": [BODY["messages"][0], {**BODY["messages"][1], **fields}]}


@pytest.mark.parametrize(
    "changed",
    [
        {"secret": b"other"},
        {"tenant": "b"},
        {"policy_digest": "p2"},
        {"zone": Zone.PRIVATE},
        {"backend_digest": "b2"},
        {"model": "m2"},
        {"tenant": "a\0p1", "policy_digest": ""},
    ],
    ids=str,
)
def test_an_answer_belongs_to_one_tenant_policy_zone_backend_and_model(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()


@pytest.mark.parametrize(
    "body",
    [
        {**BODY, "temperature": 0.3},
        {**BODY, "max_tokens": 101},
        {**BODY, "n": 2},
        {**BODY, "stop": ["x"]},
        {**BODY, "seed": 1},
        {**BODY, "logprobs": True},
        {**BODY, "tools": []},
        {**BODY, "response_format": {"type": "json_object"}},
        {**BODY, "chat_template_kwargs": {"enable_thinking": False}},
        {**BODY, "nobody_has_heard_of": 1},
        {**BODY, "messages": BODY["messages"][:1]},
        {**BODY, "messages": BODY["messages"][::-1]},
        with_message(content="Why is the sky blue"),
        with_message(content=[{"type": "text", "text": "Why is the "}, {"type": "text", "text": "sky blue?"}]),
        with_message(content=[{"type": "text", "text": "Why is the sky blue?", "cache_control": {"type": "x"}}]),
        with_message(role="developer"),
        with_message(name="kim"),
    ],
    ids=lambda body: orjson.dumps({k: v for k, v in body.items() if v != BODY.get(k)}).decode(),
)
def test_whatever_may_change_the_answer_changes_the_key(body: dict[str, Any]) -> None:
    assert key(body) != key()


@pytest.mark.parametrize(
    "body",
    [
        {**BODY, "stream": True, "stream_options": {"include_usage": True}},
        {**BODY, "user": "u", "metadata": {"a": "b"}, "store": True, "safety_identifier": "s"},
        {**BODY, "service_tier": "flex", "prompt_cache_key": "k", "prompt_cache_retention": "24h"},
        {**BODY, "model": "gpt-4.1"},
        {**BODY, "top_p": None},
        {k: v for k, v in BODY.items() if k != "max_tokens"} | {"max_completion_tokens": 100},
        {**BODY, "max_completion_tokens": 100},
        with_message(content=[{"type": "text", "text": "Why is the sky blue?"}]),
        with_message(tool_calls=None),
    ],
    ids=lambda body: orjson.dumps({k: v for k, v in body.items() if v != BODY.get(k)}).decode(),
)
def test_what_cannot_change_the_answer_does_not_change_the_key(body: dict[str, Any]) -> None:
    assert key(body) == key()


def test_one_stop_word_is_a_list_of_one() -> None:
    assert key({**BODY, "stop": "END"}) == key({**BODY, "stop": ["END"]})


def test_two_limits_that_disagree_are_told_apart_by_their_names() -> None:
    one = {**BODY, "max_tokens": 5, "max_completion_tokens": 9}
    other = {**BODY, "max_tokens": 9, "max_completion_tokens": 5}
    assert len({key(one), key(other), key({**BODY, "max_tokens": 5}), key({**BODY, "max_tokens": 9})}) == 4


def test_the_zone_stands_before_the_digest() -> None:
    assert is_local(key(zone=Zone.LOCAL))
    assert not is_local(key(zone=Zone.PRIVATE))
    assert len(key()) == len("remote-") + 64


numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool"]), "content": json_values}
    ),
    min_size=1,
    max_size=3,
)
bodies = st.fixed_dictionaries(
    {"messages": messages},
    optional=dict.fromkeys(("temperature", "tools", "seed", "response_format", "x_unknown"), json_values),
)


def shuffled(value: Any) -> Any:
    """The same JSON with every object's keys in reverse order."""
    if isinstance(value, dict):
        return {name: shuffled(value[name]) for name in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(bodies)
def test_the_order_of_keys_is_no_difference(body: dict[str, Any]) -> None:
    assert key(shuffled(body)) == key(body)


@given(bodies, st.data())
def test_any_other_meaningful_value_is_another_key(body: dict[str, Any], data: st.DataObject) -> None:
    changed = copy.deepcopy(body)
    name = data.draw(st.sampled_from(["temperature", "tools", "seed", "response_format", "x_unknown", "content"]))
    value = data.draw(json_values.filter(lambda value: value is not None))
    target = changed["messages"][0] if name == "content" else changed
    before = orjson.dumps(target.get(name), option=orjson.OPT_SORT_KEYS)
    target[name] = value
    same = orjson.dumps(value, option=orjson.OPT_SORT_KEYS) == before
    assert (key(changed) == key(body)) is same


@given(bodies)
def test_making_a_key_changes_nothing_in_the_body(body: dict[str, Any]) -> None:
    before = copy.deepcopy(body)
    key(body)
    assert body == before


@pytest.mark.parametrize("odd", [2**70, "\ud800"], ids=["more than 64 bits", "lone surrogate"])
def test_values_that_orjson_refuses_still_have_one_key(odd: Any) -> None:
    assert key(with_message(content=odd)) == key(with_message(content=odd))
    assert key(with_message(content=odd)) != key(with_message(content=str(odd) + "1"))


def test_a_body_too_deep_to_name_is_never_found_again() -> None:
    deep: Any = "end"
    for _ in range(200_000):
        deep = [deep]
    assert key({**BODY, "tools": deep}) != key({**BODY, "tools": deep})

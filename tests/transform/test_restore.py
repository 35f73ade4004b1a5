"""The way back through whole answers: choices, calls, JSON, order, what is dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import BackendBroke
from gateway.core.types import Chunk, Usage
from gateway.transform.jsontext import Lexer, is_json, pieces
from gateway.transform.pattern import Pattern
from gateway.transform.restore import Restore

pytestmark = pytest.mark.anyio

VALUES = {"PERSON_1": 'Mario "Il Rosso"\nRossi', "PHONE_1": "+39 333 1234567", "EMAIL_1": "m@x.it"}


def restore(**more: Any) -> Restore:
    return Restore(Pattern("k7f2", VALUES), VALUES, **more)


def call(arguments: str, *, index: int = 0, **more: Any) -> Chunk:
    return Chunk(
        more.pop("choice", 0), {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **more}]}
    )


async def test_a_chunk_without_a_placeholder_is_passed_on_as_it_is(tools: Any) -> None:
    pieces_ = [
        [Chunk(0, {"content": "Hello "}, None, {"content": []}, None, "m")],
        [Chunk(0, {}, "stop")],
        [Chunk(usage=Usage(1, 2))],
    ]
    answer = tools.answer(pieces_)
    told = [each async for each in restore()(answer)]
    assert all(one is other for one, other in zip(told, pieces_, strict=True))


async def test_a_value_comes_back_however_its_placeholder_was_cut(tools: Any) -> None:
    for size in range(1, 20):
        chunks = await tools.through(restore(), tools.says("Dear [PERSON_1_k7f2], call [PHONE_1_k7f2].", [size]))
        assert tools.text(chunks) == f"Dear {VALUES['PERSON_1']}, call +39 333 1234567."
        assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]
        assert chunks[-1].finish == "stop"


async def test_what_was_held_back_comes_before_the_finish_and_usage_after_it(tools: Any) -> None:
    pieces_ = [[Chunk(0, {"content": "see [PER"}), Chunk(0, {}, "length"), Chunk(usage=Usage(1, 2))]]
    chunks = await tools.through(restore(), pieces_)
    assert tools.text(chunks) == "see [PER"
    assert [(bool(chunk.delta), chunk.finish, chunk.usage) for chunk in chunks] == [
        (True, None, None), (True, None, None), (False, "length", None), (False, None, Usage(1, 2)),
    ]  # fmt: skip


async def test_a_finish_that_comes_with_text_keeps_the_order(tools: Any) -> None:
    chunks = await tools.through(
        restore(), [[Chunk(0, {"content": "a [PER"})], [Chunk(0, {"content": "SON_1"}, "stop")]]
    )
    assert tools.text(chunks) == "a [PERSON_1"
    assert [chunk.finish for chunk in chunks][-1] == "stop"


async def test_an_answer_without_a_finish_still_gives_all_it_held(tools: Any) -> None:
    chunks = await tools.through(restore(), [[Chunk(0, {"content": "[PERSON_1_k7f2"})]])
    assert tools.text(chunks) == "[" + VALUES["PERSON_1"]


async def test_choices_do_not_mix(tools: Any) -> None:
    pieces_ = [
        [Chunk(0, {"content": "[PERSON_1"}), Chunk(1, {"content": "[PHONE"})],
        [Chunk(1, {"content": "_1_k7f2]"}), Chunk(0, {"content": "_k7f2]"})],
    ]
    chunks = await tools.through(restore(), pieces_)
    assert (tools.text(chunks), tools.text(chunks, choice=1)) == (VALUES["PERSON_1"], VALUES["PHONE_1"])


@pytest.mark.parametrize("name", ["refusal", "reasoning_content"])
async def test_refusals_and_reasoning_are_restored_as_well(tools: Any, name: str) -> None:
    chunks = await tools.through(restore(), tools.says("no, [EMAIL_1_k7f2]", [3], name=name))
    assert tools.text(chunks, name=name) == "no, m@x.it"


async def test_reasoning_has_ended_where_the_answer_begins(tools: Any) -> None:
    chunks = await tools.through(
        restore(), [[Chunk(0, {"reasoning_content": "so ["})], [Chunk(0, {"content": "PERSON_1_k7f2"})]]
    )
    fields = [name for chunk in chunks for name in chunk.delta]
    assert tools.text(chunks, name="reasoning_content") == "so ["
    assert fields == sorted(fields, reverse=True)


async def test_logprobs_of_changed_text_are_dropped_and_others_stay(tools: Any) -> None:
    told = {"content": [{"token": "x", "logprob": -1.0}]}
    pieces_ = [[Chunk(0, {"content": text}, None, told)] for text in ("Dear ", "[PERSON_1", "_k7f2]", " is")]
    chunks = await tools.through(restore(), pieces_)
    assert [chunk.logprobs is None for chunk in chunks] == [False, True, False]


async def test_arguments_stay_json_whatever_is_put_back(tools: Any) -> None:
    arguments = json.dumps({"to": "[PERSON_1_k7f2]", "n": 1, "EMAIL_1_k7f2": ["[PHONE_1_k7f2]"]})
    for size in (1, 2, 5, 100):
        pieces_ = [[call("", id="c1", type="function")]]
        pieces_ += [[call(arguments[at : at + size])] for at in range(0, len(arguments), size)]
        chunks = await tools.through(restore(), [*pieces_, [Chunk(0, {}, "tool_calls")]])
        said = json.loads(tools.arguments(chunks))
        assert said == {"to": VALUES["PERSON_1"], "n": 1, "m@x.it": [VALUES["PHONE_1"]]}


async def test_a_placeholder_that_stands_for_no_string_becomes_one(tools: Any) -> None:
    chunks = await tools.through(restore(), [[call('{"tel": [PHONE_1_k7f2], "who": "[PERSON_1_k7f2]"}')]])
    assert json.loads(tools.arguments(chunks)) == {"tel": VALUES["PHONE_1"], "who": VALUES["PERSON_1"]}


async def test_json_inside_a_json_string_stays_json(tools: Any) -> None:
    inner = json.dumps({"name": "[PERSON_1_k7f2]"})
    chunks = await tools.through(restore(), [[call(json.dumps({"body": inner, "who": "[PERSON_1_k7f2]"}))]])
    outer = json.loads(tools.arguments(chunks))
    assert json.loads(outer["body"]) == {"name": VALUES["PERSON_1"]}
    assert outer["who"] == VALUES["PERSON_1"]


async def test_calls_in_flight_at_once_do_not_mix(tools: Any) -> None:
    pieces_ = [
        [call('{"a": "[PERSON_1', index=0)],
        [call('{"a": "[PHONE_1_', index=1)],
        [call('_k7f2]"}', index=0)],
        [call('k7f2]"}', index=1)],
    ]
    chunks = await tools.through(restore(), pieces_)
    assert json.loads(tools.arguments(chunks, call=0)) == {"a": VALUES["PERSON_1"]}
    assert json.loads(tools.arguments(chunks, call=1)) == {"a": VALUES["PHONE_1"]}


async def test_the_name_of_a_tool_is_restored(tools: Any) -> None:
    piece = {"index": 0, "id": "c", "type": "function", "function": {"name": "ask_EMAIL_1_k7f2", "arguments": ""}}
    chunks = await tools.through(restore(), [[Chunk(0, {"tool_calls": [piece]})]])
    assert chunks[0].delta["tool_calls"][0]["function"]["name"] == "ask_m@x.it"
    assert piece["function"]["name"] == "ask_EMAIL_1_k7f2", "the upstream's chunk is not touched"


async def test_structured_output_stays_json(tools: Any) -> None:
    text = json.dumps({"name": "[PERSON_1_k7f2]", "more": ["[PHONE_1_k7f2]"]})
    chunks = await tools.through(restore(json_content=True), tools.says(text, [4]))
    assert json.loads(tools.text(chunks)) == {"name": VALUES["PERSON_1"], "more": [VALUES["PHONE_1"]]}


async def test_parts_that_are_no_text_are_restored_whole(tools: Any) -> None:
    chunks = await tools.through(restore(), [[Chunk(0, {"annotations": [{"title": "[EMAIL_1_k7f2]", "at": 3}]})]])
    assert chunks[0].delta == {"annotations": [{"title": "m@x.it", "at": 3}]}


async def test_closing_the_way_back_closes_the_answer(tools: Any) -> None:
    answer = tools.answer([[Chunk(0, {"content": "a"})], [Chunk(0, {"content": "b"})]])
    back = restore()(answer)
    await anext(back)
    await back.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(answer)


async def test_an_error_of_the_backend_comes_through(tools: Any) -> None:
    async def breaks() -> Any:
        yield [Chunk(0, {"content": "a ["})]
        raise BackendBroke("it broke off")

    back = restore()(breaks())
    await anext(back)
    with pytest.raises(BackendBroke):
        await anext(back)


JSON = st.recursive(
    st.text(max_size=12) | st.integers() | st.none() | st.sampled_from([f"[{name}_k7f2]" for name in VALUES]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=700)
@given(st.dictionaries(st.text(max_size=6), JSON, max_size=4), st.integers(1, 12), st.booleans())
def test_any_json_with_placeholders_is_the_same_json_with_values(document: Any, size: int, ascii_only: bool) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only)
    stream = restore()._open("arguments", True)
    told = "".join(stream.take(text[at : at + size], more=True) for at in range(0, len(text), size))
    assert json.loads(told + stream.take("", more=False)) == _valued(document)


def _valued(node: Any) -> Any:
    if isinstance(node, str):
        return next((value for name, value in VALUES.items() if node == f"[{name}_k7f2]"), node)
    if isinstance(node, list):
        return [_valued(item) for item in node]
    return {key: _valued(item) for key, item in node.items()} if isinstance(node, dict) else node


@settings(max_examples=500)
@given(JSON, st.data())
def test_pieces_of_json_are_cut_so_that_what_replaces_them_keeps_it_json(document: Any, data: Any) -> None:
    text = json.dumps([document])
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    told, done = "", 0
    for piece in pieces(text, start, end):
        told += text[done : piece.start] + ("[X_1_aaaa]" if piece.in_string else '"[X_1_aaaa]"')
        done = piece.end
    assert is_json(told + text[done:])


def test_the_lexer_knows_where_it_is_in_whatever_pieces_it_reads() -> None:
    text = r'{"a\"b": "x\\", "c": "{\"d\": \"e\"}"}'
    for size in (1, 2, 3, 50):
        lexer = Lexer()
        states = []
        for at in range(0, len(text), size):
            lexer.feed(text[at : at + size])
            states.append(lexer.inside)
        assert not lexer.inside
        assert size > 1 or (states[3] and not states[8])

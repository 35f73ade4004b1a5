"""Grammars of calls, compiled by llama.cpp over the real vocabulary: what they let through and what they do not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from gateway.core.errors import Unsupported
from gateway.engine.ask import Ask
from gateway.engine.batch.model import Model
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.sampling.choice import Choice
from gateway.engine.sampling.grammar import Grammar
from gateway.engine.tools import Syntax, ToolAsk, parse_tools
from gateway.engine.tools.family import FAMILIES, GENERIC

pytestmark = pytest.mark.model

FAMILY = {family.name: family for family in (*FAMILIES, GENERIC)}
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
POINT = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/point"}},
    "required": ["at"],
    "$defs": {"point": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}},
}
OTHER_POINT = {**POINT, "$defs": {"point": {"type": "string"}}}


def function(name: str, parameters: Any = None, *, strict: bool = False) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": parameters, "strict": strict}}


def asked(choice: Any = "required", *, parallel: bool = True, tools: list[Any] | None = None) -> ToolAsk:
    tools = tools or [
        function("weather", CITY),
        function("clock"),
        function("plot", POINT),
        function("say", OTHER_POINT),
    ]
    ask = parse_tools({"tools": tools, "tool_choice": choice, "parallel_tool_calls": parallel})
    assert ask is not None
    return ask


@pytest.fixture(scope="module")
def loaded(model: ModelFile) -> Iterator[Model]:
    with closing(Model(model.path)) as loaded:
        yield loaded


def allows(model: Model, family: str, ask: ToolAsk, text: str) -> bool:
    """Whether an answer may be this text and end there."""
    gbnf, lazy = Syntax(FAMILY[family]).gbnf(ask)
    with closing(Grammar(model, gbnf, param="tools", lazy=lazy)) as grammar, closing(grammar.begin()) as state:
        choice = Choice(Ask(temperature=0), seed=0)
        for token in [*model.tokens(text), *model.tokens(model.eos)]:
            # All but this token is banned, so that the state has to take it or give up.
            row = np.full(model.n_vocab, -np.inf, dtype=np.float32)
            row[token] = 0.0
            try:
                state.choose(row, token, choice)
            except Unsupported:
                return False
    return True


W = '{"name": "weather", "arguments": {"city": "Paris"}}'
C = '{"name": "clock", "arguments": {}}'


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("hermes", f"<tool_call>\n{W}\n</tool_call>"),
        ("hermes", f"<tool_call>{W}</tool_call><tool_call>{C}</tool_call>"),
        ("hermes", f"<tool_call>\n{W}\n</tool_call>\n<tool_call>\n{C}\n</tool_call>"),
        ("hermes", '<tool_call>{"name": "plot", "arguments": {"at": {"x": 7}}}</tool_call>'),
        ("hermes", '<tool_call>{"name": "say", "arguments": {"at": "home"}}</tool_call>'),
        ("json", f"<tool_call>\n{W}\n</tool_call>"),
        ("llama3", '<|python_tag|>{"name": "weather", "parameters": {"city": "Paris"}}'),
        ("mistral", f"[TOOL_CALLS][{W}]"),
        ("mistral", f"[TOOL_CALLS] [{W}, {C}]"),
        ("mistral-args", '[TOOL_CALLS]weather[ARGS]{"city": "Paris"}'),
        ("mistral-args", '[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]{"city": "Paris"}[TOOL_CALLS]clock[ARGS]{}'),
        ("granite3", f"<|tool_call|>[{W}]"),
        ("nemotron", f"<TOOLCALL>[{W}]</TOOLCALL>"),
        ("apriel", f"<tool_calls>[{W}, {C}]</tool_calls>"),
        ("command-r", '<|START_ACTION|>[{"tool_name": "clock", "parameters": {}}]<|END_ACTION|>'),
    ],
)
@pytest.mark.parametrize("choice", ["required", "auto"])
def test_calls_are_let_through(loaded: Model, family: str, text: str, choice: str) -> None:
    assert allows(loaded, family, asked(choice), text)


@pytest.mark.parametrize(
    ("family", "text"),
    [
        pytest.param("hermes", "Hello", id="words"),
        pytest.param("hermes", "", id="nothing"),
        pytest.param("hermes", f"<tool_call>\n{W}", id="not closed"),
        pytest.param("hermes", f"<tool_call>\n{W}\n</tool_call> So.", id="words after"),
        pytest.param("hermes", f"<tool_call>\n{W.replace('weather', 'rm')}\n</tool_call>", id="an unknown name"),
        pytest.param("hermes", f"<tool_call>\n{W.replace('city', 'town')}\n</tool_call>", id="an unknown argument"),
        pytest.param("hermes", '<tool_call>{"name": "weather", "arguments": {}}</tool_call>', id="one is missing"),
        pytest.param("hermes", f"<tool_call>{C.replace('{}', '7')}</tool_call>", id="no object"),
        pytest.param(
            "hermes", '<tool_call>{"name": "say", "arguments": {"at": {"x": 7}}}</tool_call>', id="another's schema"
        ),
        pytest.param("json", W, id="bare where it was told to use tags"),
        pytest.param("mistral", "[TOOL_CALLS][]", id="an empty list"),
        pytest.param("mistral-args", "[TOOL_CALLS]rm[ARGS]{}", id="an unknown name in letters"),
    ],
)
def test_all_else_is_not_where_a_call_is_required(loaded: Model, family: str, text: str) -> None:
    assert not allows(loaded, family, asked(), text)


@pytest.mark.parametrize("family", sorted(FAMILY))
def test_one_call_is_one_call(loaded: Model, family: str) -> None:
    ask = asked(parallel=False)
    once = FAMILY[family].written([("clock", "{}")])
    twice = FAMILY[family].written([("clock", "{}"), ("clock", "{}")])
    assert allows(loaded, family, ask, once)
    assert not allows(loaded, family, ask, twice)
    assert allows(loaded, family, asked(), twice)


def test_only_the_named_function_may_be_called(loaded: Model) -> None:
    ask = asked({"type": "function", "function": {"name": "clock"}})
    assert allows(loaded, "hermes", ask, f"<tool_call>{C}</tool_call>")
    assert not allows(loaded, "hermes", ask, f"<tool_call>{W}</tool_call>")


@pytest.mark.parametrize(
    ("family", "text", "fits"),
    [
        pytest.param("hermes", "Just words, {and} <tags>.", True, id="words are free"),
        pytest.param("hermes", f"I look. <tool_call>\n{W}\n</tool_call>", True, id="a call after words"),
        pytest.param("hermes", f"I look. <tool_call>\n{C.replace('clock', 'rm')}\n</tool_call>", False, id="not any"),
        pytest.param("hermes", f"A<tool_call>{W}</tool_call> and words", False, id="no words after"),
        pytest.param("json", f"\n{W}", True, id="a bare call"),
        pytest.param("json", f"{W}\n{C}", True, id="two bare calls"),
        pytest.param("json", '{"name": "Bob"}', False, id="what begins as a call goes on as one"),
        pytest.param("json", '{"names": []}', True, id="other JSON is free"),
        pytest.param("llama3", '{"name": "clock", "parameters": {}}', True, id="llama3, bare"),
        pytest.param("llama3", '{"name": "clock", "parameters": {"a": 1}}', False, id="llama3, bare and wrong"),
        pytest.param("mistral", f"So: [TOOL_CALLS][{C}", False, id="a list without its end"),
    ],
)
def test_where_a_call_is_not_required_the_grammar_waits_for_one(
    loaded: Model, family: str, text: str, fits: bool
) -> None:
    assert allows(loaded, family, asked("auto"), text) == fits


@pytest.mark.parametrize("family", sorted(FAMILY))
def test_triggers_stand_where_the_grammar_begins(family: str) -> None:
    _, triggers = Syntax(FAMILY[family]).gbnf(asked("auto"))
    text = f"abc {FAMILY[family].open}"
    found = re.search(triggers[0], text)
    assert found is not None
    assert found.start(1) == 4
    assert Syntax(FAMILY[family]).gbnf(asked())[1] == ()


def test_schemas_too_large_together_are_loosened_and_too_large_alone_refused_by_path(loaded: Model) -> None:

    def words(about: int, count: int) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"word": {"enum": [f"{at * 7919}-{about}-word" for at in range(count)]}},
        }

    many = [function(f"f{at}", words(at, 500)) for at in range(60)]
    text = '<tool_call>{"name": "f3", "arguments": {"free": 1}}</tool_call>'
    assert not allows(loaded, "hermes", asked(tools=many[:5]), text)
    assert allows(loaded, "hermes", asked(tools=many), text)
    huge = function("f", words(0, 50_000), strict=True)
    with pytest.raises(Unsupported) as refused:
        Syntax(FAMILY["hermes"]).gbnf(asked(tools=[function("g"), huge]))
    assert refused.value.param == "tools[1].function.parameters"
    held = [{**one, "function": {**one["function"], "strict": True}} for one in many]
    with pytest.raises(Unsupported) as refused:
        Syntax(FAMILY["hermes"]).gbnf(asked(tools=held))
    assert refused.value.param == "tools"

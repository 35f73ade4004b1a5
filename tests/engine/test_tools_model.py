"""The small model that knows no tools, told of some: a call it must make is always a valid one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import pytest

from gateway.engine.ask import Ask, parse_ask
from gateway.engine.batch.context import Context
from gateway.engine.batch.model import Model
from gateway.engine.batch.slots import common_prefix
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.messages import plain_messages
from gateway.engine.sampling.grammar import Grammar
from gateway.engine.sampling.sampler import Sampler
from gateway.engine.template import ChatTemplate

pytestmark = pytest.mark.model

BOOK = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "nights": {"type": "integer", "minimum": 1, "maximum": 9},
        "beds": {"enum": ["single", "double"]},
    },
    "required": ["city", "nights", "beds"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": "book_hotel", "description": "Book a room", "parameters": BOOK}},
    {"type": "function", "function": {"name": "get_time", "description": "What time is it?"}},
]


LONGEST = 90
"""Tokens of an answer here: enough for one call."""


@dataclass
class Reader:
    """Reads prompts one after the other, what they begin with alike only once."""

    context: Context
    held: list[int] = field(default_factory=list)

    def read(self, prompt: list[int]) -> Any:
        kept = self.context.keep(0, min(common_prefix(self.held, prompt), len(prompt) - 1))
        rest = prompt[kept:]
        self.held = prompt
        return self.context.decode(rest, range(kept, len(prompt)), [0] * len(rest), [False] * (len(rest) - 1) + [True])[
            0
        ]


@pytest.fixture(scope="module")
def loaded(model: ModelFile) -> Iterator[Model]:
    with closing(Model(model.path)) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def reader(loaded: Model) -> Iterator[Reader]:
    with closing(Context(loaded, tokens=1024, threads=1)) as context:
        yield Reader(context)


def answer(model: Model, reader: Reader, ask: Ask, *, seed: int) -> tuple[str, list[dict[str, Any]], bool]:
    """Text, calls, and whether the parser says that one was made."""
    assert ask.tools is not None
    template = ChatTemplate(model.template, bos=model.bos, eos=model.eos, control_texts=model.control_texts())
    user = {"role": "user", "content": "Book a double room in Rome for 3 nights, please."}
    prompt = model.tokens(template.render(plain_messages([user]), ask.tools))
    gbnf, lazy = template.syntax.gbnf(ask.tools)
    parser = template.syntax.parser(ask.tools)
    deltas: list[dict[str, Any]] = []
    row = reader.read(prompt)
    with (
        closing(Grammar(model, gbnf, param="tools", lazy=lazy, markers=template.syntax.markers)) as grammar,
        closing(Sampler(model, ask, seed=seed, grammar=grammar, n_context=1024)) as sampler,
    ):
        for place in range(len(prompt), len(prompt) + LONGEST):
            token = sampler.next(row)
            if model.is_end(token) or parser.done:
                break
            deltas += parser.feed(model.piece(token).decode("utf-8", "replace"))
            row = reader.context.decode([token], [place], [0], [True])[0]
    deltas += parser.end()
    calls = [call["function"] for delta in deltas for call in delta.get("tool_calls", ())]
    return "".join(delta.get("content", "") for delta in deltas), calls, parser.called


@pytest.mark.parametrize(("temperature", "parallel"), [(0, False), (1.5, False), (0.7, True)])
def test_a_required_call_is_a_valid_one(loaded: Model, reader: Reader, temperature: float, parallel: bool) -> None:
    body = {"tools": TOOLS, "tool_choice": "required", "parallel_tool_calls": parallel, "temperature": temperature}
    text, calls, called = answer(loaded, reader, parse_ask(body), seed=7)
    assert text == ""
    assert called
    assert calls[0]["name"] in ("book_hotel", "get_time")
    named = [at for at, call in enumerate(calls) if "name" in call]
    assert len(named) == 1 or parallel
    for start, end in zip(named, [*named[1:], None], strict=True):
        arguments = "".join(call["arguments"] for call in calls[start:end])
        if end is None and parallel and not arguments.endswith("}"):
            continue  # cut at LONGEST
        schema = BOOK if calls[start]["name"] == "book_hotel" else {"additionalProperties": False}
        jsonschema.validate(json.loads(arguments), schema)


def test_a_named_function_is_called_once(loaded: Model, reader: Reader) -> None:
    chosen = {"type": "function", "function": {"name": "book_hotel"}}
    _, calls, called = answer(loaded, reader, parse_ask({"tools": TOOLS, "tool_choice": chosen}), seed=1)
    assert called
    assert [call["name"] for call in calls if "name" in call] == ["book_hotel"]
    assert json.loads("".join(call["arguments"] for call in calls))["beds"] in ("single", "double")


def test_where_it_may_the_model_answers_in_words_or_by_a_valid_call(loaded: Model, reader: Reader) -> None:
    text, calls, called = answer(loaded, reader, parse_ask({"tools": TOOLS, "temperature": 1.0}), seed=5)
    assert text or calls
    assert called == bool(calls)

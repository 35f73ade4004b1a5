"""Grammars: whatever a model of the wildest ideas says under one, the answer is what the schema asks for."""

from __future__ import annotations

import datetime
import enum
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated, Any, Literal

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel, Field, IPvAnyAddress, RootModel, TypeAdapter

from gateway.core.errors import Unsupported
from gateway.engine.ask import Ask
from gateway.engine.batch.model import Model
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.sampling.choice import Choice
from gateway.engine.sampling.grammar import Grammar
from gateway.engine.sampling.sampler import Sampler
from gateway.engine.schemas.gbnf import to_grammar
from gateway.engine.schemas.schema import JSON_OBJECT, plain_schema
from tests.support.schemas import SCHEMAS as ANY_SCHEMA

pytestmark = pytest.mark.model

WILD = Ask(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
GREEDY = Ask(temperature=0)
PATIENCE = 30
"""Tokens after which the writer would rather close what is open."""


@pytest.fixture(scope="module")
def loaded(model: ModelFile) -> Iterator[Model]:
    with closing(Model(model.path)) as opened:
        yield opened


class Writer:
    """Says what a grammar lets through of random logits, without any model computing."""

    def __init__(self, model: Model) -> None:
        self._model = model
        chance = np.random.default_rng(1)
        self._rows = [chance.normal(0, 3, model.n_vocab).astype(np.float32) for _ in range(8)]
        closing_signs = re.compile(rb'[ "\]}0-9,]*["\]}0-9]')
        pieces = (model.piece(token) for token in range(model.n_vocab))
        self._closes = np.array([bool(closing_signs.fullmatch(piece)) for piece in pieces])
        self._ends = np.array([model.is_end(token) for token in range(model.n_vocab)])

    def say(self, grammar: Grammar, seed: int, most: int = 600) -> str | None:
        """One answer; None where it did not come to an end."""
        chance = np.random.default_rng(seed)
        said = b""
        with closing(Sampler(self._model, WILD, seed=seed, grammar=grammar, n_context=most)) as sampler:
            for at in range(most):
                row = np.roll(self._rows[int(chance.integers(len(self._rows)))], int(chance.integers(9999)))
                row += self._closes * np.float32(16 if at > PATIENCE else 5)
                row += self._ends * np.float32(30 if at > PATIENCE else 4)
                token = sampler.next(row)
                if self._model.is_end(token):
                    return said.decode("utf-8", "replace")
                said += self._model.piece(token)
        return None


@pytest.fixture(scope="module")
def writer(loaded: Model) -> Writer:
    return Writer(loaded)


def answers(model: Model, writer: Writer, schema: Any, count: int) -> list[str]:
    with closing(Grammar(model, to_grammar(plain_schema(schema)))) as grammar:
        said = [writer.say(grammar, seed) for seed in range(count)]
    finished = [answer for answer in said if answer is not None]
    assert len(finished) >= count // 2, "too few answers came to an end to say anything"
    return finished


TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
SCHEMAS: dict[str, Any] = {
    "any object": JSON_OBJECT,
    "anything": {},
    "optional properties in the order of the schema": {
        "properties": {"a": TEXT, "b": WHOLE, "c": {"type": "null"}, "d": TEXT},
        "required": ["b"],
        "additionalProperties": False,
    },
    "only optional ones": {"properties": {"a": WHOLE, "b": WHOLE}, "additionalProperties": False},
    "names with signs": {"properties": {'a"\\\n': WHOLE, "è": WHOLE}, "required": ['a"\\\n', "è"]},
    "constants with signs": {"enum": ['a"b\\c\nd', "caffè", "\u2028", "", 1.5, -3, None, True, [1, {"a": []}]]},
    "many values of one beginning": {"enum": [f"code-{n}" for n in range(300)]},
    "a short text": {"type": "string", "minLength": 3, "maxLength": 5},
    "a long text": {"type": "string", "minLength": 450, "maxLength": 460},
    "a list": {"type": "array", "items": WHOLE, "minItems": 2, "maxItems": 4},
    "an empty list": {"type": "array", "maxItems": 0},
    "a tuple": {"prefixItems": [TEXT, WHOLE], "items": False, "minItems": 2},
    "a tuple with more": {"prefixItems": [WHOLE], "items": {"type": "null"}, "minItems": 3, "maxItems": 5},
    "an integer in bounds": {"type": "integer", "minimum": -12, "exclusiveMaximum": 1234},
    "an integer from 18 up": {"type": "integer", "minimum": 18},
    "a share": {"type": "number", "minimum": 0, "maximum": 1},
    "a negative number": {"type": "number", "exclusiveMaximum": 0},
    "a number": {"type": "number"},
    "a pattern": {"type": "string", "pattern": "^[A-Z]{2}\\d{3}(-[a-z]+)?$"},
    "a pattern with signs": {"type": "string", "pattern": '^["\\\\\\n\\t/é-ü]{4}$'},
    "a pattern anywhere": {"type": "string", "pattern": "(\\d|[A-Z])x?", "maxLength": 1000000},
    "a pattern of bounded length": {"type": "string", "pattern": "^[^<>]*$", "maxLength": 12},
    "a map": {"type": "object", "additionalProperties": WHOLE},
    "a map of known names": {"propertyNames": {"enum": ["x", "y"]}, "additionalProperties": WHOLE},
    "a map by pattern": {"patternProperties": {"^x-[a-z]+$": TEXT}, "additionalProperties": False},
    "exclusive alternatives": {
        "oneOf": [
            {"properties": {"kind": {"const": "a"}, "n": WHOLE}, "required": ["kind", "n"]},
            {"properties": {"kind": {"const": "b"}, "t": TEXT}, "required": ["kind", "t"]},
        ]
    },
    "a tree": {
        "$ref": "#/$defs/Tree",
        "$defs": {
            "Tree": {
                "properties": {"value": WHOLE, "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
                "required": ["value", "children"],
            }
        },
    },
    "itself": {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]},
}


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_every_finished_answer_is_valid(loaded: Model, writer: Writer, schema: Any) -> None:
    for answer in answers(loaded, writer, schema, 6):
        jsonschema.validate(json.loads(answer), schema, cls=jsonschema.Draft202012Validator)


@settings(max_examples=60)
@given(schema=ANY_SCHEMA)
def test_any_schema_is_refused_or_every_finished_answer_is_valid(loaded: Model, writer: Writer, schema: Any) -> None:
    try:
        gbnf = to_grammar(plain_schema(schema))
        jsonschema.Draft202012Validator.check_schema(schema)
    except (Unsupported, jsonschema.SchemaError):
        return
    with closing(Grammar(loaded, gbnf)) as grammar:
        answer = writer.say(grammar, 1, most=100)
    if answer is not None and "nullable" not in json.dumps(schema):  # which the standard does not know
        jsonschema.validate(json.loads(answer), schema, cls=jsonschema.Draft202012Validator)


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Line(BaseModel):
    product: str
    quantity: int = Field(ge=1, le=99)
    price: float = Field(gt=0)


class Order(BaseModel):
    number: str = Field(pattern=r"^ORD-\d{4}$")
    placed: datetime.datetime
    lines: list[Line] = Field(min_length=1, max_length=3)
    note: str | None
    paid: bool


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Zoo(BaseModel):
    star: Annotated[Cat | Dog, Field(discriminator="kind")]
    visitor: Cat | Dog | None


class Step(BaseModel):
    explanation: str
    output: str


class Reasoning(BaseModel):
    steps: list[Step]
    final_answer: str


class Contact(BaseModel):
    id: uuid.UUID
    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    born: datetime.date
    address: IPvAnyAddress | None
    favourite: Colour
    point: tuple[float, float]


class Folder(BaseModel):
    name: str
    folders: list[Folder]


class Category(RootModel[Literal["spam", "ham"]]):
    pass


class Scores(BaseModel):
    by_name: dict[str, int]
    confidence: float = Field(ge=0, le=1)
    when: datetime.time
    took: datetime.timedelta
    level: Literal[1, 2, 3]


MODELS = [Order, Zoo, Reasoning, Contact, Folder, Category, Line]


@pytest.mark.parametrize("kind", MODELS)
def test_what_the_openai_client_parses_can_be_parsed(loaded: Model, writer: Writer, kind: type[BaseModel]) -> None:
    for answer in answers(loaded, writer, to_strict_json_schema(kind), 4):
        kind.model_validate_json(answer)


@pytest.mark.parametrize("kind", [*MODELS, Scores])
def test_pydantics_own_schema_is_held_to(loaded: Model, writer: Writer, kind: type[BaseModel]) -> None:
    for answer in answers(loaded, writer, kind.model_json_schema(), 4):
        kind.model_validate_json(answer)


READERS: dict[str, Any] = {
    "date": datetime.date,
    "time": datetime.time,
    "date-time": datetime.datetime,
    "duration": datetime.timedelta,
    "uuid": uuid.UUID,
    "ipv4": Annotated[IPvAnyAddress, Field()],
    "ipv6": Annotated[IPvAnyAddress, Field()],
}


@pytest.mark.parametrize("name", READERS)
def test_a_format_is_read_by_who_knows_it(loaded: Model, writer: Writer, name: str) -> None:
    for answer in answers(loaded, writer, {"type": "string", "format": name}, 6):
        TypeAdapter(READERS[name]).validate_json(answer)


# What is not in the schema's words


@contextmanager
def sampling(model: Model, gbnf: str, ask: Ask = GREEDY, **grammar: Any) -> Iterator[Sampler]:
    with (
        closing(Grammar(model, gbnf, **grammar)) as compiled,
        closing(Sampler(model, ask, seed=1, grammar=compiled, n_context=99)) as sampler,
    ):
        yield sampler


def token(model: Model, text: str) -> int:
    (only,) = model.tokens(text)
    return only


def test_a_refused_token_gives_way_to_the_best_legal_one(loaded: Model) -> None:
    logits = np.full(loaded.n_vocab, -20, dtype=np.float32)
    logits[[token(loaded, text) for text in ("maybe", "yes", "no")]] = [5, 1, 2]
    with sampling(loaded, 'root ::= "yes" | "no"') as sampler:
        assert sampler.next(logits) == token(loaded, "no")
        assert loaded.is_end(sampler.next(logits))


@pytest.mark.parametrize("below", [3.0, 9.0, 30.0, 300.0])
def test_legal_tokens_are_drawn_by_their_own_weights_however_far_below(loaded: Model, below: float) -> None:
    logits = np.full(loaded.n_vocab, -2000, dtype=np.float32)
    yes, no = token(loaded, "yes"), token(loaded, "no")
    logits[token(loaded, "maybe")], logits[yes], logits[no] = 5, 5 - below, 4 - below
    with closing(Grammar(loaded, 'root ::= "yes" | "no"')) as grammar:
        choice = Choice(WILD, 7)
        found = []
        for _ in range(400):
            with closing(grammar.begin()) as state:
                found.append(state.choose(logits, choice.of(logits), choice))
    assert set(found) == {yes, no}
    # e to the first against one.
    assert found.count(yes) / len(found) == pytest.approx(0.731, abs=0.08)


def test_a_ban_holds_under_a_grammar_too(loaded: Model) -> None:
    yes, no = token(loaded, "yes"), token(loaded, "no")
    ask = Ask(temperature=0, logit_bias=((yes, -100.0),))
    logits = np.full(loaded.n_vocab, -20, dtype=np.float32)
    logits[yes], logits[no] = 9, -15
    with sampling(loaded, 'root ::= "yes" | "no"', ask) as sampler:
        assert loaded.piece(sampler.next(logits)) in (b"no", b"y", b"ye", b"n")


def test_a_grammar_that_leaves_nothing_ends_the_answer_and_not_the_process(loaded: Model) -> None:
    ask = Ask(temperature=0, logit_bias=tuple((token, -100.0) for token in range(loaded.n_vocab - 1)))
    with (
        sampling(loaded, 'root ::= "yes"', ask) as sampler,
        pytest.raises(Unsupported, match="no way to go on"),
    ):
        sampler.next(np.zeros(loaded.n_vocab, dtype=np.float32))


@pytest.mark.parametrize("gbnf", ["root ::= root", "root ::= other", "", "no grammar at all", 'root ::= "a'])
def test_a_grammar_that_does_not_compile_is_refused(loaded: Model, gbnf: str) -> None:
    with pytest.raises(Unsupported):
        Grammar(loaded, gbnf)


def test_a_control_token_is_no_text_of_an_answer(loaded: Model) -> None:
    start = token(loaded, "<|im_start|>")
    logits = np.full(loaded.n_vocab, -20, dtype=np.float32)
    logits[start] = 20
    for markers, chosen in (((), False), (("<|im_start|>",), True)):
        with sampling(loaded, 'root ::= "<|im_start|>" "a"', Ask(), markers=markers) as sampler:
            assert (sampler.next(logits) == start) == chosen


def test_a_schema_read_in_ever_more_ways_is_given_up_in_time(loaded: Model) -> None:
    # Each bracket doubles the ways to read what stands there.
    node = [{"prefixItems": [{"$ref": "#/$defs/N"}] * count, "items": False, "minItems": count} for count in (1, 2)]
    schema = {"$ref": "#/$defs/N", "$defs": {"N": {"anyOf": [*node, {"type": "null"}]}}}
    bracket = token(loaded, "[")
    logits = np.full(loaded.n_vocab, -20, dtype=np.float32)
    logits[bracket] = 20
    with sampling(loaded, to_grammar(plain_schema(schema))) as sampler:
        said = (sampler.next(logits) for _ in range(99))
        with pytest.raises(Unsupported, match="too many ways"):
            list(said)


# Lazy grammars

CALL = 'root ::= "<call>" [a-z]+ "</call>"'


def say(model: Model, grammar: Grammar, text: str) -> str:
    """What becomes of a text that the model wants to write, token by token."""
    said = b""
    wanted = iter([*model.tokens(text)])
    with closing(Sampler(model, Ask(temperature=0), seed=1, grammar=grammar, n_context=99)) as sampler:
        for wish in wanted:
            logits = np.linspace(1, 0, model.n_vocab, dtype=np.float32)
            logits[wish] = 20
            chosen = sampler.next(logits)
            if model.is_end(chosen):
                break
            said += model.piece(chosen)
    return said.decode()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        pytest.param("No call is needed: 1 < 2.", "No call is needed: 1 < 2.", id="free without the trigger"),
        pytest.param("Well <call>abc</call>", "Well <call>abc</call>", id="as the grammar wants it"),
        pytest.param("<call>", "<call>", id="the trigger alone"),
    ],
)
def test_a_lazy_grammar_waits_for_its_trigger(loaded: Model, wanted: str, said: str) -> None:
    with closing(Grammar(loaded, CALL, lazy=["(<call>)"])) as grammar:
        assert say(loaded, grammar, wanted) == said


def test_after_the_trigger_the_grammar_is_in_force(loaded: Model) -> None:
    with closing(Grammar(loaded, CALL, lazy=["(<call>)"])) as grammar:
        said = say(loaded, grammar, "Now <call>12345")
    assert re.fullmatch(r"Now <call>[a-z<>/]+", said)


def test_a_token_that_holds_the_trigger_and_something_illegal_is_not_said(loaded: Model) -> None:
    # llama.cpp's own lazy grammars end the process here: the trigger ends within the token `")`.
    with closing(Grammar(loaded, 'root ::= "\\"" [a-z]+ "\\""', lazy=['"'])) as grammar:
        said = say(loaded, grammar, 'so ")')
    assert said.startswith("so")
    assert '")' not in said


def test_a_trigger_that_begins_within_a_token_is_taken_up_there(loaded: Model) -> None:
    quote = token(loaded, ' "')
    logits = np.zeros(loaded.n_vocab, dtype=np.float32)
    logits[quote] = 20
    with sampling(loaded, 'root ::= "\\"" [a-z]+ "\\""', lazy=['(")']) as sampler:
        assert sampler.next(logits) == quote
        assert re.fullmatch(rb"[a-z]+\"?", loaded.piece(sampler.next(logits)))


def test_a_pattern_for_the_beginning_holds_only_there(loaded: Model) -> None:
    with closing(Grammar(loaded, 'root ::= "{" [a-z]* "}"', lazy=["^ *(\\{)"])) as grammar:
        assert say(loaded, grammar, "x {1}") == "x {1}"
        assert "1" not in say(loaded, grammar, "{1}")


@pytest.mark.parametrize("pattern", [r"^\x00$", r"^[\x01-\x03]b$", r"^(?:a|\v)$"])
def test_signs_that_json_writes_by_number_alone_can_be_held_to(
    loaded: Model, writer: Writer, capfd: pytest.CaptureFixture[str], pattern: str
) -> None:
    schema = {"type": "string", "pattern": pattern}
    for answer in answers(loaded, writer, schema, 3):
        assert re.search(pattern, json.loads(answer))
    assert capfd.readouterr().err == "", "llama.cpp prints what it cannot parse, and that would be the client's words"

"""Answers taken apart: calls told piece by piece, everything else text, and the same however the text was cut."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.engine.tools import ToolParser
from gateway.engine.tools.family import FAMILIES, GENERIC, Family
from gateway.engine.tools.scan import Value

NAMES = ("weather", "clock")
FAMILY = {family.name: family for family in (*FAMILIES, GENERIC)}
OBJECT = '{"name": "weather", "arguments": {"city": "Paris"}}'


@dataclass
class Heard:
    """What a client adds up to."""

    content: str = ""
    calls: list[list[str]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    called: bool = False
    done: bool = False


def hear(family: Family, pieces: list[str], *, parallel: bool = True) -> Heard:
    parser = ToolParser(family, NAMES, parallel=parallel)
    heard = Heard()
    for piece in pieces:
        for delta in parser.feed(piece):
            add(heard, delta)
    for delta in parser.end():
        add(heard, delta)
    heard.called, heard.done = parser.called, parser.done
    return heard


def add(heard: Heard, delta: dict[str, Any]) -> None:
    assert delta.keys() in ({"content"}, {"tool_calls"})
    heard.content += delta.get("content", "")
    for call in delta.get("tool_calls", ()):
        if call["index"] == len(heard.calls):
            assert call.keys() == {"index", "id", "type", "function"}
            assert call["type"] == "function"
            assert call["function"]["arguments"] == ""
            heard.calls.append([call["function"]["name"], ""])
            heard.ids.append(call["id"])
        else:
            assert call.keys() == {"index", "function"}
            assert call["index"] == len(heard.calls) - 1
            assert call["function"].keys() == {"arguments"}
            heard.calls[-1][1] += call["function"]["arguments"]


PARIS = ["weather", '{"city": "Paris"}']
EMPTY = ["clock", "{}"]

ANSWERS: dict[str, tuple[str, str, str, list[list[str]]]] = {
    "hermes": ("hermes", f"<tool_call>\n{OBJECT}\n</tool_call>", "", [PARIS]),
    "hermes, words before": ("hermes", f"Let me see.\n<tool_call>\n{OBJECT}\n</tool_call>\n", "Let me see.", [PARIS]),
    "hermes, words after": ("hermes", f"<tool_call>{OBJECT}</tool_call>\nThat is it.\n", "\nThat is it.\n", [PARIS]),
    "hermes, two": (
        "hermes",
        f'<tool_call>\n{OBJECT}\n</tool_call>\n<tool_call>\n{{"name": "clock", "arguments": {{}}}}\n</tool_call>',
        "",
        [PARIS, EMPTY],
    ),
    "hermes, never closed": ("hermes", f"<tool_call>\n{OBJECT}", "", [PARIS]),
    "hermes, not closed between": ("hermes", f"<tool_call>{OBJECT}\n<tool_call>{OBJECT}", "", [PARIS, PARIS]),
    "hermes, closing cut short": ("hermes", f"<tool_call>\n{OBJECT}\n</tool", "", [PARIS]),
    "hermes, parameters for arguments": (
        "hermes",
        '<tool_call>{"name":"weather","parameters":{"city": "Paris"}}</tool_call>',
        "",
        [PARIS],
    ),
    "hermes, arguments first": (
        "hermes",
        '<tool_call>{"arguments": {"city": "Paris"}, "name": "weather"}</tool_call>',
        "",
        [PARIS],
    ),
    "hermes, arguments as a text": (
        "hermes",
        '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}</tool_call>',
        "",
        [PARIS],
    ),
    "hermes, no arguments": ("hermes", '<tool_call>{"name": "clock"}</tool_call>', "", [EMPTY]),
    "hermes, arguments null": ("hermes", '<tool_call>{"name": "clock", "arguments": null}</tool_call>', "", [EMPTY]),
    "hermes, more keys": ("hermes", f'<tool_call>{{"id": [1, {{}}], {OBJECT[1:]}</tool_call>', "", [PARIS]),
    "hermes, letters kept": (
        "hermes",
        '<tool_call>{"name": "weather", "arguments": { "city":"\\u00e8 \\"</tool_call>\\" \\\\", "n" : -1.5e+3 }}',
        "",
        [["weather", '{ "city":"\\u00e8 \\"</tool_call>\\" \\\\", "n" : -1.5e+3 }']],
    ),
    "hermes, a list within its marker": (
        "hermes",
        f'<tool_call>[{OBJECT}, {{"name": "clock"}}]</tool_call>',
        "",
        [PARIS, EMPTY],
    ),
    "hermes, unknown function": (
        "hermes",
        'Now <tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>',
        'Now <tool_call>\n{"name": "rm", "arguments": {}}\n</tool_call>',
        [],
    ),
    "hermes, known after unknown": (
        "hermes",
        f'<tool_call>{{"name": "rm", "arguments": {{}}}}</tool_call> <tool_call>{OBJECT}</tool_call>',
        '<tool_call>{"name": "rm", "arguments": {}}</tool_call>',
        [PARIS],
    ),
    "hermes, the marker in words": ("hermes", "the <tool_call> tag <tool", "the <tool_call> tag <tool", []),
    "hermes, nothing in it": ("hermes", "<tool_call>\n</tool_call>", "<tool_call>\n</tool_call>", []),
    "hermes, broken before the arguments": (
        "hermes",
        '<tool_call>{"name": "weather" "arguments": {}}',
        '<tool_call>{"name": "weather" "arguments": {}}',
        [],
    ),
    "hermes, broken in the arguments": (
        "hermes",
        '<tool_call>{"name": "weather", "arguments": {"city": Paris}}</tool_call>',
        "Paris}}</tool_call>",
        [["weather", '{"city": ']],
    ),
    "hermes, broken behind the arguments": (
        "hermes",
        '<tool_call>{"name": "clock", "arguments": {} oh}',
        " oh}",
        [EMPTY],
    ),
    "hermes, cut before the arguments": (
        "hermes",
        'ok <tool_call>{"name": "weather", "arg',
        'ok <tool_call>{"name": "weather", "arg',
        [],
    ),
    "hermes, bare JSON is text": ("hermes", OBJECT, OBJECT, []),
    "hermes, twice a key": (
        "hermes",
        '<tool_call>{"name": "clock", "name": "weather", "arguments": {}}',
        '<tool_call>{"name": "clock", "name": "weather", "arguments": {}}',
        [],
    ),
    "hermes, a number for a name": (
        "hermes",
        f'<tool_call>{{"name": {"7" * 5000}, "arguments": {{}}}}',
        f'<tool_call>{{"name": {"7" * 5000}, "arguments": {{}}}}',
        [],
    ),
    "hermes, a long number beside": ("hermes", f'<tool_call>{{"id": {"7" * 5000}, {OBJECT[1:]}', "", [PARIS]),
    "hermes, depth": ("hermes", f'<tool_call>{{"id": {"[" * 129}', f'<tool_call>{{"id": {"[" * 129}', []),
    "json, bare": ("json", f" {OBJECT}\n", "", [PARIS]),
    "json, in tags": ("json", f"Sure: <tool_call>\n{OBJECT}\n</tool_call>", "Sure:", [PARIS]),
    "json, bare list": ("json", f'[{OBJECT}, {{"name": "clock", "arguments": {{}}}}]', "", [PARIS, EMPTY]),
    "json, bare later is text": ("json", f"Here: {OBJECT}", f"Here: {OBJECT}", []),
    "json, an answer in JSON": ("json", '{"name": "weather", "degrees": 7}', '{"name": "weather", "degrees": 7}', []),
    "json, a list in words": ("json", "[1] says so", "[1] says so", []),
    "json, white space alone": ("json", " \n ", " \n ", []),
    "llama3, bare": ("llama3", '{"name": "weather", "parameters": {"city": "Paris"}}', "", [PARIS]),
    "llama3, tagged": ("llama3", '<|python_tag|>{"name": "weather", "parameters": {"city": "Paris"}}', "", [PARIS]),
    "llama3, typed": (
        "llama3",
        '{"type": "function", "name": "weather", "parameters": {"city": "Paris"}}',
        "",
        [PARIS],
    ),
    "llama3, two": (
        "llama3",
        '{"name": "weather", "parameters": {"city": "Paris"}}; {"name": "clock", "parameters": {}}',
        "",
        [PARIS, EMPTY],
    ),
    "llama3, code is text": ("llama3", '<|python_tag|>print("x")', '<|python_tag|>print("x")', []),
    "mistral": ("mistral", f"[TOOL_CALLS][{OBJECT}]", "", [PARIS]),
    "mistral, two with ids": (
        "mistral",
        f'[TOOL_CALLS] [{OBJECT[:-1]}, "id": "abcdefghi"}}, {{"name": "clock", "arguments": {{}}}}]',
        "",
        [PARIS, EMPTY],
    ),
    "mistral, the second unknown": (
        "mistral",
        f'[TOOL_CALLS][{OBJECT}, {{"name": "rm", "arguments": {{}}}}]',
        ', {"name": "rm", "arguments": {}}]',
        [PARIS],
    ),
    "mistral, cut in the list": ("mistral", f"[TOOL_CALLS][{OBJECT}, ", "", [PARIS]),
    "mistral, other brackets": ("mistral", "[TOOL] [TOOL_CALLS]", "[TOOL] [TOOL_CALLS]", []),
    "mistral-args": ("mistral-args", '[TOOL_CALLS]weather[ARGS]{"city": "Paris"}', "", [PARIS]),
    "mistral-args, two with ids": (
        "mistral-args",
        'So:[TOOL_CALLS]weather[CALL_ID]abcdefghi[ARGS]{"city": "Paris"}[TOOL_CALLS]clock[ARGS]{}',
        "So:",
        [PARIS, EMPTY],
    ),
    "mistral-args, unknown": ("mistral-args", "[TOOL_CALLS]rm[ARGS]{}", "[TOOL_CALLS]rm[ARGS]{}", []),
    "mistral-args, no arguments": ("mistral-args", "[TOOL_CALLS]clock[ARGS]", "[TOOL_CALLS]clock[ARGS]", []),
    "mistral-args, as a list all the same": ("mistral-args", f"[TOOL_CALLS][{OBJECT}]", "", [PARIS]),
    "granite3": ("granite3", f"<|tool_call|>[{OBJECT}]", "", [PARIS]),
    "command-r": (
        "command-r",
        '<|START_ACTION|>[{"id": "0", "tool_name": "weather", "parameters": {"city": "Paris"}}]<|END_ACTION|>',
        "",
        [PARIS],
    ),
}


@pytest.mark.parametrize("pieces", ["whole", "letters", "threes"])
@pytest.mark.parametrize(("family", "text", "content", "calls"), ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_taken_apart(family: str, text: str, content: str, calls: list[list[str]], pieces: str) -> None:
    size = {"whole": len(text), "letters": 1, "threes": 3}[pieces]
    heard = hear(FAMILY[family], [text[at : at + size] for at in range(0, len(text), size)])
    assert heard.content == content
    assert heard.calls == calls
    assert heard.called == any(is_json(arguments) for _, arguments in calls)
    assert len(set(heard.ids)) == len(calls)
    assert all(len(one) > 20 and one.startswith("call_") for one in heard.ids)


def is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_arguments_are_told_as_they_come_and_the_name_before_them() -> None:
    parser = ToolParser(FAMILY["hermes"], NAMES, parallel=True)
    assert parser.feed('<tool_call>{"name": "weather", "arguments": ') == []
    (first, second) = parser.feed('{"city": "Pa')
    assert first["tool_calls"][0]["function"] == {"name": "weather", "arguments": ""}
    assert second["tool_calls"] == [{"index": 0, "function": {"arguments": '{"city": "Pa'}}]
    assert parser.feed("ris") == [{"tool_calls": [{"index": 0, "function": {"arguments": "ris"}}]}]
    assert not parser.called
    assert parser.feed('"}') == [{"tool_calls": [{"index": 0, "function": {"arguments": '"}'}}]}]
    assert parser.called


def test_text_is_told_as_it_comes_but_for_what_may_open_a_call() -> None:
    parser = ToolParser(FAMILY["hermes"], NAMES, parallel=True)
    assert parser.feed("one two") == [{"content": "one two"}]
    assert parser.feed(" <tool") == []
    assert parser.feed("box>") == [{"content": " <toolbox>"}]


@pytest.mark.parametrize(
    ("family", "text"),
    [
        pytest.param("hermes", f"<tool_call>{OBJECT}</tool_call><tool_call>{OBJECT}</tool_call> and", id="hermes"),
        pytest.param("mistral", f"[TOOL_CALLS][{OBJECT}, {OBJECT}] and", id="mistral"),
        pytest.param(
            "mistral-args", '[TOOL_CALLS]weather[ARGS]{"city": "Paris"}[TOOL_CALLS]clock[ARGS]{} x', id="args"
        ),
        pytest.param("llama3", f"{OBJECT}; {OBJECT}", id="llama3"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 1000])
def test_where_one_call_is_allowed_the_answer_ends_with_it(family: str, text: str, size: int) -> None:
    heard = hear(FAMILY[family], [text[at : at + size] for at in range(0, len(text), size)], parallel=False)
    assert heard.calls == [PARIS]
    assert heard.content == ""
    assert heard.done


FRAGMENTS = st.sampled_from(
    [
        *("<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]a", "<|tool_call|>"),
        *("{", "}", "[", "]", '"', ":", ",", ";", " ", "\n", "\\", "\\u00", "1", "-", ".", "e", "true", "nul", "\x00"),
        *('{"name"', '"weather"', '"arguments": {', '"parameters"', '{"name": "clock", "arguments": {}}', OBJECT),
        *("weather", "clock", '"tool_name"', "<tool", "_call>", "é", "𝄞", "word"),
    ]
)
OPENED = st.sampled_from(
    [f'{family.open}{{"{family.called}": "weather", "{family.arguments}": {{' for family in FAMILY.values()]
)
TEXTS = st.lists(FRAGMENTS | OPENED | st.text(max_size=3), max_size=24).map("".join)


@settings(max_examples=400)
@given(TEXTS, st.sampled_from(sorted(FAMILY)), st.lists(st.integers(0, 200), max_size=12), st.booleans())
@example(OBJECT + ";", "llama3", [len(OBJECT)], True)
def test_how_a_text_is_cut_changes_nothing(text: str, name: str, cuts: list[int], parallel: bool) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    one = hear(FAMILY[name], [text], parallel=parallel)
    other = hear(FAMILY[name], [text[start:end] for start, end in pairwise(places)], parallel=parallel)
    letters = hear(FAMILY[name], list(text), parallel=parallel)
    assert (one.content, one.calls, one.called) == (other.content, other.calls, other.called)
    assert (one.content, one.calls, one.called) == (letters.content, letters.calls, letters.called)


@given(TEXTS, st.sampled_from(sorted(FAMILY)))
def test_whatever_a_model_says_is_taken_and_only_calls_leave_the_text(text: str, name: str) -> None:
    heard = hear(FAMILY[name], [text])
    if not heard.calls:
        assert heard.content == text
    assert all(called in NAMES for called, _ in heard.calls)
    assert heard.called == any(is_json(arguments) for _, arguments in heard.calls)
    # What is neither text nor arguments is a call's frame: its marker, its name, its keys.
    assert len(heard.content) + sum(len(arguments) for _, arguments in heard.calls) <= len(text) + 2 * len(heard.calls)


@given(st.text())
def test_without_a_marker_text_comes_out_as_it_went_in(text: str) -> None:
    for family in FAMILY.values():
        if family.open not in text:
            assert hear(family, list(text)).content == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=8), JSON, max_size=4),
    st.sampled_from(sorted(FAMILY)),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_what_a_family_writes_it_reads(arguments: dict[str, Any], name: str, ascii_: bool, indent: int | None) -> None:
    said = json.dumps(arguments, ensure_ascii=ascii_, indent=indent)
    text = FAMILY[name].written([("weather", said), ("clock", "{}")])
    heard = hear(FAMILY[name], list(text))
    assert heard.calls == [["weather", said], ["clock", "{}"]]
    assert heard.content == ""


@given(JSON, st.text(max_size=4), st.integers(0, 60), st.booleans())
def test_a_value_is_whole_exactly_where_json_says_so(value: Any, noise: str, at: int, drop: bool) -> None:
    whole = json.dumps(value)
    text = whole[:at] + noise + whole[at + (len(noise) if drop else 0) :]
    scanned = Value()
    end = scanned.feed(text + " ", 0)  # the space ends a number
    valid = scanned.done and not (text[end:].strip(" \t\n\r"))
    try:
        json.loads(text, parse_constant=lambda word: int(word))
        assert valid
    except ValueError:
        assert not valid

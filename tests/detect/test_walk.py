"""The walker sees every string, knows what it cannot read, and keeps the user's words out of paths."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest

from gateway.core.document import DEPTH
from gateway.core.types import Unreadable
from gateway.detect import Scanner
from gateway.detect.clock import Clock, DeadlineError
from gateway.detect.walk import CHARACTERS, TooManyError, walk

IBAN = "DE10297299752882001826"
CARD = 4478878384837260


def chat(content: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": content}], **fields}


PLACES = {
    "string content": (chat(IBAN), "$.messages[0].content"),
    "text part": (chat([{"type": "text", "text": IBAN}]), "$.messages[0].content[0].text"),
    "name": ({"messages": [{"role": "user", "name": IBAN, "content": ""}]}, "$.messages[0].name"),
    "tool arguments": (
        {"messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": f'{{"to": "{IBAN}"}}'}}]}]},
        "$.messages[0].tool_calls[0].function.arguments",
    ),
    "tool result": ({"messages": [{"role": "tool", "tool_call_id": "c1", "content": IBAN}]}, "$.messages[0].content"),
    "tool description": (
        chat("hi", tools=[{"type": "function", "function": {"name": "pay", "description": IBAN}}]),
        "$.tools[0].function.description",
    ),
    "enum value": (
        chat("hi", tools=[{"function": {"parameters": {"enum": [IBAN]}}}]),
        "$.tools[0].function.parameters.enum[0]",
    ),
    "user": (chat("hi", user=IBAN), "$.user"),
    "metadata value": (chat("hi", metadata={"to": IBAN}), "$.metadata~value[0]"),
    "metadata key": (chat("hi", metadata={IBAN: 1}), "$.metadata~key[0]"),
    "unheard-of field": (chat("hi", frobnicate=[{"deep": [IBAN]}]), "$~value[2][0]~value[0][0]"),
    "schema": (
        chat("hi", response_format={"json_schema": {"schema": {"title": IBAN}}}),
        "$.response_format.json_schema.schema.title",
    ),
    "prediction": (chat("hi", prediction={"type": "content", "content": IBAN}), "$.prediction.content"),
    "stop": (chat("hi", stop=[IBAN]), "$.stop[0]"),
    "integer": (chat("hi", metadata={"num": CARD}), "$.metadata~value[0]"),
    "split into integers": (chat("hi", metadata={"num": [4478, 8783, 8483, 7260]}), "$.metadata~value[0]"),
    "negative integer": (chat("hi", seed=-CARD), "$.seed"),
}  # fmt: skip


@pytest.mark.parametrize(("document", "path"), PLACES.values(), ids=PLACES)
def test_a_value_is_found_wherever_it_stands(scanner: Scanner, document: dict[str, Any], path: str) -> None:
    found = scanner.scan_now(document).findings
    assert [finding.place.path for finding in found] == [path]
    assert found[0].kind in {"iban", "payment_card"}


PARTS = {
    "image": ({"type": "image_url", "image_url": {"url": "https://host.it/a.png"}}, "image"),
    "input image": ({"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, "image"),
    "audio": ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio"),
    "file": ({"type": "file", "file": {"file_id": "file-1"}}, "file"),
    "input file": ({"type": "input_file", "filename": "a.pdf"}, "file"),
    "unknown part": ({"type": "hologram", "text": "hi"}, "unknown_part"),
    "part without a type": ({"blob": "x"}, "unknown_part"),
    "part that is a number": (7, "unknown_part"),
    "type that is no string": ({"type": ["text"], "text": "hi"}, "unknown_part"),
    "text part that carries an image": ({"type": "text", "text": "hi", "image_url": {"url": "x"}}, "image"),
}


@pytest.mark.parametrize(("part", "reason"), PARTS.values(), ids=PARTS)
def test_a_part_that_cannot_be_read_is_unreadable(part: Any, reason: str) -> None:
    unreadable = walk(chat([{"type": "text", "text": "look"}, part])).unreadable
    assert Unreadable("$.messages[0].content[1]", reason) in unreadable


@pytest.mark.parametrize(
    "part", [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}, {"text": "a"}, "a"], ids=str
)
def test_a_part_of_text_is_readable(part: Any) -> None:
    assert walk(chat([part])).unreadable == []


SEALED: list[Any] = [{"type": "redacted_thinking", "data": "EqQB"}, {"type": "encrypted_reasoning", "text": "EqQB"}]


@pytest.mark.parametrize("part", SEALED, ids=lambda part: part["type"])
def test_sealed_thinking_is_no_reason_to_stay_where_it_is_left_aside_and_one_where_it_may_go_out(part: Any) -> None:
    assert walk(chat([part])).unreadable == []
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"content": [part]}}}
    for elsewhere in (
        {**chat("hi"), "response_format": schema},
        {**chat("hi"), "tools": [{"type": "function", "function": {"name": "a", "parameters": {"content": [part]}}}]},
        {**chat("hi"), "prediction": {"type": "content", "content": [part]}},
        chat([{"type": "tool_result", "content": [part]}]),
    ):
        assert [each.reason for each in walk(elsewhere).unreadable] == ["unknown_part"]


def test_strings_inside_an_unreadable_part_are_still_scanned(scanner: Scanner) -> None:
    scan = scanner.scan_now(chat([{"type": "file", "file": {"filename": f"{IBAN}.pdf"}}]))
    assert [finding.kind for finding in scan.findings] == ["iban"]
    assert [item.reason for item in scan.unreadable] == ["file"]


@pytest.mark.parametrize("key", ["file_id", "file_ids", "file_data", "attachments"])
def test_a_handle_to_content_elsewhere_is_unreadable(key: str) -> None:
    assert [item.reason for item in walk({"messages": [{"role": "user", key: "x1"}]}).unreadable] == ["file"]


def test_an_earlier_spoken_answer_is_unreadable_and_the_wish_for_a_voice_is_not() -> None:
    assert [item.reason for item in walk({"messages": [{"role": "assistant", "audio": {"id": "a1"}}]}).unreadable] == [
        "audio"
    ]
    assert walk({"audio": {"voice": "alloy", "format": "mp3"}}).unreadable == []


def test_what_is_nested_too_deep_is_unreadable() -> None:
    document: Any = IBAN
    for _ in range(DEPTH + 5):
        document = [document]
    assert [item.reason for item in walk({"x": document}).unreadable] == ["too_deep"]


def test_what_is_too_large_is_unreadable_and_said_once() -> None:
    document = {"x": ["a" * (CHARACTERS // 4 + 1)] * 6}
    assert [item.reason for item in walk(document).unreadable] == ["too_large"]


def test_a_value_that_is_no_json_is_unreadable() -> None:
    assert [item.reason for item in walk({"x": b"bytes"}).unreadable] == ["unknown_part"]


def test_an_integer_too_long_to_write_out_is_unreadable() -> None:
    assert [item.reason for item in walk({"x": 10**5000}).unreadable] == ["too_large"]


def test_a_key_gives_its_value_a_meaning(scanner: Scanner) -> None:
    assert [finding.kind for finding in scanner.scan_now({"metadata": {"ssn": "536482917"}}).findings] == ["us_ssn"]
    assert scanner.scan_now({"metadata": {"sku": "536482917"}}).findings == ()


def test_a_span_under_a_key_counts_from_the_value(scanner: Scanner) -> None:
    (finding,) = scanner.scan_now({"metadata": {"account": f"to {IBAN}"}}).findings
    assert (finding.place.start, finding.place.end) == (3, 3 + len(IBAN))


def test_no_path_repeats_a_key_of_the_users() -> None:
    walked = walk({"metadata": {"anna.verdi@posta.it": {"secret-name": "some text"}}})
    assert not any("anna" in text.path or "secret" in text.path for text in walked.texts)
    assert "anna" not in repr(walked.texts)


# ── the clock ────────────────────────────────────────────────────────────────────────────────────────────────────────

MANY = {
    "integers": {"metadata": {"a": [1] * 1_000_000}},
    "parts": chat([{"type": "image_url"}] * 100_000),
    "messages": {"messages": [{"role": "user", "content": "hi"}] * 100_000},
}


@pytest.mark.parametrize("document", MANY.values(), ids=MANY)
def test_walking_keeps_the_deadline(document: dict[str, Any]) -> None:
    with pytest.raises(DeadlineError):
        walk(document, Clock(10))


@pytest.mark.parametrize("document", MANY.values(), ids=MANY)
def test_a_walk_gives_up_where_it_was_told_to(document: dict[str, Any]) -> None:
    start = time.thread_time()
    with pytest.raises(TooManyError):
        walk(document, Clock(10_000), at_most=2000)
    assert time.thread_time() - start < 5


@pytest.mark.parametrize("document", MANY.values(), ids=MANY)
def test_a_body_of_many_small_values_does_not_stop_the_loop(scanner: Scanner, document: dict[str, Any]) -> None:
    async def main() -> float:
        begun = time.thread_time()
        await scanner.scan(document)
        return time.thread_time() - begun

    assert anyio.run(main) < 1  # processor time of the loop's own thread

"""What stands beside a text: its question in the turn before, its other half in the string beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.detect import Scanner

IBAN = "DE10297299752882001826"
CARD = "4478878384837260"
FOURS = [IBAN[at : at + 4] for at in range(0, len(IBAN), 4)]


def turns(*texts: str) -> dict[str, Any]:
    roles = ("assistant", "user")
    return {"messages": [{"role": roles[number % 2], "content": text} for number, text in enumerate(texts)]}


def parts(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]}


ASKED = {
    "us_ssn": ("What is your SSN?", "078051121"),
    "it_vat": ("Qual è la tua partita IVA?", "00743110157"),
    "de_tax_id": ("Wie lautet deine Steuer-ID?", "86095742719"),
    "phone": ("Phone number?", "3471234567"),
    "uk_nhs_number": ("And the NHS number, please?", "it is 943 476 5919"),
}


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("said", [turns, parts])
def test_a_question_is_context_for_the_answer(scanner: Scanner, said: Any, kind: str) -> None:
    question, answer = ASKED[kind]
    finding = next(found for found in scanner.scan_now(said(question, answer)).findings if found.kind == kind)
    assert answer[finding.place.start : finding.place.end] == answer.removeprefix("it is ")


def test_a_word_of_filler_between_does_not_hide_the_question(scanner: Scanner) -> None:
    found = scanner.scan_now(turns("ready?", "here is my SSN", "ok", "078051121")).findings
    assert [finding.kind for finding in found] == ["us_ssn"]


@pytest.mark.parametrize("question", ["How many items?", "SSN" + " or so, " * 12], ids=["another", "too far"])
def test_another_question_is_no_context(scanner: Scanner, question: str) -> None:
    assert scanner.scan_now(turns(question, "078051121")).findings == ()


def test_what_was_said_before_is_not_told_again(scanner: Scanner) -> None:
    found = scanner.scan_now(turns(f"Pay {IBAN}", "2024 was fine")).findings
    assert [finding.place.path for finding in found] == ["$.messages[0].content"]


def user(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}], **fields}


BESIDE = {
    "stop": user(stop=FOURS),
    "enum": user(tools=[{"function": {"parameters": {"enum": FOURS}}}]),
    "list in metadata": user(metadata={"p": FOURS}),
    "object values": user(metadata={"a": IBAN[:9], "b": IBAN[9:]}),
    "strings and integers": user(metadata={"p": ["DE10", 2972, 9975, 2882, "0018", 26]}),
    "arguments as JSON": {
        "messages": [{"role": "assistant", "tool_calls": [{"function": {"arguments": json.dumps({"p": FOURS})}}]}]
    },
    "arguments as compact JSON": {
        "messages": [
            {"role": "user", "content": json.dumps(FOURS, separators=(",", ":"))},
        ]
    },
    "content and refusal": {"messages": [{"role": "assistant", "content": IBAN[:9], "refusal": IBAN[9:]}]},
    "content and arguments": {
        "messages": [
            {
                "role": "assistant",
                "content": [{"type": "text", "text": IBAN[:9]}],
                "tool_calls": [{"function": {"name": "pay", "arguments": IBAN[9:]}}],
            }
        ]
    },
    "many integers": user(metadata={"n": [4478, 8783, 8483, 7260, *[0] * 50]}),
}


@pytest.mark.parametrize("document", BESIDE.values(), ids=BESIDE)
def test_a_value_split_over_what_stands_beside_each_other_is_found(scanner: Scanner, document: dict[str, Any]) -> None:
    assert {finding.kind for finding in scanner.scan_now(document).findings} & {"iban", "payment_card"}


@pytest.mark.parametrize(
    "document",
    [
        user(metadata={"p": ["+39", "346", "507", "5291"]}),
        user(metadata={"p": ["4738", "2915V"]}),
        user(tools=[{"function": {"parameters": {"enum": ["2021", "2022", "2023", "2024", "2025"]}}}]),
    ],
    ids=["a telephone number", "a number and a letter", "years"],
)
def test_only_what_proves_itself_is_believed_there(scanner: Scanner, document: dict[str, Any]) -> None:
    assert scanner.scan_now(document).findings == ()

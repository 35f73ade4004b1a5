"""Answers without what the policy takes out of them."""

from __future__ import annotations

import base64
import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.types import Chunk, Scan, Sensitivity, Unreadable, Usage
from gateway.policy.levels import Levels
from gateway.transform import Guard
from gateway.transform.guard import AT_MOST, HARD

pytestmark = pytest.mark.anyio

IBAN, EMAIL, KEY = (
    "DE89 3704 0044 0532 0130 00",
    "anna.verdi@posta-aziendale.it",
    "ghp_FBNOfQ5xj7t2ydf0K5uY8iH1wOLaQan8ePsq",
)
PLAIN = "The bridge was built long ago. It is still used, every day! Nobody knows\nwhy it holds: see below. "
C = Sensitivity.CONFIDENTIAL


def guarded(detector: Any, at_least: Sensitivity = C) -> Any:
    return lambda answer: Guard(detector)(answer, at_least, Levels().level_of)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 1000])
async def test_a_value_is_redacted_however_it_was_cut(tools: Any, scanner: Any, size: int) -> None:
    text = f"{PLAIN}Your IBAN is {IBAN}. Write to {EMAIL}, please! {PLAIN}"
    chunks = await tools.through(guarded(scanner), tools.says(text, [size]))
    assert tools.text(chunks) == text.replace(IBAN, "[redacted: iban]").replace(EMAIL, "[redacted: email]")
    assert [chunk.finish for chunk in chunks if chunk.finish] == ["stop"]


async def test_the_policy_says_what_goes(tools: Any, scanner: Any) -> None:
    text = f"Mail {EMAIL} and key {KEY}."
    chunks = await tools.through(guarded(scanner, Sensitivity.RESTRICTED), tools.says(text, [5]))
    assert EMAIL in tools.text(chunks)
    assert KEY not in tools.text(chunks)


async def test_a_sentence_is_passed_on_once_the_next_one_begins(tools: Any, scanner: Any) -> None:
    passed: list[int] = []
    count = 0

    async def says() -> Any:
        nonlocal count
        for char in PLAIN * 3:
            count += 1
            yield [Chunk(0, {"content": char})]

    async for _ in guarded(scanner)(says()):
        passed.append(count)
    assert passed[0] <= len("The bridge was built long ago. I")
    assert max(b - a for a, b in pairwise(passed)) <= 120


async def test_no_more_than_a_bounded_stretch_waits(tools: Any, scanner: Any) -> None:
    text = "and so on with words " * 200
    given_, told = 0, 0

    async def says() -> Any:
        nonlocal given_
        for at in range(0, len(text), 6):
            given_ += 6
            yield [Chunk(0, {"content": text[at : at + 6]})]

    async for pieces in guarded(scanner)(says()):
        told += sum(len(chunk.delta.get("content", "")) for chunk in pieces)
        assert given_ - told <= AT_MOST + 40


async def test_words_already_passed_on_still_say_what_comes(tools: Any) -> None:
    class Context:
        pack = "context"

        async def scan(self, document: Any, seen: Any = None) -> Any:
            text = document["messages"][0]["content"]
            words = tools.detector({"4711": ("account", "financial")} if "account" in text else {})
            return await words.scan(document)

    chunks = await tools.through(guarded(Context()), tools.says("This is your account. 4711 It is. ", [1]))
    assert "4711" not in tools.text(chunks)


async def test_a_private_key_is_held_until_it_ends_and_an_endless_one_is_taken_out(tools: Any, scanner: Any) -> None:
    body = "\n".join("MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7" + str(at) for at in range(20))
    whole = f"Here you are.\n\n-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n\nKeep it safe."
    said = tools.text(await tools.through(guarded(scanner), tools.says(whole, [9])))
    assert "MIIE" not in said
    assert said.startswith("Here you are.")
    assert said.endswith("Keep it safe.")
    open_ = tools.text(await tools.through(guarded(scanner), tools.says(whole[:400], [9])))
    assert "MIIE" not in open_


async def test_arguments_stay_json(tools: Any, scanner: Any) -> None:
    arguments = json.dumps(
        {"iban": IBAN, "card": 5515432145583581, EMAIL: {"note": f'a "b"\n{KEY}'}, "rest": "x" * 300}
    )
    for size in (1, 7, 64, 2000):
        pieces = [
            [Chunk(0, {"tool_calls": [{"index": 0, "function": {"arguments": arguments[at : at + size]}}]})]
            for at in range(0, len(arguments), size)
        ]
        said = json.loads(
            tools.arguments(await tools.through(guarded(scanner), [*pieces, [Chunk(0, {}, "tool_calls")]]))
        )
        assert said["iban"] == "[redacted: iban]"
        assert said["card"] == "[redacted: payment_card]"
        assert said["[redacted: email]"]["note"].startswith('a "b"\n[redacted')
        assert said["rest"] == "x" * 300


async def test_an_answer_that_is_json_stays_json(tools: Any, scanner: Any) -> None:
    text = json.dumps({"to": EMAIL, "card": 5515432145583581})
    said = json.loads(tools.text(await tools.through(guarded(scanner), tools.says(text, [6]))))
    assert said == {"to": "[redacted: email]", "card": "[redacted: payment_card]"}


async def test_what_cannot_be_read_is_taken_out(tools: Any) -> None:
    class Blind:
        pack = "blind"

        async def scan(self, document: Any, seen: Any = None) -> Scan:
            return Scan((), (Unreadable("$", "deadline"),))

    chunks = await tools.through(guarded(Blind()), tools.says("something. Something else", [4]))
    assert "omething" not in tools.text(chunks)
    assert "[redacted: unreadable]" in tools.text(chunks)


async def test_what_is_no_text_passes(tools: Any, scanner: Any) -> None:
    pieces = [[Chunk(0, {}, "stop"), Chunk(usage=Usage(1, 2))]]
    assert await tools.through(guarded(scanner), pieces) == pieces[0]


async def test_a_run_without_an_end_is_let_go_at_last(tools: Any, scanner: Any) -> None:
    text = "x" * (HARD + 500)
    assert tools.text(await tools.through(guarded(scanner), tools.says(text, [50]))) == text


WORDS = [PLAIN, "Hello. ", "a 1. b ", "\n", "- x", "3.5 ", '"q" ', IBAN, EMAIL, KEY, ", ", ". "]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=12), st.lists(st.integers(1, 30), min_size=1, max_size=5))
async def test_whatever_is_said_no_planted_value_passes_and_the_rest_does(
    tools: Any, scanner: Any, words: list[str], sizes: list[int]
) -> None:
    text = " ".join(words)
    found = {
        finding.kind
        for finding in (await scanner.scan({"messages": [{"role": "assistant", "content": text}]})).findings
    }
    said = tools.text(await tools.through(guarded(scanner), tools.says(text, sizes)))
    for value, kind in ((IBAN, "iban"), (EMAIL, "email"), (KEY, "github_pat")):
        assert value not in said or kind not in found
    if not found:
        assert said == text


async def test_what_is_no_text_of_its_own_is_looked_through_as_well(tools: Any, scanner: Any) -> None:
    cited = {"type": "url_citation", "url_citation": {"url": f"https://x.example/?m={EMAIL}", "title": IBAN}}
    given_ = {"content": "See there.", "annotations": [cited], "audio": {"transcript": f"call {EMAIL}"}}
    chunks = await tools.through(guarded(scanner), [[Chunk(0, given_, "stop")]])
    told = json.dumps([chunk.delta for chunk in chunks])
    assert EMAIL not in told
    assert IBAN not in told
    assert '"type": "url_citation"' in told


@pytest.mark.parametrize("delta", [{}, {"content": ""}, {"content": "Well. "}], ids=["alone", "empty", "beside text"])
async def test_tokens_beside_the_text_do_not_pass(tools: Any, scanner: Any, delta: dict[str, str]) -> None:
    tokens = {"content": [{"token": IBAN, "logprob": -0.1}]}
    chunks = await tools.through(guarded(scanner), [[Chunk(0, delta, None, tokens)], [Chunk(0, {}, "stop", tokens)]])
    assert [chunk.logprobs for chunk in chunks if chunk.logprobs] == []


async def test_a_value_that_goes_on_for_long_is_not_looked_at_for_every_piece_of_it(tools: Any, scanner: Any) -> None:
    class Counted:
        pack = "counted"
        scans = 0

        async def scan(self, document: Any, seen: Any = None) -> Scan:
            self.scans += 1
            scan: Scan = await scanner.scan(document, seen)
            return scan

    counted = Counted()
    text = base64.encodebytes(f"IBAN {IBAN} {PLAIN * 20}".encode()).decode()
    chunks = await tools.through(guarded(counted), tools.says(text, [3]))
    assert tools.text(chunks).strip() == "[redacted: iban]"
    assert counted.scans < 30

"""What every taint memory promises, over both stores."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from gateway.core.types import TAINT, Chunk, Place, Scan, Sensitivity, Unreadable
from gateway.taint import TaintMemory, open_taints
from tests.support.tainting import (
    ANSWER,
    Clock,
    answer,
    assessed,
    called,
    calling,
    chat,
    decided,
    found,
    in_pieces,
    kinds,
    result,
)
from tests.support.valkey import ValkeyServer, valkey

pytestmark = pytest.mark.anyio

SECRET = b"a secret of thirty-two bytes ...."
HEALTH = {"health_fact"}
ELSEWHERE = "Something quite different: how long do beans have to soak, and does the water have to be salted for it?"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "redis"])
async def taints(request: pytest.FixtureRequest, clock: Clock) -> AsyncIterator[TaintMemory]:
    url = None
    if request.param == "redis":
        server: ValkeyServer = request.getfixturevalue("server")
        url = server.url
        with server.client() as client:
            client.flushall()
    memory = open_taints(url, ttl_s=1000, secret=SECRET, timeout_s=20.0, clock=clock)
    yield memory
    assert memory.status()["failed"] == 0
    await memory.aclose()


# -- what comes back -------------------------------------------------------------------------------------------------


async def test_an_answer_sent_again_brings_back_what_it_was_made_from(taints: TaintMemory) -> None:
    of = assessed(found("health_fact", "health"), found("person", "person", confidence=0.7), found("person", "person"))
    await answer(taints, chat("What does the letter say?"), of=of)
    scan = await taints.recall(chat("What does the letter say?", ANSWER, "Make it shorter."))
    assert {(f.kind, f.category, f.confidence) for f in scan.findings} == {
        ("health_fact", "health", 0.9),
        ("person", "person", 0.9),
    }
    assert {f.detector for f in scan.findings} == {TAINT}
    assert {f.place for f in scan.findings} == {Place("$.messages[1].content", 0, 0, TAINT)}
    assert scan.unreadable == ()


async def test_where_nothing_is_remembered_nothing_comes_back(taints: TaintMemory) -> None:
    assert await taints.recall(chat("Hi", "Hello!", ELSEWHERE)) == Scan()


async def test_what_else_a_finding_says_comes_back_too(taints: TaintMemory) -> None:
    one = found("iban", "financial", confidence=1.0, near=frozenset({"account"}), reserved=True)
    await answer(taints, chat("q"), of=assessed(one))
    (back,) = (await taints.recall(chat("q", ANSWER))).findings
    assert (back.near, back.reserved, back.confidence) == (frozenset({"account"}), True, 1.0)


async def test_an_example_beside_a_real_value_comes_back_as_real(taints: TaintMemory) -> None:
    both = (found("iban", "financial", reserved=True), found("iban", "financial", confidence=0.4))
    await answer(taints, chat("q"), of=assessed(*both))
    (back,) = (await taints.recall(chat("q", ANSWER))).findings
    assert (back.reserved, back.confidence) == (False, 0.9)


@pytest.mark.parametrize("level", [Sensitivity.PUBLIC, Sensitivity.INTERNAL])
async def test_an_answer_that_may_leave_is_not_watched(taints: TaintMemory, level: Sensitivity) -> None:
    assert taints.watch(chat("q"), assessed(found("person", "person")), decided(level)) is None


@pytest.mark.parametrize(
    ("level", "kind"),
    [(Sensitivity.CONFIDENTIAL, "derived_confidential"), (Sensitivity.RESTRICTED, "derived_restricted")],
    ids=["confidential", "restricted"],
)
async def test_a_level_that_no_finding_explains_comes_back_as_a_kind(
    taints: TaintMemory, level: Sensitivity, kind: str
) -> None:
    await answer(taints, chat("q"), of=assessed(found("person", "person")), decision=decided(level, lifted=True))
    scan = await taints.recall(chat("q", ANSWER))
    assert {(f.kind, f.category) for f in scan.findings} == {(kind, "confidential"), ("person", "person")}


async def test_an_answer_about_something_unread_comes_back_as_unread(taints: TaintMemory) -> None:
    of = assessed(unreadable=[Unreadable("$.messages[0].content[1]", "image")])
    await answer(taints, chat("q"), of=of, decision=decided(Sensitivity.UNKNOWN))
    scan = await taints.recall(chat("q", ANSWER))
    assert scan.unreadable == (Unreadable("$.messages[1].content", "tainted"),)
    assert scan.findings == ()


async def test_it_flows_on_through_what_is_made_of_what_came_back(taints: TaintMemory) -> None:
    await answer(taints, chat("q"), decision=decided(lifted=True))
    summary = (
        "She has to have an operation on her lung soon, and her health insurance is going to pay nearly all of it."
    )
    asked = chat(f"Sum this up: {ANSWER}")
    scan = await taints.recall(asked)
    await answer(taints, asked, summary, of=assessed(*scan.findings), decision=decided())
    assert kinds(await taints.recall(chat(f"Earlier: {summary} Go on."))) == {"health_fact", "derived_restricted"}


# -- wherever a client sends it --------------------------------------------------------------------------------------


async def test_a_history_that_was_cut_at_its_beginning_still_shows_it(taints: TaintMemory) -> None:
    await answer(taints, chat("What does the letter say?"))
    assert kinds(await taints.recall(chat({"role": "assistant", "content": ANSWER}, "Thanks!"))) == HEALTH


QUOTES: dict[str, Callable[[str], str]] = {
    "title call": lambda text: f"Give this chat a title.\n<chat>\nuser: What?\nassistant: {text}\n</chat>\nTitle:",
    "json": lambda text: json.dumps([{"role": "assistant", "content": text}]),
    "json in json": lambda text: json.dumps({"log": json.dumps({"text": text})}),
    "json with letters as they are": lambda text: json.dumps(text, ensure_ascii=False),
    "python": lambda text: ascii([text]),
    "html": lambda text: f"<p>{html.escape(text)}</p>",
    "html with numbers": lambda text: text.encode("ascii", "xmlcharrefreplace").decode(),
    "percent": quote,
    "form": quote_plus,
    "mail": lambda text: textwrap.indent("\n".join(textwrap.wrap(text, 60)), "> "),
    "capitals": str.upper,
    "no accents": lambda text: text.replace("ü", "u"),
    "accents apart": lambda text: text.replace("ü", "u\u0308"),
    "no markdown": lambda text: text.replace("*", "").replace("- ", ""),
    "curly quotes": lambda text: text.replace("'", "’"),
    "the first 120": lambda text: text[:120] + "… (truncated)",
    "the last 120": lambda text: "(…) " + text[-120:],
    "from the middle": lambda text: "You said: " + text[150:270] + " - why?",
}


@pytest.mark.parametrize("quoted", QUOTES.values(), ids=QUOTES.keys())
async def test_it_is_recognised_however_it_is_quoted(taints: TaintMemory, quoted: Callable[[str], str]) -> None:
    await answer(taints, chat("What does the letter say?"))
    assert kinds(await taints.recall(chat(quoted(ANSWER)))) == HEALTH


PLACES: dict[str, Any] = {
    "a part": chat({"role": "user", "content": [{"type": "text", "text": ANSWER}]}),
    "two parts": chat(
        {"role": "user", "content": [{"type": "text", "text": ANSWER[:60]}, {"type": "text", "text": ANSWER[60:110]}]}
    ),
    "the system prompt": chat({"role": "system", "content": f"So far: {ANSWER}"}, ELSEWHERE),
    "a tool's arguments": chat(called("call_0", json.dumps({"letter": ANSWER}))),
    "a tool's description": chat("q", tools=[{"type": "function", "function": {"name": "f", "description": ANSWER}}]),
    "the prediction": chat("q", prediction={"type": "content", "content": ANSWER}),
    "a field that nobody knows": chat("q", notes={"so far": [ANSWER]}),
    "a key": chat("q", notes={ANSWER: 1}),
}


@pytest.mark.parametrize("request_", PLACES.values(), ids=PLACES.keys())
async def test_it_is_recognised_wherever_it_stands(taints: TaintMemory, request_: Any) -> None:
    await answer(taints, chat("What does the letter say?"))
    scan = await taints.recall(request_)
    assert kinds(scan) == HEALTH
    assert "so far" not in scan.findings[0].place.path
    assert "Rossi" not in scan.findings[0].place.path


async def test_a_short_answer_counts_as_a_whole_and_not_in_part(taints: TaintMemory) -> None:
    short = "Yes, the test was positive: she needs treatment."
    await answer(taints, chat("Is it serious?"), short)
    assert kinds(await taints.recall(chat(json.dumps({"assistant": short})))) == HEALTH
    assert await taints.recall(chat("Is it so that she needs treatment when the test was positive?")) == Scan()


async def test_a_short_answer_of_few_letters_counts_where_it_stands_alone(taints: TaintMemory) -> None:
    figures = "| 12.50 | 99.10 | 17.00 | -- | 5.00 | 44.10 |"
    await answer(taints, chat("The table, please"), figures)
    assert kinds(await taints.recall(chat("q", figures, "And the sum?"))) == HEALTH
    assert await taints.recall(chat(f"q {figures}")) == Scan()


async def test_an_answer_below_forty_characters_is_like_many_others(taints: TaintMemory) -> None:
    await answer(taints, chat("Is it serious?"), "Yes, it is malignant.")
    assert await taints.recall(chat("Is it serious?", "Yes, it is malignant.", "Hm.")) == Scan()


# -- and nowhere else ------------------------------------------------------------------------------------------------

STOCK = "I'm sorry, but I can't help with that. Is there anything else I can do for you?"


async def test_a_stock_phrase_in_an_answer_is_nobodys_secret(taints: TaintMemory) -> None:
    await answer(taints, chat("q"), f"{STOCK} {ANSWER}")
    assert await taints.recall(chat("Draw me a sheep.", STOCK, "A boat, then.")) == Scan()


async def test_two_phrases_of_one_answer_do_not_add_up(taints: TaintMemory) -> None:
    opening, closing = "Sure! Here is a summary of what you sent me:", "Let me know if you want anything changed in it!"
    await answer(taints, chat("q"), f"{opening}\n\n{ANSWER}\n\n{closing}")
    again = f"{opening}\n\nBeans soak for a night, peas for two hours, lentils not at all.\n\n{closing}"
    assert await taints.recall(chat("And beans?", again, "Peas?")) == Scan()


@pytest.mark.parametrize("filler", ["0, " * 200, "-" * 300, "na " * 100], ids=["zeros", "a line", "syllables"])
async def test_what_repeats_itself_is_no_copy_of_what_repeats_itself(taints: TaintMemory, filler: str) -> None:
    await answer(taints, chat("q"), filler)
    assert await taints.recall(chat(f"Why does my program print {filler[: len(filler) // 2]}?")) == Scan()


async def test_two_chats_that_begin_with_hi_stay_two_chats(taints: TaintMemory) -> None:
    """Behind one shared key, both without a conversation id; one of them turns to somebody's health."""
    hello = "Hello! How can I help you today?"
    private = chat("Hi", hello, "Please explain this letter from the hospital to me.")
    await answer(taints, private)
    assert await taints.recall(chat("Hi", hello, ELSEWHERE)) == Scan()
    assert await taints.recall(chat("Hi")) == Scan()
    assert kinds(await taints.recall(chat("Hi", hello, "Please explain it", ANSWER, "Thanks"))) == HEALTH


@pytest.mark.parametrize(
    ("tenant", "subject"), [("other", "shared-key"), ("acme", "other"), ("shared-key", "acme")], ids=str
)
async def test_nobody_else_is_told(taints: TaintMemory, tenant: str, subject: str) -> None:
    await answer(taints, chat("q", conversation="c-1"), [*in_pieces(ANSWER), *calling("call_kX81bd92hf", ANSWER)])
    messages = ("q", ANSWER, called("call_kX81bd92hf", ANSWER))
    assert await taints.recall(chat(*messages, tenant=tenant, subject=subject, conversation="c-1")) == Scan()
    assert kinds(await taints.recall(chat(*messages))) == HEALTH


# -- tool calls ------------------------------------------------------------------------------------------------------

LETTER = json.dumps({"to": "Ms Rossi", "text": "about your biopsy of 14 March"})
RECORD = "Rossi, Anna: adenocarcinoma of the left upper lobe, stage II, seen by Dr Keller on the fourteenth of March."


async def test_a_tool_call_comes_back_by_its_random_id(taints: TaintMemory) -> None:
    await answer(taints, chat("q"), calling("call_kX81bd92hfQq", "{}"))
    scan = await taints.recall(chat("q", called("call_kX81bd92hfQq", "{}"), result("call_kX81bd92hfQq", "done")))
    assert kinds(scan) == HEALTH
    assert scan.findings[0].place.path == "$.messages[1]"
    assert kinds(await taints.recall(chat(result("call_kX81bd92hfQq", "done")))) == HEALTH


async def test_a_tool_call_comes_back_by_what_it_says(taints: TaintMemory) -> None:
    await answer(taints, chat("q"), calling("call_0", LETTER))
    rewritten = json.dumps(dict(reversed(json.loads(LETTER).items())), indent=2)
    assert kinds(await taints.recall(chat("q", called("call_7", rewritten)))) == HEALTH
    assert await taints.recall(chat("q", called("call_0", rewritten, name="other_tool"))) == Scan()


async def test_a_call_of_a_custom_tool_comes_back_like_any_other(taints: TaintMemory) -> None:
    short = "Rossi: biopsy on 14 March, result bad"
    for said in (ANSWER, short):
        custom = {"index": 0, "id": "call_0", "type": "custom", "custom": {"name": "letter", "input": said}}
        await answer(taints, chat("q"), [Chunk(0, {"tool_calls": [custom]}), Chunk(0, {}, "tool_calls")])
    assert kinds(await taints.recall(chat(f"Translate this: {ANSWER}"))) == HEALTH
    back = {"id": "call_0", "type": "custom", "custom": {"name": "letter", "input": short}}
    again = chat("q", {"role": "assistant", "content": None, "tool_calls": [back]})
    assert kinds(await taints.recall(again)) == HEALTH


@pytest.mark.parametrize("call_id", ["call_0", "0", "functions.get_weather:0", "tool_call_1", "get_weather_17"])
async def test_calls_that_are_merely_numbered_are_not_taken_for_each_other(taints: TaintMemory, call_id: str) -> None:
    await answer(taints, chat("q"), calling(call_id, '{"city":"Rome"}', name="get_weather"))
    again = chat("q", called(call_id, '{"city":"Rome"}', name="get_weather"), result(call_id, "Sunny, 24 degrees"))
    assert await taints.recall(again) == Scan()


@pytest.mark.parametrize("call_id", ["call_kX81bd92hfQq", "call_0"], ids=["random", "numbered"])
async def test_the_result_of_a_call_that_came_back_is_remembered_in_its_turn(taints: TaintMemory, call_id: str) -> None:
    await answer(taints, chat("Write to her"), calling(call_id, LETTER))
    assert await taints.recall(chat(RECORD)) == Scan()
    await answer(taints, chat("Write to her", called(call_id, LETTER), result(call_id, RECORD)), "Done.")
    assert kinds(await taints.recall(chat(f"Summary of an earlier chat: {RECORD}"))) == HEALTH


async def test_the_result_of_another_call_is_not(taints: TaintMemory) -> None:
    await answer(taints, chat("Write to her"), calling("call_kX81bd92hfQq", LETTER))
    other = "Beans: soak overnight in cold water, rinse, then cook for ninety minutes without any salt in the water."
    history = (called("call_kX81bd92hfQq", LETTER), called("call_Zz00aa11", "{}"), result("call_Zz00aa11", other))
    await answer(taints, chat("Write to her", *history), "Done.")
    assert await taints.recall(chat(other)) == Scan()


async def test_old_fashioned_function_calls_are_calls(taints: TaintMemory) -> None:
    call = {"name": "send_letter", "arguments": LETTER}
    await answer(taints, chat("q"), [Chunk(0, {"function_call": call}), Chunk(0, {}, "stop")])
    message = {"role": "assistant", "content": None, "function_call": call}
    given = {"role": "function", "name": "send_letter", "content": RECORD}
    assert kinds(await taints.recall(chat("q", message))) == HEALTH
    await answer(taints, chat("q", message, given), "Done.")
    assert kinds(await taints.recall(chat(RECORD))) == HEALTH


# -- conversations, time ---------------------------------------------------------------------------------------------


async def test_a_conversation_holds_the_most_it_ever_had(taints: TaintMemory) -> None:
    await answer(taints, chat("a", conversation="c-1"), "short", of=assessed(found("iban", "financial")))
    await answer(taints, chat("b", conversation="c-1"), "short", of=assessed(found("health_fact", "health")))
    scan = await taints.recall(chat(ELSEWHERE, conversation="c-1"))
    assert kinds(scan) == {"iban", "health_fact"}
    assert {f.place.path for f in scan.findings} == {"$"}
    assert await taints.recall(chat(ELSEWHERE, conversation="c-2")) == Scan()
    assert await taints.recall(chat(ELSEWHERE)) == Scan()


async def test_a_conversation_is_remembered_though_nothing_was_answered(taints: TaintMemory) -> None:
    await answer(taints, chat("a", conversation="c-1"), [])
    assert kinds(await taints.recall(chat(ELSEWHERE, conversation="c-1"))) == HEALTH


async def test_it_is_gone_after_its_time(taints: TaintMemory, clock: Clock) -> None:
    await answer(taints, chat("q", conversation="c-1"))
    clock.now += 999
    assert kinds(await taints.recall(chat("q", subject="nobody"))) == set()
    clock.now += 2
    assert await taints.recall(chat("q", ANSWER, conversation="c-1")) == Scan()


async def test_what_comes_back_lives_on(taints: TaintMemory, clock: Clock) -> None:
    await answer(taints, chat("q"))
    for _ in range(4):
        clock.now += 700
        assert kinds(await taints.recall(chat("q", ANSWER))) == HEALTH
    clock.now += 1001
    assert await taints.recall(chat("q", ANSWER)) == Scan()


# -- how answers come ------------------------------------------------------------------------------------------------


async def test_two_choices_whose_pieces_come_by_turns_are_two_texts(taints: TaintMemory) -> None:
    other = "The second reading is kinder: the shadow on the image may well be the scar of an old inflammation of hers."
    pieces = [chunk for pair in zip(in_pieces(ANSWER), in_pieces(other, 1, 2), strict=False) for chunk in pair]
    pieces += in_pieces(other, 1, 2)[len(in_pieces(ANSWER)) :] + in_pieces(ANSWER)[len(in_pieces(other, 1, 2)) :]
    await answer(taints, chat("q", n=2), pieces)
    assert kinds(await taints.recall(chat("q", ANSWER))) == HEALTH
    assert kinds(await taints.recall(chat("q", other))) == HEALTH


@pytest.mark.parametrize("key", ["content", "refusal", "reasoning_content"])
async def test_all_that_a_client_may_show_is_remembered(taints: TaintMemory, key: str) -> None:
    await answer(taints, chat("q"), [Chunk(0, {key: ANSWER}), Chunk(0, {}, "stop")])
    assert kinds(await taints.recall(chat(f"You thought: {ANSWER}"))) == HEALTH


async def test_a_client_that_leaves_in_the_middle_has_read_what_was_sent(taints: TaintMemory) -> None:
    watched = taints.watch(chat("q"), assessed(found()), decided())
    assert watched is not None
    watched.note(in_pieces(ANSWER[:200])[:-1])
    await watched.keep()
    assert kinds(await taints.recall(chat("q", ANSWER[:150]))) == HEALTH
    assert await taints.recall(chat("q", ANSWER[250:])) == Scan()
    watched.note([Chunk(0, {"content": ANSWER[200:]})])
    await watched.keep()
    assert kinds(await taints.recall(chat("q", ANSWER[250:]))) == HEALTH


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [None, 7, "text", [], {"role": "tool"}, {"content": {"a": ANSWER}}]},
        {"messages": [{"role": "assistant", "tool_calls": [None, 7, {"function": 3}, {"id": 9}]}, {"tool_calls": {}}]},
        {"messages": [{"role": "user", "content": "\ud800 and \udfff" + ANSWER}]},
        {"messages": [{"role": "user", "content": ANSWER * 700}]},
        {"messages": [{"role": "assistant", "function_call": "x"}], "metadata": {"x" * 50: "\0" * 300}},
    ],
    ids=["empty", "no messages", "no calls", "lone surrogates", "long", "odd"],
)
async def test_nothing_that_a_client_sends_makes_it_fail(taints: TaintMemory, body: dict[str, Any]) -> None:
    await answer(taints, chat("q", conversation="c"), [*in_pieces(ANSWER), *calling("call_kX81bd92hf", "{" + ANSWER)])
    asked = chat("q", conversation="\ud800", **body)
    assert (await taints.recall(asked)).unreadable == ()
    await answer(taints, asked)
    assert taints.status()["failed"] == 0


async def test_nothing_odd_in_an_answer_makes_it_fail(taints: TaintMemory) -> None:
    odd: list[Any] = [{"content": 7}, {"content": None}, {"tool_calls": 7}, {"function_call": None},
                      {"tool_calls": [None, {"index": [], "function": 1}]}, {"function_call": "x"},
                      {"audio": {"data": "x"}}, {"role": "assistant"},
                      {"content": "\ud800" * 50}]  # fmt: skip
    await answer(taints, chat("q"), [*(Chunk(0, delta) for delta in odd), *in_pieces(ANSWER)])
    assert kinds(await taints.recall(chat("q", ANSWER))) == HEALTH


async def test_a_very_long_answer_is_recognised_at_any_place(taints: TaintMemory) -> None:
    text = " ".join(
        f"Line {number}: patient {number * 7919 % 10007} was seen in room {number % 41}." for number in range(9000)
    )
    await answer(taints, chat("q"), [Chunk(0, {"content": text}), Chunk(0, {}, "stop")])
    for start in range(0, len(text) - 200, 19_997):
        assert kinds(await taints.recall(chat(f"Why: {text[start : start + 120]}?"))) == HEALTH
    assert kinds(await taints.recall(chat("q", text))) == HEALTH


async def test_nothing_of_it_shows(taints: TaintMemory) -> None:
    await answer(
        taints, chat("q", conversation="c-PLANTED"), [*in_pieces(f"PLANTED {ANSWER}"), *calling("PLANTED12x", LETTER)]
    )
    watched = taints.watch(chat("q"), assessed(found()), decided())
    assert watched is not None
    watched.note(in_pieces(f"PLANTED {ANSWER}"))
    scan = await taints.recall(chat(f"PLANTED {ANSWER}"))
    shown = repr([taints, watched, scan, taints.status(), vars(watched), vars(taints)])
    for word in ("PLANTED", "Rossi", "secret of"):
        assert word not in shown

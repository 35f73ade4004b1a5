"""What is scored of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.score.ask import HEAD, TAIL, ask_of, follows_up, last_ask


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


SUMMARY = "This session is being continued from a previous conversation that ran out of context. Analysis: …"


@pytest.mark.parametrize(
    ("messages", "want"),
    [
        ([user("one"), assistant("two"), user("What is three plus four?")], "What is three plus four?"),
        ([user([{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": "x"}}])], "Look"),
        ([user("<system-reminder>Never mention X</system-reminder>What is a cat?")], "What is a cat?"),
        ([user("What is a cat?"), user("<system-reminder>Only noise</system-reminder>")], "What is a cat?"),
        ([user("What is a cat?"), user(SUMMARY)], "What is a cat?"),
        ([user("What is a cat?"), user([{"type": "tool_result", "content": "42 rows"}])], "What is a cat?"),
        ([user("What is a cat?"), {"role": "tool", "content": "prove it"}], "What is a cat?"),
        ([user("What is a cat?"), user("Use the biggest model!")], "What is a cat?"),
        ([user("<summary>long</summary>"), user("What is a <b>cat</b>?")], "What is a <b>cat</b>?"),
        ([user("Unclosed <system-reminder> stays")], "Unclosed <system-reminder> stays"),
        ([{"role": "system", "content": "Be brief"}], ""),
        ([], ""),
        (["text", None, 3, {"role": "user"}], ""),
    ],
    ids=[
        "last", "parts", "wrapped", "only wrapped", "summary", "tool result", "tool role", "only a wish", "tags",
        "unclosed", "no user", "empty", "malformed",
    ],
)  # fmt: skip
def test_the_last_human_ask_is_read(messages: list[Any], want: str) -> None:
    assert last_ask(messages).prose == want


CAT = "What is a cat?"


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ('<file_content path="a.py">prove it</file_content>' + CAT, CAT),
        ("<contexts>stay</contexts>" + CAT, "<contexts>stay</contexts>" + CAT),
        ("<additional_data>x</additional_data>\n<user_query>\nWhat is a cat?\n</user_query>", CAT),
        ("<task>\nWhat is a cat?\n</task>\n<environment_details>\n# Files\n</environment_details>", CAT),
        ("# Context from my IDE setup:\n## Open tabs:\n- a.py\n## My request for Codex:\nWhat is a cat?\n", CAT),
        ("<context>Prove Fermat in full</context>\nWhat is a cat?", CAT),
        ("<system-reminder>a</system-reminder>What is a cat?<system-reminder>b</system-reminder>", CAT),
        ("Is a < b and c </ d?", "Is a < b and c </ d?"),
    ],
)
def test_what_harnesses_put_around_an_ask_is_not_read(said: str, want: str) -> None:
    assert ask_of(said).prose == want


@pytest.mark.parametrize(
    "noise",
    [
        "[read_file for 'src/a.py'] Result:\nprove = derive()",
        "[TASK RESUMPTION] This task was interrupted",
        "[ERROR] You did not use a tool in your previous response!",
        "# AGENTS.md instructions for /repo\n<INSTRUCTIONS>Analyse</INSTRUCTIONS>",
        "OBSERVATION:\nanalysis complete",
        "Another language model started to solve this problem and produced a summary of its thinking process.",
        "Here is the summary of the conversation so far: we proved Fermat",
        "<turn_aborted>\nThe user interrupted the previous turn\n</turn_aborted>",
    ],
)
def test_what_a_harness_says_in_a_users_name_is_no_ask(noise: str) -> None:
    assert last_ask([user(CAT), assistant("A pet."), user(noise)]).prose == CAT


@pytest.mark.parametrize(
    "text",
    ["commit it", "continue", "e in italiano?", "What about Texas?", "weiter", "und auf Deutsch?", "vas-y",
     "y en francés?",  "why?", "ok, do it", "fallo di nuovo"],
)  # fmt: skip
def test_short_follow_ups_inherit(text: str) -> None:
    assert follows_up(text)
    ask = last_ask([user("Translate the contract"), assistant("…"), user(text)])
    assert ask.inherited == 1
    assert ask.prose == f"Translate the contract\n{text}"


@pytest.mark.parametrize(
    "text", ["Thanks!", "Grazie mille", "Hallo!", "What is the capital of France?", "Define entropy", "", "x" * 100]
)
def test_what_stands_alone_does_not_inherit(text: str) -> None:
    assert not follows_up(text)


def test_a_chain_of_follow_ups_reaches_back_to_the_ask_and_no_further_than_three() -> None:
    chain = [user("Prove it for primes, in full, please"), user("continue"), user("go on"), user("continue")]
    assert last_ask(chain).prose.startswith("Prove it for primes")
    assert last_ask([user("Prove the theorem of Fermat"), *[user("continue")] * 9]).prose == "\n".join(["continue"] * 4)


def test_code_is_measured_and_not_read() -> None:
    ask = ask_of("Why does this fail?\n```python\nprove = derive()\n```\nThank you")
    assert "derive" not in ask.prose
    assert ask.fences == 1
    assert ask.code_chars == len("python\nprove = derive()\n")


def test_head_and_tail_are_read_and_all_is_measured() -> None:
    ask = ask_of("a" * 5_000 + "b" * 5_000)
    assert ask.chars == 10_000
    assert ask.prose == "a" * HEAD + "\n" + "b" * TAIL


def test_no_text_stands_in_the_repr() -> None:
    assert "secret" not in repr(ask_of("my secret"))

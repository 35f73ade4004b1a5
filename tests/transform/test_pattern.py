"""Which spellings of a placeholder are known again, and which are none of ours."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.transform.pattern import Pattern
from gateway.transform.restore import Restore, Stream

VALUES = {
    "PERSON_1": "Mario Rossi",
    "PERSON_12": 'a"b\nc',
    "LAST_NAME_1": "Rossi",
    "IBAN_DE_1": "DE89 3704",
    "IT_FISCAL_CODE_1": "RSSMRA",
    "TEXT_1": "[PERSON_1_k7f2]",
}
PATTERN = Pattern("k7f2", VALUES)

SPELLINGS = {
    "[PERSON_1_k7f2]": "Mario Rossi",
    "[person_1_K7F2]": "Mario Rossi",
    "a [PERSON_1_k7f2], b": "a Mario Rossi, b",
    "[PERSON_1_k7f2]s Konto": "Mario Rossis Konto",
    "[PERSON_1_k7f2's]": "Mario Rossi's",
    "PERSON_1_k7f2’s": "Mario Rossi’s",
    r"\[PERSON\_1\_k7f2\] ok": "Mario Rossi ok",
    r"[PERSON\_1\_k7f2]": "Mario Rossi",
    "[**PERSON_1_k7f2**]": "**Mario Rossi**",
    "**[PERSON_1_k7f2]**": "**Mario Rossi**",
    "`[IBAN_DE_1_k7f2]`": "`DE89 3704`",
    "[`PERSON_1_k7f2`]": "`Mario Rossi`",
    "&#91;PERSON_1_k7f2&#93;": "Mario Rossi",
    "&lbrack;PERSON_1_k7f2&rbrack;": "Mario Rossi",
    "&lt;PERSON_1_k7f2&gt;": "&lt;Mario Rossi&gt;",
    "［PERSON_1_k7f2］": "Mario Rossi",
    "【PERSON_1_k7f2】": "Mario Rossi",
    "[ PERSON_1_k7f2 ]": "Mario Rossi",
    "[PERSON 1 k7f2]": "Mario Rossi",
    "[IT-FISCAL-CODE-1-k7f2]": "RSSMRA",
    "dear Last Name 1 k7f2,": "dear Rossi,",
    "PERSON_1_k7f2": "Mario Rossi",
    "see PERSON_1_k7f2]": "see Mario Rossi]",
    "[PERSON_1_k7f2, PERSON_12_k7f2": '[Mario Rossi, a"b\nc',
    "[[PERSON_1_k7f2]](x)": "[Mario Rossi](x)",
    "look_up_PERSON_1_k7f2_now": "look_up_Mario Rossi_now",
    r"C:\Users\[PERSON_1_k7f2]": r"C:\Users" + "\\Mario Rossi",
    "[PERSON_1_k7f2][LAST_NAME_1_k7f2]": "Mario RossiRossi",
    "[TEXT_1_k7f2]": "[PERSON_1_k7f2]",
}
OTHERS = {
    "[PERSON_1_zzzz]": 0,
    "[PERSON_1]": 0,
    "k7f2": 0,
    "a person of 1 metre": 0,
    "[PERSON_9_k7f2]": 1,
    "[CITY_1_k7f2]": 1,
    "superPERSON_1_k7f2": 1,
    "[PERSON_7_k7f2] and [CITY_2_K7F2]": 2,
}


def restore() -> Restore:
    return Restore(PATTERN, VALUES)


@pytest.mark.parametrize(("said", "meant"), SPELLINGS.items(), ids=list(SPELLINGS))
def test_a_placeholder_is_known_however_it_is_spelled(said: str, meant: str) -> None:
    back = restore()
    assert back.text(said) == meant
    assert back.unrestored == 0


@pytest.mark.parametrize(("said", "missed"), OTHERS.items(), ids=list(OTHERS))
def test_what_is_no_placeholder_of_this_request_stays_and_is_counted_where_it_looks_like_one(
    said: str, missed: int
) -> None:
    back = restore()
    assert back.text(said) == said
    assert back.unrestored == missed


PARTS = [
    *SPELLINGS,
    *OTHERS,
    "[",
    "]",
    " ",
    "PER",
    "_1_",
    "k7f2",
    "person",
    "the ",
    "\\",
    "&#9",
    "&",
    "1",
    "é",
    "İ",
    "\n",
]


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join), st.lists(st.integers(1, 9), max_size=12))
@example("[PERSON_1_k7f2] is", [15])
@example("\\[PERSON_1_k7f2\\]", [1])
def test_however_a_text_is_cut_it_comes_out_the_same(text: str, sizes: list[int]) -> None:
    whole = restore()
    expected = whole.text(text)
    cut = restore()
    stream = cut._open("content", False)
    told, at = "", 0
    for size in sizes:
        told += stream.take(text[at : at + size], more=True)
        at += size
    told += stream.take(text[at:], more=True)
    assert told + stream.take("", more=False) == expected
    assert cut.unrestored == whole.unrestored


def test_of_twenty_thousand_random_cuts_none_changes_what_comes_out() -> None:
    dice = random.Random(7)
    for _ in range(20_000):
        text = "".join(dice.choices(PARTS, k=dice.randint(1, 5)))
        whole, cut = restore(), restore()
        stream = cut._open("content", False)
        told, at = "", 0
        while at < len(text):
            size = dice.randint(1, 9)
            told += stream.take(text[at : at + size], more=True)
            at += size
        assert told + stream.take("", more=False) == whole.text(text), text
        assert cut.unrestored == whole.unrestored


@settings(max_examples=500)
@given(st.text(alphabet="abcdefghij [](){}.,\n", max_size=200), st.integers(1, 8))
def test_of_a_text_without_placeholders_next_to_nothing_waits(text: str, size: int) -> None:
    stream: Stream = restore()._open("content", False)
    passed = 0
    for at in range(0, len(text), size):
        passed += len(stream.take(text[at : at + size], more=True))
        waits = min(at + size, len(text)) - passed
        assert waits == 0 or PATTERN.live(text[: at + size], 0) == passed
        if "[" not in text[max(0, at - 8) : at + size] and "i" not in text[max(0, at - 8) : at + size]:
            assert waits == 0

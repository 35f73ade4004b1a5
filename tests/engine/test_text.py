"""Text held back until it is safe: whole characters, and never a stop string."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.engine.batch.text import Held

LETTERS = st.text(alphabet="abé🦙 ", max_size=40)
STOPS = st.lists(st.text(alphabet="abé🦙 ", min_size=1, max_size=4), max_size=3)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in [*sizes, len(data)]:
        pieces.append(data[at : at + size])
        at += size
    return pieces


@given(LETTERS, STOPS, st.lists(st.integers(0, 5), max_size=40))
@example("ab🦙ab", ["🦙a"], [1, 1, 1, 1, 1, 1])
def test_however_the_tokens_cut_it_the_text_ends_before_the_first_stop(
    text: str, stops: list[str], sizes: list[int]
) -> None:
    held = Held(stops)
    shown = ""
    for piece in cut(text.encode(), sizes):
        more, _ = held.add(piece)
        assert "\ufffd" not in more
        shown += more
        assert not any(stop in shown for stop in stops)
        if held.stopped:
            break
    else:
        shown += held.rest()[0]
    firsts = [text.find(stop) for stop in stops if stop in text]
    if held.stopped:
        # Of two overlapping stops the one that is complete first ends the answer.
        assert firsts
        assert text.startswith(shown)
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
    else:
        assert not firsts
        assert shown == text


@given(LETTERS, st.lists(st.integers(0, 5), max_size=40))
def test_nothing_is_held_back_without_a_reason(text: str, sizes: list[int]) -> None:
    held = Held([])
    seen = b""
    for piece in cut(text.encode(), sizes):
        seen += piece
        held.add(piece)
        assert len(seen) - held._sent < 4
    assert seen.decode() == text


def test_a_torn_last_character_becomes_a_replacement_mark() -> None:
    held = Held([])
    assert held.add(b"a\xf0\x9f") == ("a", [])
    assert held.rest() == ("�", [])


def test_logprobs_travel_with_their_text() -> None:
    held = Held(["stop"])
    assert held.add(b"go st", 1) == ("go ", [])
    assert held.add(b"ay", 2) == ("stay", [1, 2])
    assert held.add(b" sto", 3) == (" ", [])
    assert held.add(b"p it", 4) == ("", [3])
    assert held.stopped

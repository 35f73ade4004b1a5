"""What a space recognises: any stretch of an answer that is long enough, in any text, and nothing that is not there."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.types import Principal
from gateway.taint.entry import Entry, Owner
from gateway.taint.marks import Marks
from gateway.taint.origin import Fact, Origin
from gateway.taint.space import Space

ORIGIN = Origin((Fact("iban", "financial", 1.0),))


@pytest.fixture(scope="module")
def marks() -> Marks:
    return Marks(b"a secret of thirty-two bytes ....")


@pytest.fixture(scope="module")
def owner(marks: Marks) -> Owner:
    return marks.owner(Principal())


def recognised(space: Space, marks: Marks, owner: Owner, *strings: str) -> list[tuple[bytes, int]]:
    reading, prints = marks.compared(owner, strings)
    return [(entry.id, reading.string_at(position)) for entry, position in space.copies(prints)]


def prose(seed: int, characters: int) -> str:
    """Words nobody has seen, with what stands between words in real answers."""
    dice, text = random.Random(seed), ""
    while len(text) < characters:
        word = "".join(dice.choice("abcdefghijklmnopqrstuvwxyzäéß0123") for _ in range(dice.randint(3, 9)))
        text += word.capitalize() * (dice.random() < 0.2) or word
        text += dice.choice([" ", " ", " ", " ", ", ", ". ", " **", "** ", "\n\n- ", ": "])
    return text[:characters]


@given(seed=st.integers(0, 10_000), length=st.integers(120, 3000), share=st.floats(0, 1), other=st.integers(0, 3000))
@settings(max_examples=150)
def test_any_120_characters_of_an_answer_are_recognised_inside_any_other_text(
    marks: Marks, owner: Owner, seed: int, length: int, share: float, other: int
) -> None:
    answer = prose(seed, length)
    start = int(share * (length - 120))
    space = Space()
    entries = list(marks.text(owner, answer, ORIGIN, 1.0))
    space.add(entries)
    around = prose(seed + 20_000, other)
    assert recognised(space, marks, owner, around[: other // 2], f"{around} {answer[start : start + 120]}{around}") == [
        (entries[0].id, 1)
    ]


@given(st.integers(0, 10_000), st.integers(0, 600), st.integers(70, 90))
@settings(max_examples=100)
def test_seventy_letters_are_always_enough_and_sixty_never(
    marks: Marks, owner: Owner, seed: int, start: int, length: int
) -> None:
    letters = "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=700))
    space = Space()
    space.add(marks.text(owner, letters, ORIGIN, 1.0))
    assert recognised(space, marks, owner, letters[start : start + length])
    assert not recognised(space, marks, owner, letters[start : start + 60])


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=60), st.integers(0, 30))
@settings(max_examples=60)
def test_whatever_was_added_and_forgotten_what_is_left_is_recognised(
    marks: Marks, owner: Owner, steps: list[tuple[int, bool]], asked: int
) -> None:
    """Against a plain list of what should be there."""
    space, left = Space(), dict[int, bytes]()
    for number, adds in steps:
        if adds:
            entries = list(marks.text(owner, prose(number, 300 + 200 * number), ORIGIN, 1.0))
            space.add(entries)
            left.pop(number, None)
            left[number] = entries[0].id
        elif left:
            gone = space.drop(space.size_bytes - 1)
            assert gone == 1
            del left[next(iter(left))]
    expected = [(left[asked], 0)] if asked in left else []
    assert recognised(space, marks, owner, prose(asked, 300 + 200 * asked)) == expected
    assert len(space) == len(left)


def test_every_answer_that_holds_the_same_passage_is_named(marks: Marks, owner: Owner) -> None:
    passage, space = prose(1, 200), Space()
    entries = [next(marks.text(owner, f"{prose(seed, 300)} {passage}", ORIGIN, 1.0)) for seed in range(2, 5)]
    space.add(entries)
    assert {name for name, _ in recognised(space, marks, owner, passage)} == {entry.id for entry in entries}


def test_what_repeats_very_much_of_very_many_is_taken_for_all_of_them(marks: Marks, owner: Owner) -> None:
    passage, space = prose(1, 6000), Space()
    entries = [next(marks.text(owner, f"{passage} {prose(seed, 80)}", ORIGIN, 1.0)) for seed in range(2, 302)]
    space.add(entries)
    assert len(recognised(space, marks, owner, passage)) == 300


def test_bytes_say_the_same_as_the_entry(marks: Marks, owner: Owner) -> None:
    origin = Origin((Fact("person", "person", 0.7, frozenset({"b", "a"}), True), Fact("iban", "financial", 1.0)), True)
    entry = next(marks.text(owner, prose(1, 400), origin, 12.5))
    again = Entry.from_bytes(entry.to_bytes())
    assert (again.id, again.origin, again.expires_at, again.letters, again.needed) == (
        entry.id, origin, 12.5, entry.letters, entry.needed)  # fmt: skip
    assert again.prints.tolist() == entry.prints.tolist()


@pytest.mark.parametrize(
    "data", [b"", b"\x02\0\0\0[]", b"\xff\xff\xff\xffx", b'\x05\0\0\0[1,2]', b"\x04\0\0\0null" + b"x" * 9], ids=repr
)  # fmt: skip
def test_other_bytes_are_no_entry(data: bytes) -> None:
    with pytest.raises(ValueError, match="not an entry"):
        Entry.from_bytes(data)

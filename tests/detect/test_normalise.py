"""Readings: what a text says when look-alikes are alike, and where each character came from."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.clock import Clock, DeadlineError
from gateway.detect.normalise import normalise as normalised
from gateway.detect.normalise import plain
from gateway.detect.reading import Reading


def normalise(raw: str) -> list[Reading]:
    return [reading for reading in normalised(raw, Clock(5000)) if reading is not None]


READS = {
    "fullwidth": ("ＩＢＡＮ１２", "IBAN12"),
    "mathematical digits": ("𝟒𝟏𝟏𝟏", "4111"),
    "Arabic-Indic digits": ("٤١١١", "4111"),
    "Devanagari digits": ("४१११", "4111"),
    "Cyrillic letters": ("ІВАМ", "IBAM"),
    "Greek letters": ("ΙΒΑΝ", "IBAN"),
    "no-break space": ("41\u00a011", "41 11"),
    "dashes": ("41–11—11‑1", "41-11-11-1"),
    "quotation marks": ("“a” ‘b’", "\"a\" 'b'"),
    "line separator": ("a\u2028b", "a\nb"),
    "lone surrogate": ("a\ud800b", "a\ufffdb"),
    "ligature": ("ﬁle", "file"),
    "struck through": ("4\u03361\u0336", "41"),
    "in a box": ("4\ufe0f\u20e31\ufe0f\u20e3", "41"),
    "circled, white on black": ("❹❶⓿➊", "4101"),
    "raised": ("4¹", "41"),
    "accented letters stay": ("perché não größer", "perché não größer"),
}


@pytest.mark.parametrize(("raw", "reads"), READS.values(), ids=READS)
def test_a_text_reads_as(raw: str, reads: str) -> None:
    assert normalise(raw)[0].text == reads


@pytest.mark.parametrize("hidden", ["\u200b", "\u200d", "\u00ad", "\u2060", "\ufeff", "\u202e", "\u034f", "\ufe0f"])
def test_invisible_characters_are_read_away_and_also_as_a_space(hidden: str) -> None:
    assert [reading.text for reading in normalise(f"41{hidden}11")] == ["4111", "41 11"]


def test_a_raised_digit_may_be_the_mark_of_a_footnote() -> None:
    assert [reading.text for reading in normalise("7260²")] == ["72602", "7260 "]


def test_tags_spell_what_they_hide() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "DE10")
    assert [reading.text for reading in normalise(f"a{hidden}b")] == ["ab", "aDE10b"]


def test_ascii_is_read_as_it_is() -> None:
    text = "plain 4111"
    (reading,) = normalise(text)
    assert reading.view == "raw"
    assert reading.text is text


@given(st.text(max_size=80))
def test_every_part_of_a_reading_stands_where_it_came_from(raw: str) -> None:
    for reading in normalise(raw):
        for index, char in enumerate(reading.text):
            start, end = reading.locate(index, index + 1)
            assert 0 <= start < end <= len(raw)
            assert any(
                char in (" ", *plain(source), chr(ord(source) & 0x7F)) if not source.isascii() else char == source
                for source in raw[start:end]
            )


@given(st.text(max_size=80))
def test_a_reading_can_always_be_encoded(raw: str) -> None:
    for reading in normalise(raw):
        reading.text.encode()


HOSTILE = "½é\u200b1" * 50_000


def test_normalising_keeps_the_deadline() -> None:
    with pytest.raises(DeadlineError):
        list(normalised(HOSTILE, Clock(5)))


def test_a_reading_costs_a_few_times_its_text() -> None:
    tracemalloc.start()
    try:
        for reading in normalised(HOSTILE, Clock(60_000)):
            del reading
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10 * len(HOSTILE.encode())

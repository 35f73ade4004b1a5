"""Two ways to write the same text read alike."""

from __future__ import annotations

import html
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.taint.reading import Reader

PROSE = st.text(st.sampled_from("abcXYZ019 \n\t\"'\\/éÜßñçÅ漢字かな한글-*_.,;:<>{}[]()"), max_size=200)


def read(*strings: str) -> str:
    return "".join(map(chr, Reader().read(strings).codes))


@pytest.mark.parametrize(
    ("written", "reads"),
    [
        ("Über den Fluß, 3 km!", "uberdenfluß3km"),
        ("U\u0308ber", "uber"),
        ("**bold**, _it_, `code`, [a](b)", "bolditcodeab"),
        ("line\\nbreak and line\nbreak", "linebreakandlinebreak"),
        ("\\u00e9t\\u00e9 \\\\u00e9t\\xe9", "eteete"),
        ("AT&amp;T &lt;b&gt; caf&eacute; &#233; &amp;quot;q&amp;quot;", "attbcafeeq"),
        ("100%25%20caf%C3%A9", "100cafe"),
        ("５ ５ ٣ ²", "5532"),
        ("漢字 한글", "漢字한글"),
        ("\U0001f600 \ud800 \U00020000", ""),
        ("İstanbul ÅNGSTRÖM", "istanbulangstrom"),
    ],
    ids=["case", "marks apart", "markdown", "line breaks", "escapes", "entities", "percent", "digits", "other letters",
         "beyond the first plane", "special capitals"],
)  # fmt: skip
def test_letters_and_digits_are_what_is_read(written: str, reads: str) -> None:
    assert read(written) == reads


@given(PROSE)
@settings(max_examples=200)
def test_a_text_in_a_json_string_reads_as_the_text(text: str) -> None:
    assert read(json.dumps(text)) == read(text)
    assert read(json.dumps(text, ensure_ascii=False)) == read(text)
    assert read(json.dumps(json.dumps([text]))) == read(text)


@given(PROSE)
@settings(max_examples=100)
def test_a_text_in_html_reads_as_the_text(text: str) -> None:
    assert read(html.escape(text)) == read(text)


@given(st.lists(st.text(max_size=40), max_size=8))
@settings(max_examples=200)
def test_every_string_is_found_where_it_stands(strings: list[str]) -> None:
    reading = Reader().read(strings)
    assert ["".join(map(chr, reading.string(number))) for number in range(len(strings))] == [read(s) for s in strings]
    for position in range(len(reading.codes)):
        number = reading.string_at(position)
        assert reading.bounds[number] <= position < reading.bounds[number + 1]


@pytest.mark.parametrize(
    "text",
    ["\\" * 20_000, "\\u" * 10_000, "&" * 20_000, "&amp" * 5000, "&amp;" * 4000, "%25" * 6000],
    ids=["backslashes", "half an escape", "ampersands", "half an entity", "entities", "percents"],
)
def test_twenty_thousand_characters_of_nothing_but_escapes_are_read_in_no_time(text: str) -> None:
    reader = Reader()
    began = time.process_time()
    reader.read([text])
    assert time.process_time() - began < 1

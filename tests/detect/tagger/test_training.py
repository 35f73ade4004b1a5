"""What training is taught: labels on tokens, rows kept apart, invented sentences that say where their names are."""

from __future__ import annotations

from random import Random

import pytest

from gateway.detect.tagger import corpus, invent, train
from gateway.detect.tagger.evaluate import tally
from gateway.detect.tagger.invent import IGNORED, Example
from gateway.detect.tagger.lists import LANGUAGES, Lists, Names
from gateway.detect.tagger.words import TOKEN


def _labels(text: str, spans: list[tuple[int, int, str]]) -> list[tuple[int, float]]:
    return list(train.labelled([token.span() for token in TOKEN.finditer(text)], spans))


def test_the_first_token_of_a_span_begins_it_and_the_others_go_on() -> None:
    assert _labels("Anna De Rosa, via Po 3", [(0, 12, "person"), (14, 22, "postal_address")]) == [
        (1, 1.0), (2, 1.0), (2, 1.0), (0, 1.0), (3, 1.0), (4, 1.0), (4, 1.0),
    ]  # fmt: skip


def test_what_is_in_doubt_teaches_nothing() -> None:
    assert _labels("Janet ran", [(0, 5, IGNORED)]) == [(0, 0.0), (0, 1.0)]


def test_documents_of_one_template_are_never_divided_between_teaching_and_judging() -> None:
    rows = [
        {"id": str(number), "source": "piianon_legal", "text": f"Deposition of {name} was taken on oath in the court"}
        for number, name in enumerate(["Ann Lee", "Bob Ray"])
    ]
    assert len({corpus.group(row) for row in rows}) == 1
    assert {corpus.share(f"row {number}") for number in range(200)} == set(range(10))


def test_people_of_arithmetic_problems_are_in_doubt() -> None:
    row = {"id": "1", "source": "gsm8k", "lang": "en", "text": "Janet has 3 eggs.", "spans": []}
    assert corpus.example(row, {"janet": 1}).spans == ((0, 5, IGNORED),)


def test_labels_that_overlap_are_told_apart_and_names_come_before_doubts() -> None:
    row = {
        "id": "1", "source": "piianon_legal", "lang": "en", "text": "Ann Lee and Lee",
        "spans": [[0, 7, "PERSON_NAME"]],
    }  # fmt: skip
    assert corpus.example(row, {}).spans == ((0, 7, "person"), (12, 15, IGNORED))


def _lists() -> Lists:
    names = Names(("Zoraide",), ("Quarantelli",))
    words = {
        kind: ["Oggetto"]
        for kind in (
            *("product", "brand", "language", "region", "field", "work"),
            *(f"{what}_{language}" for what in ("title", "street") for language in LANGUAGES),
        )
    }
    return Lists(
        names=dict.fromkeys((*LANGUAGES, "abroad"), names),
        cities={language: ["Paese"] for language in LANGUAGES},
        countries={language: ["Terra"] for language in LANGUAGES},
        months={language: ["mese"] * 12 for language in LANGUAGES},
        words=words,
        forms={
            language: {"company": ["{} X"], "street": ["via {}"], "house": ["{street} {number}"], "tail": [", {city}"]}
            for language in LANGUAGES
        },
        famous=[["Somebody Famous"]],
    )


def test_every_invented_name_is_marked_and_every_mark_is_a_name() -> None:
    inventor = invent.Inventor(_lists(), Random(3), [("it", "Salva le modifiche.")])
    kinds = set()
    for _ in range(400):
        example = inventor.example()
        assert not example.spans or max(end for _, end, _ in example.spans) <= len(example.text)
        for start, end, kind in example.spans:
            kinds.add(kind)
            value = example.text[start:end].casefold()
            if kind == "person":
                assert "zoraide" in value or "quarant" in value or "telli" in value
            elif kind == "postal_address":
                assert any(char.isdigit() for char in value)
        outside = "".join(
            char for place, char in enumerate(example.text) if not any(s <= place < e for s, e, _ in example.spans)
        )
        assert "Zoraide Quarantelli" not in outside.replace("via Zoraide Quarantelli", "")
    assert kinds == {"person", "postal_address", IGNORED}


def test_the_same_seed_invents_the_same_sentences() -> None:
    one, other = (invent.Inventor(_lists(), Random(9), []) for _ in range(2))
    assert [one.example() for _ in range(50)] == [other.example() for _ in range(50)]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([(0, 10, "person", 0.9)], {"covered": 1, "right": 1, "found": 1}),
        ([(0, 4, "person", 0.9)], {"covered": 0, "right": 1, "found": 1}),
        ([(5, 25, "person", 0.9)], {"covered": 1, "right": 0, "found": 1}),
        ([(0, 10, "postal_address", 0.9)], {"covered": 0, "right": 0, "found": 0}),
        ([(20, 25, "person", 0.9)], {"covered": 0, "right": 0, "found": 0}),
    ],
    ids=["whole", "less than half", "mostly beside it", "another kind", "in doubt"],
)
def test_a_span_counts_when_half_of_it_is_covered(
    found: list[tuple[int, int, str, float]], wanted: dict[str, int]
) -> None:
    example = Example("it", "x" * 30, ((0, 10, "person"), (18, 28, IGNORED)))
    counts = tally([(example, found)], "person")
    if found[0][:2] == (5, 25):  # it touches what is in doubt, so it is neither right nor wrong
        wanted = {**wanted, "found": 0}
    assert {name: counts[name] for name in wanted} == wanted

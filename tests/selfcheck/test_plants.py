"""What is planted is what it says, and whoever looks for it finds it in every place and disguise."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from gateway.detect import Scanner
from gateway.selfcheck.hiding import Place, places
from gateway.selfcheck.outside import Received
from gateway.selfcheck.plants import HARD, Known, Plant, compact, control, plants
from gateway.selfcheck.reading import strings

SEEDS = range(12)
PLANTS = {plant.short: plant for plant in plants(Random(7))}
PLACES = {place.name: place for place in places()}
PAIRS = [(plant, place) for plant in PLANTS.values() for place in PLACES.values() if place.holds(plant)]


@pytest.fixture(scope="module")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=2000)


@pytest.mark.parametrize("short", [plant.short for plant in PLANTS.values() if plant.known is not Known.WORDS])
def test_made_up_values_pass_for_real_ones_whatever_chance_makes_of_them(scanner: Scanner, short: str) -> None:
    for seed in SEEDS:
        plant = next(each for each in plants(Random(seed)) if each.short == short)
        found = {(finding.kind, finding.category) for finding in scanner.find_in_text(plant.sentence).findings}
        assert set(plant.means) <= found, (seed, found)


def test_an_earlier_seed_makes_the_same_values_and_another_one_others() -> None:
    values = [plant.value for plant in plants(Random(1))]
    assert values == [plant.value for plant in plants(Random(1))]
    assert set(values).isdisjoint(plant.value for plant in plants(Random(2)))


@pytest.mark.parametrize("plant", PLANTS.values(), ids=lambda plant: plant.short)
def test_a_value_does_not_show_in_a_repr(plant: Plant) -> None:
    shown = compact(repr(plant))
    assert not any(needle in shown for needle in plant.needles)


@pytest.mark.parametrize(("plant", "place"), PAIRS, ids=lambda each: getattr(each, "short", each.name))
def test_a_value_that_left_is_seen_wherever_it_hid(plant: Plant, place: Place) -> None:
    assert Received(0, place.body(plant)).holds(plant.needles)


@pytest.mark.parametrize("place", PLACES.values(), ids=lambda place: place.name)
def test_a_request_without_the_value_is_not_taken_for_one_with_it(place: Place) -> None:
    others = plants(Random(8))
    for plant in others[:9]:
        if place.holds(plant):
            assert not Received(0, place.body(control(plant.language))).holds(plant.needles)


@pytest.mark.parametrize("language", HARD)
def test_what_is_asked_beside_a_value_holds_nothing_private(scanner: Scanner, language: str) -> None:
    for place in PLACES.values():
        scan = scanner.scan_now(place.body(control(language)))
        assert (scan.findings, scan.unreadable) == ((), ()), place.name


def test_half_a_number_is_seen() -> None:
    plant = PLANTS["iban"]
    half = plant.value[: len(plant.value) // 2]
    assert Received(0, {"messages": [{"role": "user", "content": f"Your account {half}…"}]}).holds(plant.needles)


@pytest.mark.parametrize(
    ("text", "replaced"),
    [
        ("pay to [IBAN_1_k7f2] now", True),
        ("name: PERSON_12_k7f2", True),
        ("[REMOVED_SECRET_1]", True),
        ("GITHUB_TOKEN is set", False),
        ("ISO_8601 and UTF_8 are names", True),
        ("a square root of 2", False),
    ],
)
def test_placeholders_are_told_from_words(text: str, replaced: bool) -> None:
    assert Received(0, {"messages": [{"role": "user", "content": text}]}).replaced is replaced


def test_numbers_and_keys_are_read_too() -> None:
    assert list(strings({"a": [1, {"b": 2.5}], "c": None, "d": True})) == ["a", "1", "b", "2.5", "c", "d"]

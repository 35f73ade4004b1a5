"""The policy's `shadow`: what it may say, what is refused in it, and what in it measures nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.measuring import Measuring
from gateway.core.types import BackendSpec, Zone
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.load import load_policy

SPECS = [
    BackendSpec("local", Zone.LOCAL, "llama", "small"),
    BackendSpec("house", Zone.PRIVATE, "openai", "m"),
    BackendSpec("large", Zone.REMOTE, "openai", "m"),
    BackendSpec("other", Zone.REMOTE, "openai", "m"),
]
OUT = "permit: [{name: out, zone: remote, to: [large], when: {sensitivity: {at_most: internal}}}]\n"

Loaded = Callable[[str], CompiledPolicy]


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    def load(rest: str) -> CompiledPolicy:
        (tmp_path / "policy.yaml").write_text(f"name: x\n{rest}\n")
        return load_policy(tmp_path / "policy.yaml", SPECS)

    return load


def test_it_says_which_share_is_measured_where_and_for_how_much(loaded: Loaded) -> None:
    assert loaded(OUT).shadow is None
    assert loaded(OUT + "shadow: {share: 0.05, to: large}").shadow == Measuring(0.05, "large")
    told = loaded(OUT + "shadow: {share: 1, to: large, usd_per_day: 0.5}")
    assert (told.shadow, told.warnings) == (Measuring(1.0, "large", 0.5), ())


def test_it_is_part_of_the_policy_and_policies_without_it_are_what_they_were(loaded: Loaded) -> None:
    without, with_ = loaded(OUT), loaded(OUT + "shadow: {share: 0.05, to: large}")
    assert with_.digest != without.digest
    assert loaded(OUT + "shadow: null").digest == without.digest


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ("{share: 0, to: large}", "shadow.share"),
        ("{share: 1.1, to: large}", "shadow.share"),
        ("{share: 0.1}", "shadow.to"),
        ("{to: large}", "shadow.share"),
        ("{share: 0.1, to: large, usd_per_day: 0}", "shadow.usd_per_day"),
        ("{share: 0.1, to: large, budget: 1}", "shadow"),
        ("{share: 0.1, to: local}", "the local model itself"),
        ("0.1", "shadow"),
    ],
    ids=["none", "more than all", "nowhere", "nothing", "for nothing", "a word that is none", "here", "a bare share"],
)
def test_a_mistake_is_named(loaded: Loaded, told: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        loaded(f"{OUT}shadow: {told}")


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        (OUT + "shadow: {share: 0.1, to: lrage}", "shadow.to: there is no backend 'lrage'"),
        (OUT + "public: {keys: false}\nshadow: {share: 0.1, to: large}", "nothing ever is"),
        (OUT + "shadow: {share: 0.1, to: other}", "no permit lets anything out to 'other'"),
        ("shadow: {share: 0.1, to: house}", "no permit lets anything out to 'house'"),
    ],
    ids=["nobody", "nothing public", "nowhere it may go", "no permit at all"],
)
def test_what_measures_nothing_is_a_warning(loaded: Loaded, rest: str, says: str) -> None:
    (warning,) = loaded(rest).warnings
    assert says in warning


def test_a_permit_that_reaches_further_reaches_the_house_too(loaded: Loaded) -> None:
    assert loaded(OUT + "shadow: {share: 0.1, to: house}").warnings == ()

"""`check` finds permits that let nothing out and spots that may not mean what their author thinks."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.policy.cases import CATALOGUE
from gateway.policy.check import Report, check_policy
from gateway.policy.doubts import ANY, Vocabulary


def check(tmp_path: Path, text: str, vocabulary: Vocabulary = ANY) -> Report:
    path = tmp_path / "p.yaml"
    path.write_text("name: x\n" + text, encoding="utf-8")
    return check_policy(path, CATALOGUE, vocabulary)


OUT = "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}%s}%s}]\n"
UNREACHABLE = {
    "bounds that cross": (OUT % (", complexity: {at_least: 0.9, at_most: 0.5}", ""), "complexity cannot be"),
    "tokens that cross": (OUT % (", tokens: {at_least: 9, at_most: 5}", ""), "tokens cannot be"),
    "in and not in": (OUT % (", tenant: {in: [a], not_in: [a, b]}", ""), "tenant: every word"),
    "needed and not": (OUT % (", needs: {any_of: [tools], none_of: [tools]}", ""), "needs: everything"),
    "forbidden always": (OUT % ("", "") + "forbid: [{name: in, zone: private}]", "forbid 'in' always keeps"),
    "forbidden at every level": (
        OUT % ("", "") + "forbid: [{name: in, zone: remote, when: {sensitivity: {at_least: public}}}]", "forbid 'in'",
    ),
    "no backend to go to": (OUT % ("", ", to: [gone, house]"), "none of the backends under `to`"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), UNREACHABLE.values(), ids=UNREACHABLE.keys())
def test_a_permit_that_lets_nothing_out_is_reported(text: str, told: str, tmp_path: Path) -> None:
    report = check(tmp_path, text)
    assert not report.ok
    assert len(report.unreachable) == 1
    assert "permit 'out'" in report.unreachable[0]
    assert told in report.unreachable[0]


REACHABLE = {
    "only public": "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: public}}}]",
    "one point": OUT % (", complexity: {at_least: 0.5, at_most: 0.5}", ""),
    "one of two": OUT % (", tenant: {in: [a, b], not_in: [a]}", ""),
    "forbidden further out": "permit: [{name: near, zone: private, when: {sensitivity: {at_most: internal}}}]\n"
    "forbid: [{name: in, zone: remote}]",
    "forbidden sometimes": OUT % ("", "") + "forbid: [{name: in, zone: remote, when: {tenant: {in: [a]}}}]",
    "nothing found": OUT % (", kinds: {within: []}", ""),
}


@pytest.mark.parametrize("text", REACHABLE.values(), ids=REACHABLE.keys())
def test_a_permit_that_some_request_can_use_is_not(text: str, tmp_path: Path) -> None:
    assert check(tmp_path, text) == Report()


def test_doubtful_spots_are_warnings(tmp_path: Path) -> None:
    text = (
        "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: unknown}}, to: [large, gone]}]\n"
        "allow: {reserved: true}\n"
    )
    report = check(tmp_path, text)
    assert report.ok
    assert [
        part
        for part in ("no backend 'gone'", "never goes to zone remote", "every documentation example")
        if any(part in warning for warning in report.warnings)
    ] == ["no backend 'gone'", "never goes to zone remote", "every documentation example"]


def test_a_word_no_detector_knows_is_pointed_out_where_it_stands(tmp_path: Path) -> None:
    text = """
permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}, kinds: {none_of: [ibn]}}}]
forbid: [{name: in, zone: remote, when: {kinds: [iban, emial], distinct: {of: [person, crad], at_least: 2}}}]
levels: {ibna: restricted, x: {when: {kinds: [iabn]}, raise_to: restricted}, person: restricted}
allow: {reserved: [emali]}
"""
    report = check(tmp_path, text, WORDS)
    assert not report.ok
    assert [_named(sentence) for sentence in report.never] == ["emial", "crad", "ibna", "iabn"]
    assert [_named(sentence) for sentence in report.warnings] == ["ibn", "emali"]
    assert "forbid 'in': no detector finds kind 'emial'; did you mean 'email'?" in report.never[0]


WORDS = Vocabulary(
    kinds=frozenset({"iban", "email", "credentialed_url"}),
    categories=frozenset({"financial", "contact", "person", "credentialed_url"}),
    contexts=frozenset({"bank"}),
)


def _named(sentence: str) -> str:
    """The word that a sentence is about."""
    return sentence.split(" kind '")[1].split("'")[0]


NEVER = {
    "a kind in a forbid": ("forbid: [{name: in, zone: remote, when: {kinds: [e-mail]}}]", "'e-mail'; did you mean"),
    "a level of a kind": ("levels: {project_name: restricted}", "no detector finds kind 'project_name'; correct"),
    "a category among kinds": ("forbid: [{name: in, zone: remote, when: {kinds: [financial]}}]", "is a category"),
    "a context": (
        "levels: {x: {when: {kinds: [iban], near: [banc]}, raise_to: restricted}}",
        "near: no detector finds context 'banc'; did you mean 'bank'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), NEVER.values(), ids=NEVER.keys())
def test_what_keeps_nothing_in_is_not_ok(text: str, told: str, tmp_path: Path) -> None:
    report = check(tmp_path, text, WORDS)
    assert not report.ok
    assert len(report.never) == 1
    assert told in report.never[0]
    assert check(tmp_path, text).ok, "nothing is doubted while nobody says what the detectors find"


WAITING = {
    "a forbid": ("forbid: [{name: in, zone: remote, when: {categories: [legal]}}]", "category 'legal' yet; the rule"),
    "a part": (
        "levels: {x: {when: {distinct: {of: [contact, health, code], at_least: 2}}, raise_to: restricted}}",
        "categories 'health', 'code' yet; that part of the rule waits",
    ),
    "a level": ("levels: {minor: internal}", "category 'minor' yet; the rule waits"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), WAITING.values(), ids=WAITING.keys())
def test_a_category_whose_detector_is_still_to_come_is_a_warning(text: str, told: str, tmp_path: Path) -> None:
    report = check(tmp_path, text, WORDS)
    assert report.ok
    assert len(report.warnings) == 1
    assert told in report.warnings[0]


def test_words_that_the_detectors_say_are_not_doubted(tmp_path: Path) -> None:
    text = (
        "forbid:\n"
        "  - {name: a, zone: remote, when: {kinds: [iban, credentialed_url], categories: [person]}}\n"
        "  - {name: b, zone: remote, when: {distinct: {of: [email, contact], at_least: 2}}}\n"
        "levels: {x: {when: {kinds: [iban], near: [bank]}, raise_to: restricted}, credentialed_url: confidential}\n"
    )
    assert check(tmp_path, text, WORDS) == Report()


UNMEASURED = {
    "a floor": ("floor: {below: 0.6, then: refuse}", "floor.below: nobody measured"),
    "a quality": (OUT % (", target: {quality: 0.95}", ""), "permit 'out', when.target: quality is reckoned"),
}


@pytest.mark.parametrize(("text", "told"), UNMEASURED.values(), ids=UNMEASURED.keys())
def test_what_stands_on_measurements_that_nobody_made_is_a_warning(text: str, told: str, tmp_path: Path) -> None:
    report = check(tmp_path, text, Vocabulary(calibrated=False))
    assert report.ok
    assert len(report.warnings) == 1
    assert told in report.warnings[0]
    assert check(tmp_path, text, Vocabulary(calibrated=True)) == check(tmp_path, text) == Report()


@pytest.mark.parametrize("text", ["floor: {then: notice}", OUT % (", target: {remote_share: 0.3}", "")])
def test_what_needs_no_measurement_is_not_doubted_without_one(text: str, tmp_path: Path) -> None:
    assert check(tmp_path, text, Vocabulary(calibrated=False)) == Report()


def test_every_mistake_is_listed(tmp_path: Path) -> None:
    report = check(tmp_path, "mode: monitor\nfloor: queue\n")
    assert not report.ok
    assert len(report.errors) == 2
    assert check(tmp_path, "forbid: [{name: default, zone: remote}]").errors
    assert check_policy(tmp_path / "gone.yaml", CATALOGUE).errors


def test_a_zone_without_backends_is_pointed_out(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: x\n" + OUT % ("", ""), encoding="utf-8")
    assert "no backend of zone remote yet" in check_policy(path, CATALOGUE[:1]).warnings[0]

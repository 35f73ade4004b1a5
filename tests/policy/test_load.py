"""A file that is wrong says where and what to do; a file that is right keeps its digest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.policy import document
from gateway.policy.cases import CATALOGUE
from gateway.policy.load import load_policy

PERMIT = "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}%s}%s}]"
FORBID = "forbid: [{name: in, zone: remote, when: {%s}}]"

MISTAKES = {
    "a lower bound on the level in a permit": (
        "permit: [{name: out, zone: remote, when: {sensitivity: {at_least: internal}}}]",
        ["permit 'out', when.sensitivity.at_least", "at_most"],
    ),
    "a permit without a level": ("permit: [{name: out, zone: remote, when: {named: true}}]", ["'out'", "which level"]),
    "a permit without when": ("permit: [{name: out, zone: remote}]", ["permit 'out', when", "which level may leave"]),
    "a permit with an empty when": ("permit: [{name: out, zone: remote, when: {}}]", ["'out'", "which level"]),
    "a permit that counts upward": (
        PERMIT % (", distinct: {of: [person], at_least: 3}", ""),
        ["permit 'out', when.distinct.at_least", "at_most"],
    ),
    "a permit that wants a finding": (PERMIT % (", categories: [person]", ""), ["when.categories", "within"]),
    "a permit that wants a kind": (PERMIT % (", kinds: {any_of: [iban]}", ""), ["when.kinds.any_of", "none_of"]),
    "a permit that looks away from the uncertain": (
        PERMIT % (", kinds: {none_of: [iban]}, min_confidence: 0.9", ""),
        ["permit 'out', when.min_confidence", "counts like a certain one"],
    ),
    "a forbid that ends at a level": (FORBID % "sensitivity: {at_most: public}", ["forbid 'in'", "at_least"]),
    "a forbid that ends at a count": (FORBID % "distinct: {of: [person], at_most: 3}", ["forbid 'in'", "at_least"]),
    "a forbid lifted by a finding": (FORBID % "categories: {none_of: [person]}", ["when.categories", "any_of"]),
    "a forbid within": (FORBID % "kinds: {within: [iban]}", ["forbid 'in', when.kinds.within", "any_of"]),
    "a confidence of nothing": (FORBID % "min_confidence: 0.9", ["forbid 'in', when.min_confidence", "add kinds"]),
    "a blank when": ("forbid:\n  - name: in\n    zone: remote\n    when:\n", ["forbid 'in', when", "leave `when` out"]),
    "a transform of no such name": (PERMIT % ("", ", with: mask"), ["permit 'out', with", "strip or rewrite"]),
    "a forbid that changes something": (
        "forbid: [{name: in, zone: remote, with: strip}]", ["forbid 'in', with", "lets nothing out"],
    ),
    "answers scanned from no level": ("scan_answer: public", ["scan_answer", "internal, confidential or restricted"]),
    "an allowance of nothing": ("allow: {}", ["allow", "empty"]),
    "a floor that is no word": ("floor: queue", ["floor", "{below: 0.6, then: private}"]),
    "a mode not built": ("mode: monitor", ["mode", "not built yet"]),
    "a level nobody may give": ("levels: {iban: unknown}", ["levels.iban", "unknown is what cannot be read"]),
    "a level that is earned": ("levels: {person: public}", ["levels.person", "public is earned"]),
    "a condition that lowers": (
        "levels: {few: {when: {kinds: [iban], min_count: 1}, raise_to: internal}}",
        ["levels.few.raise_to", "may only raise"],
    ),
    "a raise about nothing": ("levels: {x: {when: {}, raise_to: restricted}}", ["levels 'x', when", "empty"]),
    "a raise about confidence alone": (
        "levels: {x: {when: {min_confidence: 0.5}, raise_to: restricted}}",
        ["levels 'x'", "names no findings"],
    ),
    "a misspelt field": ("permits: []", ["permits", "no such field"]),
    "a misspelt selector": (PERMIT % (", tenent: {in: [a]}", ""), ["permit 'out', when.tenent", "spelling"]),
    "an unknown category": (FORBID % "categories: [helth]", ["forbid 'in', when.categories[1]", "'health'"]),
    "the zone that is always open": ("forbid: [{name: in, zone: local}]", ["forbid 'in', zone"]),
    "the reserved name": (
        "forbid: [{name: default, zone: remote}]", ["forbid 'default'", "reserved"],
    ),
    "one name for two rules": (
        (PERMIT % ("", "")) + "\n" + (FORBID % "named: true").replace("name: in", "name: out"),
        ["rule 'out'", "2 rules"],
    ),
    "a name no header can carry": ("forbid: [{name: 'a b', zone: remote}]", ["name"]),
    "an empty selector": (PERMIT % (", tenant: {}", ""), ["permit 'out', when.tenant", "empty"]),
    "an empty list": (FORBID % "tenant: {in: []}", ["forbid 'in', when.tenant.in"]),
    "a share above one": (PERMIT % (", complexity: {at_least: 1.5}", ""), ["when.complexity.at_least"]),
    "a share that is no number": (PERMIT % (", complexity: {at_least: .nan}", ""), ["when.complexity.at_least"]),
    "a truth value for a number": (PERMIT % (", complexity: {at_least: true}", ""), ["when.complexity.at_least"]),
    "a number for a word": (PERMIT % (", tenant: {in: [7]}", ""), ["when.tenant.in[1]", "put '7' in quotes"]),
    "an empty time": (PERMIT % (", time: {tz: UTC}", ""), ["permit 'out', when.time", "hours or days"]),
    "a time zone of nowhere": (PERMIT % (", time: {days: [mon], tz: Europe/Rom}", ""), ["when.time.tz", "Europe/Rome"]),
    "a path for a time zone": (PERMIT % (", time: {days: [mon], tz: ../../etc/passwd}", ""), ["when.time.tz"]),
    "no hour at all": (PERMIT % (', time: {hours: "08:00-08:00"}', ""), ["when.time.hours", "no time at all"]),
    "an hour that does not exist": (PERMIT % (', time: {hours: "08:00-24:00"}', ""), ["when.time.hours"]),
    "a backend further out than the permit": (
        "permit: [{name: out, zone: private, when: {sensitivity: {at_most: internal}}, to: [large]}]",
        ["permit 'out', to", "'large' is in zone remote"],
    ),
    "examples let pass by a word": ("allow: {reserved: email}", ["allow.reserved", "list of kinds"]),
    "not a mapping": ("- just\n- a list", ["the file"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_place_and_the_way_out(
    text: str, told: list[str], compiled: Callable[..., Any]
) -> None:
    head = "" if text.startswith("-") else "name: x\n"
    with pytest.raises(ConfigurationError) as caught:
        compiled(head + text)
    message = str(caught.value)
    assert "policy.yaml" in message
    assert "\n" not in message
    for part in told:
        assert part in message


UNREADABLE = {
    "a key given twice": ("name: x\nfloor: refuse\nfloor: notice\n", "'floor' stands here twice"),
    "a tag": ("name: !Password99 x\n", "1:7: a word that begins with !"),
    "a number by a tag": ("name: !!int Password99\n", "1:7: a word that begins with !"),
    "a tag of another's": ("name: !mine!Password99 x\n", "1:7: a word that begins with !"),
    "an alias": ("name: &a x\ndescription: *a\n", "anchors and aliases"),
    "a key that is no word": ("name: x\n1: y\n", "put it in quotes"),
    "a list for a key": ("name: x\n[a]: y\n", "put it in quotes"),
    "broken syntax": ("name: [x\n", ":1:7: the [ that opens here is not closed"),
    "an object of Python": ("name: !!python/object/apply:os.system [true]\n", "a word that begins with !"),
    "a control character": ("name: \x01\n", "does not allow"),
    "a thousand brackets": ("name: " + "[" * 5000 + "\n", "nested too deeply"),
    "a tab": ("name: x\npermit:\n\t- name: a\n", "3:1: a tab stands here; indent with spaces"),
    "nothing": ("# only a comment\n", "the file is empty; a policy needs name, and permit"),
    "a word": ("hello\n", "`field: value` lines; a policy needs name"),
    "a list": ("- name: x\n", "`field: value` lines; a policy needs name"),
    "two documents": ("name: x\n---\nname: y\n", "document"),
}


@pytest.mark.parametrize(("text", "told"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_is_no_plain_yaml_is_refused(text: str, told: str, compiled: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"policy\.yaml.*") as caught:
        compiled(text)
    assert told in str(caught.value)
    assert "Password99" not in str(caught.value)


def test_a_file_that_is_not_there_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_policy(path, CATALOGUE)
    path.write_bytes(b"# " + b"x" * document.MAX_BYTES)
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        load_policy(path, CATALOGUE)
    path.write_bytes(b"name: \xff\n")
    with pytest.raises(ConfigurationError, match="not UTF-8 at byte 6"):
        load_policy(path, CATALOGUE)


def test_words_that_yaml_would_turn_into_values_stay_words(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("a: [no, on, y, 2026-11-21, 08:30, 1_000, 0x10]\nb: [true, 7, 0.5, ~, 1e-3]\n", encoding="utf-8")
    assert document.read(path) == {
        "a": ["no", "on", "y", "2026-11-21", "08:30", "1_000", "0x10"],
        "b": [True, 7, 0.5, None, 0.001],
    }


def test_several_mistakes_are_counted(compiled: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"and 1 more; see `gateway check"):
        compiled("name: x\nmode: monitor\nfloor: queue\n")


def test_the_digest_is_of_what_the_file_says_and_not_of_how(compiled: Callable[..., Any]) -> None:
    plain = compiled("name: x\n")
    assert plain.digest == compiled("# a comment\nfloor: refuse\npermit: []\nname: 'x'\n").digest
    assert plain.digest == compiled("name: x\n", (*CATALOGUE, replace(CATALOGUE[-1], name="other"))).digest
    assert plain.digest != compiled("name: x\nfloor: notice\n").digest
    assert len(bytes.fromhex(plain.digest)) == 32


def test_a_backend_that_is_not_there_is_a_warning(compiled: Callable[..., Any]) -> None:
    policy = compiled("name: x\n" + PERMIT % ("", ", to: [large, gone]"))
    assert len(policy.warnings) == 1
    assert "permit 'out', to: there is no backend 'gone'" in policy.warnings[0]


def test_there_must_be_a_place_to_stay_and_one_backend_per_name(compiled: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match="no backend of zone local"):
        compiled("name: x\n", CATALOGUE[1:])
    with pytest.raises(ConfigurationError, match="'large' is defined 2 times"):
        compiled("name: x\n", (*CATALOGUE, CATALOGUE[2]))


def test_what_the_pipeline_asks_a_policy_for_is_there(compiled: Callable[..., Any]) -> None:
    policy = compiled("name: x\nfloor: notice\nunmet_wish: refuse\nwithout_record: local\ndescription: d\n")
    assert (policy.name, policy.floor.then, policy.unmet_wish, policy.without_record, policy.description) == (
        "x", "notice", "refuse", "local", "d",
    )  # fmt: skip

"""What somebody who is no programmer gets wrong in a policy is told with the value, the place and the way out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.policy.cases import CATALOGUE
from gateway.policy.check import check_policy
from gateway.policy.load import load_policy

GOOD = """\
name: casa
permit:
  - name: fuori
    zone: remote
    when:
      sensitivity: {at_most: internal}
      complexity: {at_least: 0.55}
levels:
  iban: restricted
"""

REPLACED = {
    "a line too far left": ("      complexity", "     complexity", [":7:6:", "same column", "line 3, column 5"]),
    "a field too far left": ("    zone", "   zone", [":4:4:", "same column", "line 3, column 3"]),
    "a tab": ("      complexity", "\tcomplexity", [":7:1:", "a tab stands here"]),
    "a quote too few": ("name: casa", "name: 'casa", [":1:7:", "never closed"]),
    "a bracket too few": ("0.55}", "0.55", [":7:19:", "the { that opens here is not closed"]),
    "an apostrophe in quotes": ("name: casa", "description: 'l'iban'", [":1:17:", "closing quote"]),
    "no space after the colon": ("zone: remote", "zone:remote", [":4:5:", "a colon and a space"]),
    "a colon in a text": ("name: casa", "description: nota: mai", [":1:18:", "put text that holds one in quotes"]),
    "a backslash in double quotes": ("name: casa", 'name: "\\d"', [":1:9:", "single quotes"]),
    "a percent sign in front": ("0.55", "%55", [":7:30:", "nothing begins with this sign"]),
    "a pasted space": ("    zone: ", "    zone:\u00a0", [":4:10:", "only looks like a space"]),
    "a pasted indent": ("    zone", "\u00a0\u00a0\u00a0\u00a0zone", [":4:1:", "only looks like a space"]),
    "a decimal comma": ("0.55", "0,55", [":7:32:", "with a point (0.55)"]),
    "a decimal comma in quotes": ("0.55", "'0,55'", ["'0,55' is no number", "with a point: 0.55"]),
    "a percent sign": ("0.55", "55%", ["when.complexity.at_least", "'55%' is no number; write 0.55 for 55 per cent"]),
    "a share in per cent": ("complexity: {at_least: 0.55}", "target: {remote_share: 30}", ["30 is more than 1", "0.3"]),
    "less than nothing": ("0.55", "-1", ["-1 is too little; 0 is the least"]),
    "a word for a number": ("0.55", "alto", ["'alto' is no number; write one, like 0.55"]),
    "a level in another language": ("restricted", "riservato", ["levels.iban", "'riservato' cannot stand here"]),
    "a zone of another name": ("remote", "vendor", ["permit 'fuori', zone", "'vendor'", "'private' or 'remote'"]),
    "a zone nearly right": ("remote", "remot", ["did you mean 'remote'?"]),
    "a field in another language": ("zone: remote", "zona: remote", ["zona", "did you mean 'zone'?"]),
    "a section in the plural": ("levels:", "level:", ["level: there is no such field (did you mean 'levels'?)"]),
    "a name with spaces": ("name: fuori", "name: più fuori", ["'più fuori'", "for example piu-fuori"]),
    "a list without hyphens": ("  - name: fuori", "    name: fuori", ["permit: this is a list", "`- name: …`"]),
    "a word for a choice": ("complexity: {at_least: 0.55}", "tenant: ricerca", ["when.tenant", "{in: [one, another]}"]),
    "hours as one speaks": ("complexity: {at_least: 0.55}", "time: {hours: 8-18}", ["'8-18'", '"08:00-18:00"']),
    "a yes in another language": ("complexity: {at_least: 0.55}", "named: sì", ["when.named: say true or false"]),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "told"), REPLACED.values(), ids=REPLACED.keys())
def test_a_slip_is_told_with_value_place_and_way_out(
    old: str, new: str, told: list[str], compiled: Callable[..., Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled(GOOD.replace(old, new, 1))
    message = str(caught.value)
    assert all(part in message for part in told), message


OWN = {
    "words without a list": "detect: {x: {category: confidential, words: Nordlicht}}",
    "values without their field": "allow: {values: [Nordlicht]}",
    "words as fields": "detect: {x: {category: confidential, words: {Nordlicht: 1}}}",
    "values as fields": "allow: {values: [Nordlicht: Kiel]}",
}


@pytest.mark.parametrize("text", OWN.values(), ids=OWN.keys())
def test_the_words_a_house_protects_do_not_stand_in_the_message(text: str, compiled: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled("name: x\n" + text)
    assert "Nordlicht" not in str(caught.value)


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["as on Unix", "as on Windows"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a byte order mark"])
def test_every_editor_may_save_it(ends: str, mark: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes((mark + GOOD.replace("\n", ends)).encode())
    assert load_policy(path, CATALOGUE).name == "casa"


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(GOOD.replace("name: casa", "name: casa\ndescription: perché").encode("latin-1"))
    with pytest.raises(ConfigurationError, match=r"policy\.yaml:2: not UTF-8"):
        load_policy(path, CATALOGUE)


def test_a_language_that_no_request_has_is_no_protection(compiled: Callable[..., Any]) -> None:
    permit = compiled(GOOD.replace("complexity: {at_least: 0.55}", "language: {in: [Italiano]}"))
    forbid = compiled(GOOD + "forbid:\n  - {name: f, zone: remote, when: {language: {in: [it, German]}}}\n")
    assert any("'Italiano' is no language's code" in text for text in permit.warnings)
    assert any("forbid 'f', when.language: 'German'" in text for text in forbid.warnings)
    assert not any("'it'" in text for text in forbid.warnings)


def test_a_language_that_no_request_has_is_told_once_when_a_policy_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD + "forbid:\n  - {name: f, zone: remote, when: {language: {in: [German]}}}\n")
    report = check_policy(path, CATALOGUE)
    assert [("'German'" in text) for text in (*report.never, *report.warnings)].count(True) == 1
    assert not report.ok

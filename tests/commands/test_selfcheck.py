"""`gateway selfcheck` as an operator runs it after changing a policy."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

from gateway.selfcheck.plants import compact, plants
from tests.support.command import run

OPEN = "name: open\npermit:\n  - {name: out, zone: remote, when: {sensitivity: {at_most: restricted}}}\n"
HOLE = (
    "name: hole\npermit:\n  - {{name: out, zone: remote, when: {{sensitivity: {{at_most: internal}}}}}}\n"
    'allow: {{values: [{{values: ["{}"]}}]}}\n'
)
STRICT = Path(__file__).parents[2] / "policies" / "strict.yaml"


def test_a_policy_that_keeps_everything_is_exit_code_0_and_leaves_nothing_behind(tmp_path: Path) -> None:
    result = run(tmp_path, "selfcheck", "--policy", STRICT)
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1].startswith("ok: ")
    assert list(tmp_path.iterdir()) == []


def test_what_nobody_permitted_is_exit_code_1_and_named_by_kind_and_place(tmp_path: Path) -> None:
    """A value that the policy calls none: no detector speaks of it, and no permit is for what it is."""
    planted = {plant.short: plant.value for plant in plants(Random(5))}
    (tmp_path / "hole.yaml").write_text(HOLE.format(planted["iban"]))
    result = run(tmp_path, "selfcheck", "--policy", "hole.yaml", "--seed", "5")
    assert (result.code, result.err) == (1, "")
    assert "LEFT IN CLEAR: IBAN in user, system, earlier user turn" in result.out
    assert result.out.splitlines()[-1].startswith("NOT OK: ")


def test_json_says_the_same_and_holds_no_planted_value(tmp_path: Path) -> None:
    (tmp_path / "open.yaml").write_text(OPEN)
    result = run(tmp_path, "selfcheck", "--policy", "open.yaml", "--seed", "5", "--json")
    assert (result.code, result.err) == (0, "")
    told = json.loads(result.out)
    assert (told["ok"], told["policy"]["name"], told["backends"]) == (True, "open", ["large (remote)"])
    assert sum(told["counts"].values()) == told["planted"] == len(told["cells"])
    assert {cell["state"] for cell in told["cells"]} == {"permitted", "unsent"}
    everything = compact(result.out)
    for plant in plants(Random(5)):
        assert not any(needle in everything for needle in plant.needles), plant.name


def test_a_policy_that_does_not_load_is_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("name: broken\npermit: [{name: a, zone: mars}]\n")
    result = run(tmp_path, "selfcheck", "--policy", "broken.yaml")
    assert result.code == 2
    assert "permit 'a'" in result.sentence
    assert "gone.yaml" in run(tmp_path, "selfcheck", "--policy", "gone.yaml").sentence

"""The whole check against real gateways: what stays, what leaves changed, what a policy or a hole lets out."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from gateway.selfcheck import Result, State, selfcheck, table
from gateway.selfcheck.plants import Known, Plant, compact, plants
from gateway.settings import load_settings

pytestmark = pytest.mark.anyio

POLICIES = Path(__file__).parents[2] / "policies"
OUT = "{name: out, zone: remote, when: {sensitivity: {at_most: restricted}}}"
NUMBERS = {"iban", "card", "cf", "dni", "nir", "ssn", "phone", "email", "key", "pass", "dburl"}
MEMBER = Plant(
    "membership number",
    "memb",
    (("membership", "identifier"),),
    "en",
    "member",
    "QX-VII-lamda-quux",
    "He is member QX-VII-lamda-quux of the club.",
    (compact("QX-VII-lamda-quux"),),
    Known.FORM,
)
"""What no detector knows."""


async def checked(folder: Path, policy: Path | str, config: dict[str, Any] | None = None, **options: Any) -> Result:
    if isinstance(policy, str):
        (folder / "own.yaml").write_text(f"name: own\n{policy}\n")
        policy = folder / "own.yaml"
    content = {"policy": {"path": str(policy)}, **(config or {})}
    (folder / "gateway.yaml").write_text(yaml.safe_dump(content))
    settings, base = load_settings(folder / "gateway.yaml")
    return await selfcheck(settings, base, seed=11, **options)


def states(result: Result, *kinds: str) -> set[State]:
    return {cell.state for cell in result.cells if not kinds or cell.short in kinds}


async def test_under_the_default_policy_no_number_key_or_diagnosis_leaves_from_anywhere_it_is_looked_for(
    tmp_path: Path,
) -> None:
    result = await checked(tmp_path, POLICIES / "default.yaml")
    assert result.ways == ("auto", "large")
    assert len({cell.place for cell in result.cells}) > 20
    assert states(result, *NUMBERS) == {State.HOME}
    assert result.derived is State.HOME
    assert not [path for path in tmp_path.iterdir() if path.name != "gateway.yaml"], "nothing is left behind"


async def test_under_the_masking_policy_values_leave_replaced_and_come_back_in_texts_streams_and_tool_calls(
    tmp_path: Path,
) -> None:
    result = await checked(tmp_path, POLICIES / "masked.yaml")
    masked = {cell.place for cell in result.cells if cell.short == "iban" and cell.state is State.REPLACED}
    assert len(masked) > 15
    back, replaced = result.restored
    assert replaced > 100
    assert back == replaced, [cell for cell in result.cells if cell.restored is False]
    assert {cell.streamed for cell in result.cells if cell.restored} == {True, False}
    assert states(result, "iban", "key", "pass", "dburl", "cf") <= {State.HOME, State.REPLACED, State.UNSENT}


async def test_what_the_policy_lets_out_in_clear_is_permitted_and_told_as_that(tmp_path: Path) -> None:
    result = await checked(tmp_path, f"permit:\n  - {OUT}", more=[MEMBER])
    assert states(result) == {State.PERMITTED, State.UNSENT}
    assert result.ok
    assert "rule 'out' lets out in clear: API key, French NIR" in table(result)
    assert "stid German Steuer-ID" in table(result)


async def test_what_no_detector_knows_leaves_and_is_told(tmp_path: Path) -> None:
    result = await checked(tmp_path, POLICIES / "default.yaml", more=[MEMBER])
    assert State.LEFT in states(result, "memb")
    assert not result.ok
    assert "LEFT IN CLEAR: membership number in user, system," in table(result)
    assert "NOT OK" in table(result)


async def test_what_the_house_adds_to_the_detectors_closes_that_hole(tmp_path: Path) -> None:
    rules = "permit:\n  - {name: out, zone: remote, when: {sensitivity: {at_most: internal}}}\n"
    found = "detect:\n  membership: {category: identifier, words: [QX-VII-lamda-quux]}\n"
    assert State.LEFT in states(await checked(tmp_path, rules, more=[MEMBER]), "memb")
    closed = await checked(tmp_path, rules + found, more=[MEMBER])
    assert {cell.state for cell in closed.cells if cell.short == "memb" and cell.place == "user"} == {State.HOME}


async def test_where_nothing_leaves_every_value_is_tried_once_and_that_is_said(tmp_path: Path) -> None:
    result = await checked(tmp_path, POLICIES / "strict.yaml")
    assert (result.ok, result.ways, states(result)) == (True, (), {State.HOME})
    assert "no harmless request leaves" in table(result)


async def test_every_backend_is_played_and_every_set_of_rights_is_asked_with(tmp_path: Path) -> None:
    def key(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "hash": "sha256:" + f"{len(name):064x}", **more}

    keys = [key("a", roles=["staff"]), key("bb", roles=["staff"]), key("ccc", public=True)]
    backends = [
        {"name": "house", "zone": "private", "base_url": "https://10.1.2.3/v1", "model": "m", "plaintext": "accepted"},
        {"name": "cloud", "zone": "remote", "wire": "litellm", "model": "azure/x", "api_key_env": "NO_SUCH_KEY"},
        {"name": "direct", "zone": "remote", "base_url": "https://api.example.com/v1", "model": "m", "proxy": "direct"},
    ]
    config = {"auth": {"mode": "keys", "keys": keys}, "backends": backends, "local": {"engine": "off"}}
    result = await checked(tmp_path, f"permit:\n  - {OUT[:-2]}, role: {{in: [staff]}}}}}}", config)
    assert result.ways == ("auto (a)", "house (a)", "cloud (a)", "direct (a)")
    assert {cell.who for cell in result.cells} == {"a"}
    assert result.backends == ("house (private)", "cloud (remote)", "direct (remote)")
    assert result.derived is State.SHUT, "nobody answers here"


async def test_the_result_holds_no_value(tmp_path: Path) -> None:
    result = await checked(tmp_path, f"permit:\n  - {OUT}")
    told = compact(table(result) + json.dumps(result.to_json()) + repr(result))
    for plant in plants(Random(11)):
        assert not any(needle in told for needle in plant.needles), plant.name

"""The schema for editors is current and agrees with what loads; deciding needs neither pydantic nor YAML."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import BaseModel

from gateway.core.scoring import FAMILIES
from gateway.core.types import CATEGORIES, Sensitivity
from gateway.detect import Scanner
from gateway.policy import document
from gateway.policy.case_schema import Case, Family, Want
from gateway.policy.cases import CATALOGUE, run_cases
from gateway.policy.check import Report, check_policy
from gateway.policy.levels import DEFAULT_CATEGORIES
from gateway.policy.schema import (
    Adapter,
    AdapterWhen,
    Allow,
    Category,
    Floor,
    ForbidWhen,
    Level,
    Own,
    PermitWhen,
    PolicyFile,
    Public,
    RaiseWhen,
    Shadow,
    Target,
    json_schema,
)
from gateway.wiring.policies import vocabulary

POLICIES = Path(__file__).parents[2] / "policies"


def test_the_schema_beside_the_policies_is_current() -> None:
    written = (POLICIES / "schema.json").read_text(encoding="utf-8")
    assert written == json_schema(), "run: python -m gateway.policy.schema > policies/schema.json"


def test_every_word_of_the_core_is_known_to_schema_and_table() -> None:
    assert set(get_args(Category)) == CATEGORIES == set(DEFAULT_CATEGORIES)
    assert get_args(Family) == FAMILIES
    assert get_args(Level) == tuple(str(level) for level in Sensitivity)


@pytest.mark.parametrize("name", ["default", "earned", "masked", "strict"])
def test_a_shipped_policy_is_valid_for_editors_too(name: str) -> None:
    schema = document.read(POLICIES / "schema.json")
    jsonschema.validate(document.read(POLICIES / f"{name}.yaml"), schema)


def test_an_editor_sees_a_lower_bound_in_a_permit_as_an_error() -> None:
    schema = document.read(POLICIES / "schema.json")
    permit = {"name": "a", "zone": "remote", "when": {"sensitivity": {"at_least": "internal"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"name": "x", "permit": [permit]}, schema)


def test_deciding_needs_neither_pydantic_nor_yaml_nor_a_loop() -> None:
    code = (
        "import sys, gateway.policy.evaluate, gateway.policy.replay, gateway.policy.explain;"
        "print({'pydantic', 'yaml', 'anyio', 'asyncio', 'structlog'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "set()"


README = (POLICIES / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.anyio
async def test_the_policy_and_the_case_that_the_guide_shows_work(tmp_path: Path, detector: Any, scorer: Any) -> None:
    policy, cases = tmp_path / "research.yaml", tmp_path / "research.cases.yaml"
    shown, own, target, floor, adapters, case = BLOCKS
    # Some show the same section, and a file has each once.
    shown = shown.replace("allow: {reserved: [email]}", "").replace("permit:\n", target)
    shown = re.sub(r"^floor: .*\n", floor, shown, flags=re.MULTILINE)
    policy.write_text(shown + own + adapters, encoding="utf-8")
    cases.write_text(case, encoding="utf-8")
    backends = (replace(CATALOGUE[0], adapters=("legal", "letters")), *CATALOGUE[1:])
    assert check_policy(policy, backends, vocabulary(Scanner.load(use_hyperscan=False))) == Report()
    (result,) = await run_cases(policy, cases, detector=detector, scorer=scorer, backends=backends)
    assert result.differences == ()


@pytest.mark.parametrize(
    "model",
    [
        PermitWhen,
        ForbidWhen,
        Target,
        Floor,
        RaiseWhen,
        Adapter,
        AdapterWhen,
        Own,
        Allow,
        Public,
        Shadow,
        Want,
        Case,
        PolicyFile,
    ],
    ids=lambda m: m.__name__,
)
def test_the_guide_mentions_every_field(model: type[BaseModel]) -> None:
    words = set(re.findall(r"[a-z_]+", README))
    assert set(model.model_fields) - words == set()


def test_the_guide_promises_no_category_that_no_detector_finds() -> None:
    waiting = "".join(line.split("|")[1] for line in README.splitlines() if "| nothing yet |" in line)
    assert (
        set(re.findall(r"`([a-z_]+)`", waiting))
        == CATEGORIES - vocabulary(Scanner.load(use_hyperscan=False)).categories
    )

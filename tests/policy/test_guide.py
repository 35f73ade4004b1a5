"""Every example of docs/policies.md is valid and does what its cases say, with the real detectors."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.detect import Scanner
from gateway.detect.own import OwnDetector
from gateway.policy import document
from gateway.policy.cases import CATALOGUE, run_cases
from gateway.policy.check import Report, check_policy
from gateway.policy.load import load_policy
from gateway.score.scorer import EnsembleScorer
from gateway.wiring.policies import vocabulary

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", GUIDE, flags=re.DOTALL | re.MULTILINE)
EXAMPLES = [
    (block, after if after.startswith("cases:") else None)
    for block, after in zip(BLOCKS, [*BLOCKS[1:], ""], strict=True)
    if not block.startswith("cases:")
]


@pytest.fixture(scope="module")
def rules() -> Scanner:
    # Tests share the processor with others; the deadline has a test of its own.
    return Scanner.load(use_hyperscan=False, deadline_ms=5000)


def added(policy: dict[str, Any], lines: dict[str, Any]) -> dict[str, Any]:
    """What an admin gets who adds the lines to a copy of the default policy."""
    both = dict(policy)
    for section, content in lines.items():
        there = both.get(section)
        if isinstance(there, list):
            both[section] = [*there, *content]
        elif isinstance(there, dict):
            both[section] = {**there, **content}
        else:
            both[section] = content
    return both


@pytest.mark.parametrize(
    ("lines", "cases"), EXAMPLES, ids=[block.split("\n")[1].strip() or block for block, _ in EXAMPLES]
)
async def test_an_example_of_the_guide_does_what_it_says(
    lines: str, cases: str | None, tmp_path: Path, rules: Scanner
) -> None:
    path, beside = tmp_path / "my-policy.yaml", tmp_path / "my-policy.cases.yaml"
    path.write_text(lines, encoding="utf-8")
    content = document.read(path)
    if "name" not in content:
        content = added(document.read(ROOT / "policies" / "default.yaml"), content)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert check_policy(path, CATALOGUE, vocabulary(rules)) == Report()
    if cases is not None:
        beside.write_text(cases, encoding="utf-8")
        policy = load_policy(path, CATALOGUE)
        detector = OwnDetector(rules, lambda: policy.own)
        results = await run_cases(path, beside, detector=detector, scorer=EnsembleScorer(CATALOGUE[0]))
        assert results
        assert [(result.note, result.differences) for result in results if result.differences] == []


def test_the_guide_has_examples_with_cases_for_everything_it_promises() -> None:
    sections = {line.split(":")[0] for block, _ in EXAMPLES for line in block.splitlines() if line[:1].isalpha()}
    assert {"levels", "forbid", "permit", "detect", "allow", "public", "scan_answer", "floor"} <= sections
    assert sum(cases is not None for _, cases in EXAMPLES) >= 7


def test_the_guide_explains_every_way_to_say_how_much_goes_out() -> None:
    blocks = "".join(block for block, cases in EXAMPLES if cases is not None)
    assert all(f"{word}: " in blocks for word in ("complexity", "remote_share", "quality", "cap", "share", "below"))

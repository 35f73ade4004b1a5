"""What stands beside a value must not make a gate say no where a rule would say yes."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import yaml

from gateway.detect import Scanner
from gateway.detect.pack import Pack, gate_for, ungated
from gateway.detect.rules import load

GLUE = (*"_-/=.,;:é\u00df中\"'([<|", "9", "x", "Z")


RULES = {rule.kind for rule in load().rules}
"""What lies behind the gates; the topics read every text."""


def examples() -> dict[str, str]:
    """Kind → a text from the cases that holds it."""
    found: dict[str, str] = {}
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")):
            for kind in sorted(RULES.intersection(case["want"])):
                found.setdefault(kind, "".join(case["text"]))
    return found


@pytest.fixture(scope="module")
def scanners(cache_dir: Path) -> tuple[Scanner, Scanner, Scanner]:
    packed = load()
    every, first, second = (
        Scanner(pack, deadline_ms=20_000)
        for pack in (
            ungated(packed),
            Pack(packed, gate_for(packed, cache_dir=cache_dir)),
            Pack(packed, gate_for(packed, use_hyperscan=False)),
        )
    )
    return every, first, second


def test_every_kind_of_this_project_has_an_example() -> None:
    own = {rule.kind for rule in load().rules if not rule.allow}
    assert own <= set(examples())


@pytest.mark.parametrize("kind", examples())
def test_no_glue_parts_the_gates_from_the_rules(scanners: tuple[Scanner, Scanner, Scanner], kind: str) -> None:
    text = examples()[kind]
    place = next(finding.place for finding in scanners[0].find_in_text(text).findings if finding.kind == kind)
    head, value, tail = text[: place.start], text[place.start : place.end], text[place.end :]
    pairs = [*product(GLUE, ("", ".pdf")), *product(("", "file_"), GLUE)]
    glued = [f"{head}{before}{value}{after}{tail}" for before, after in pairs]
    for text in glued:
        wanted, *got = ({(f.kind, f.place) for f in scanner.find_in_text(text).findings} for scanner in scanners)
        assert got == [wanted, wanted], text


@pytest.mark.parametrize(
    "text",
    ["iban_DE10297299752882001826.pdf", "x_DE10 2972 9975 2882 0018 26", "token_hf_" + "aBcDeFgHjK" * 3 + "qWeR"],
)
def test_an_underscore_is_no_letter_to_either(scanners: tuple[Scanner, Scanner, Scanner], text: str) -> None:
    assert all(scanner.find_in_text(text).findings for scanner in scanners)

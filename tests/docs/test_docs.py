"""The documentation says what the product does now: links, settings, error codes, commands and examples."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from gateway import settings
from gateway.cli import _parser

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "policies" / "README.md"])
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def _settings(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        part = field.annotation
        if isinstance(part, type) and issubclass(part, BaseModel):
            yield from _settings(part, f"{prefix}{name}.")
        else:
            yield f"{prefix}{field.alias or name}"


def test_every_setting_is_documented() -> None:
    for name in _settings(settings.Settings, ""):
        assert f"`{name}`" in OPERATIONS, name


def test_every_key_of_a_backend_is_documented() -> None:
    for name, field in settings.Backend.model_fields.items():
        assert f"`{field.alias or name}`" in OPERATIONS, name


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    code = re.compile(r"""\bcode(?::\ [^=]*)?\s?=\s?"([a-z_]+)\"""", re.VERBOSE)
    sources = [path.read_text() for path in (ROOT / "gateway").rglob("*.py")]
    raised = {found for source in sources for found in code.findall(source)}
    table = [
        line.split("|")[2] for line in (ROOT / "docs" / "errors.md").read_text().splitlines() if line.startswith("| ")
    ]
    documented = {found for cell in table for found in re.findall(r"`([a-z_]+)`", cell)}
    assert raised - documented == set()
    everywhere = "\n".join(sources)
    assert {found for found in documented if f'"{found}"' not in everywhere} == set()


def test_every_command_in_the_documentation_exists() -> None:
    known = set(_parser()._subparsers._group_actions[0].choices)  # type: ignore[union-attr, arg-type]
    for page in PAGES:
        text = page.read_text()
        fenced = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        inline = re.findall(r"`([^`\n]+)`", text)
        for code in [*fenced, *inline]:
            # In `docker compose exec gateway gateway check` the first one is the container's name.
            for command in re.findall(r"(?:^|(?<!exec)[\s/])gateway ([a-z]+)\b", code, re.MULTILINE):
                assert command in known, f"{page.name}: gateway {command}"


def test_the_configuration_in_the_readme_is_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks
    merged: dict[str, object] = {}
    for block in blocks:
        merged |= yaml.safe_load(block)
    settings.Settings(**merged)

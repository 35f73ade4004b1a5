"""What an operator's words become, and that each of them is documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.core.errors import ConfigurationError
from gateway.detect.adapters.build import build_detectors
from gateway.detect.adapters.options import HttpOptions, JudgeOptions, OnnxOptions, PresidioOptions
from gateway.settings import load_settings
from tests.support.detectors import Opinionated

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[3] / "docs" / "detectors.md").read_text()


def test_nothing_is_on_unless_it_is_asked_for() -> None:
    assert build_detectors(Path(), Opinionated()) == []


async def test_the_terms_are_the_operators(folder: Path) -> None:
    terms = {"deadline_ms": 500, "required": False, "unless": {"iban"}}
    tiers = build_detectors(
        folder.parent,
        Opinionated(),
        onnx=OnnxOptions(folder=Path("model"), **terms),
        http=HttpOptions(url="http://127.0.0.1:9/", kinds={"person": "person"}, **terms),
        judge=JudgeOptions(**terms),
    )
    assert [tier.finder.name for tier in tiers] == ["onnx", "http", "judge"]
    assert {(tier.deadline_s, tier.required, tier.unless) for tier in tiers} == {(0.5, False, frozenset({"iban"}))}
    assert [tier.last for tier in tiers] == [False, False, True]
    for tier in tiers:
        await tier.finder.aclose()


def test_a_file_switches_them_on(tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(
        "detect:\n"
        "  presidio: {languages: {en: en_core_web_sm}, entities: {LOCATION: {kind: place, category: person}}}\n"
        "  onnx: {folder: models/names, labels: {ORG: null}}\n"
        "  http: {url: 'https://pii.example.com/', zone: private, kinds: {person: person}}\n"
        "  judge: {}\n"
    )
    detect = load_settings(path)[0].detect
    assert detect.presidio is not None
    assert detect.onnx == OnnxOptions(folder=Path("models/names"), labels={"ORG": None})
    assert detect.judge == JudgeOptions()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("judge: {patience: 3}", "detect.judge.patience: there is no such setting", id="an unknown key"),
        pytest.param("onnx: {}", "detect.onnx.folder: is missing", id="no folder"),
        pytest.param("http: {url: 'http://127.0.0.1/'}", "detect.http.kinds: is missing", id="no kinds"),
        pytest.param("http: {url: x, kinds: {A b: person}}", "a kind is up to 64 small letters", id="an odd kind"),
        pytest.param("http: {url: x, kinds: {a: people}}", "a category is one of", id="an odd category"),
        pytest.param("presidio: {languages: {english: x}}", "detect.presidio.languages", id="an odd language"),
        pytest.param("judge: {deadline_ms: 0}", "detect.judge.deadline_ms", id="no time"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "gateway.yaml"
    path.write_text(f"detect:\n  {text}\n")
    with pytest.raises(ConfigurationError, match=said.replace(".", r"\.")):
        load_settings(path)


@pytest.mark.parametrize("options", [PresidioOptions, OnnxOptions, HttpOptions, JudgeOptions])
def test_every_key_is_documented(options: type[BaseModel]) -> None:
    for name in options.model_fields:
        assert f"`{name}`" in PAGE, name


def test_every_reason_for_an_unread_file_is_documented() -> None:
    import re

    root = Path(__file__).parents[3] / "gateway" / "detect" / "attachments"
    reasons = {word for path in root.glob("*.py") for word in re.findall(r'Unread\("(\w+)"\)', path.read_text())}
    assert len(reasons) > 8
    assert {word for word in reasons if f"`{word}`" not in PAGE} == set()

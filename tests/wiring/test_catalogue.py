"""What commands that only decide know of the local model, without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import load_settings
from gateway.wiring.catalogue import planned_specs
from tests.support.tiny import write_tiny


@pytest.mark.parametrize(
    ("template", "tools", "makeshift"),
    [("<tool_call>", True, {"context"}), ("plain", False, {"context", "tools"})],
    ids=["calls", "does not"],
)
def test_a_model_named_beside_the_configuration_is_looked_at_there_whoever_calls_from_where(
    template: str, tools: bool, makeshift: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = tmp_path / "house"
    house.mkdir()
    write_tiny(house / "mine.gguf", tokenizer__chat_template=template)
    (house / "gateway.yaml").write_text("local: {model: mine.gguf, context_overflow: shift}")
    monkeypatch.chdir(tmp_path)
    local, *_ = planned_specs(*load_settings(house / "gateway.yaml"))
    assert (local.model, local.tools, local.makeshift) == ("mine", tools, makeshift)

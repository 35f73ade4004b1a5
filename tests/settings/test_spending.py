"""What an operator may say about prices, and what is refused in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec, Usage, Zone
from gateway.settings import Settings, load_settings
from gateway.wiring.spending import build_prices

LARGE = BackendSpec("large", Zone.REMOTE, "openai", "gpt-4.1")


def read(folder: Path, text: str) -> Settings:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return load_settings(file)[0]


def test_a_price_is_dollars_for_a_million_tokens(tmp_path: Path) -> None:
    text = "prices: {large: {input_per_mtok: 0.15, output_per_mtok: 0.6, cached_per_mtok: 0.075}}\n"
    table = build_prices(read(tmp_path, text))
    assert table.cost(LARGE, Usage(1_000_000, 1_000_000)) == 0.75
    cached = {"prompt_tokens_details": {"cached_tokens": 1_000_000}}
    assert table.cost(LARGE, Usage(1_000_000, 0, cached)) == 0.075


def test_without_a_word_the_price_of_a_known_model_is_known(tmp_path: Path) -> None:
    table = build_prices(read(tmp_path, "{}"))
    cost = table.cost(LARGE, Usage(1000, 1000))
    assert cost is not None
    assert cost == table.all_remote(Usage(1000, 1000)) > 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prices: {lrage: {input_per_mtok: 1, output_per_mtok: 2}}", "'lrage'"),
        ("backends: []\nprices: {large: {input_per_mtok: 1, output_per_mtok: 2}}", "'large'"),
        ("prices: {large: {input_per_mtok: -1, output_per_mtok: 2}}", "input_per_mtok"),
        ("prices: {large: {input_per_mtok: .nan, output_per_mtok: 2}}", "input_per_mtok"),
        ("prices: {large: {input_per_mtok: 1}}", "output_per_mtok"),
        ("prices: {large: {input_per_mtok: 1, output_per_mtok: 2, per_image: 3}}", "per_image"),
    ],
)
def test_a_price_that_is_none_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        build_prices(read(tmp_path, text))

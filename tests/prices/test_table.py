"""Whose price is known, and what is done where it is not: nothing is guessed and nothing is imported or fetched."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.core.ports import Prices
from gateway.core.types import BackendSpec, Usage, Zone
from gateway.prices import Price, PriceTable, Rates, rates
from gateway.prices.vendors import vendor_prices

ROOT = Path(__file__).parents[2]
USED = Usage(1_000_000, 1_000_000)
OWN = Price(rates(Decimal(1), Decimal(2)))


def remote(model: str, host: str = "", *, wire: str = "openai", name: str = "large") -> BackendSpec:
    return BackendSpec(name, Zone.REMOTE, wire, model, host=host)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(remote("gpt-4.1", "api.openai.com"), id="OpenAI itself"),
        pytest.param(remote("gpt-4.1", "eu.api.openai.com"), id="a region of OpenAI's"),
        pytest.param(remote("gpt-4.1", "house.openai.azure.com"), id="Azure"),
        pytest.param(remote("mistral-large-latest", "api.mistral.ai"), id="another vendor by its host"),
        pytest.param(remote("openai/gpt-4.1", "openai", wire="litellm"), id="litellm, OpenAI"),
        pytest.param(remote("openai/gpt-4.1", "api.openai.com", wire="litellm"), id="litellm, OpenAI by its address"),
        pytest.param(remote("anthropic/claude-sonnet-4-5", "anthropic", wire="litellm"), id="litellm, Anthropic"),
        pytest.param(remote("gemini/gemini-2.5-pro", "gemini", wire="litellm"), id="litellm, Gemini"),
        pytest.param(
            remote("bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", wire="litellm"),
            id="litellm, Bedrock",
        ),
    ],
)
def test_a_known_vendors_model_has_its_price_from_litellms_list(spec: BackendSpec) -> None:
    price = vendor_prices([spec])["large"]
    assert 0 < price.rates.prompt < price.rates.completion
    assert (price.rates.cached or 0) < price.rates.prompt


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(remote("gpt-4.1", "127.0.0.1"), id="a known name on somebody's own server"),
        pytest.param(remote("gpt-4.1", "api.openai.com.evil.example"), id="a host that looks like a vendor's"),
        pytest.param(remote("no-such-model", "api.openai.com"), id="a model that the vendor does not have"),
        pytest.param(remote("claude-sonnet-4-5", "api.openai.com"), id="another vendor's model"),
        pytest.param(remote("text-embedding-3-small", "api.openai.com"), id="no chat model"),
        pytest.param(remote("openai/gpt-4.1", "llm.house.example", wire="litellm"), id="OpenAI's protocol, not OpenAI"),
        pytest.param(remote("gpt-4.1", wire="litellm"), id="litellm without a vendor"),
        pytest.param(remote("gpt-4.1", "api.openai.com", wire="canned"), id="a stand-in"),
        pytest.param(remote("sample_spec", "api.openai.com"), id="the list's own explanation"),
    ],
)
def test_what_nobody_can_say_the_price_of_has_none(spec: BackendSpec) -> None:
    assert vendor_prices([spec]) == {}
    assert PriceTable.of([spec], {}).cost(spec, USED) == (0.0 if spec.wire == "canned" else None)
    assert PriceTable.of([spec], {}).all_remote(USED) is None


def test_the_operators_own_price_wins() -> None:
    spec = remote("gpt-4.1", "api.openai.com")
    table: Prices = PriceTable.of([spec], {"large": OWN})
    assert table.cost(spec, USED) == 3.0
    assert table.all_remote(USED) == 3.0


def test_what_stays_and_what_a_stand_in_plays_is_free_and_a_pool_too_unless_it_has_a_price() -> None:
    local = BackendSpec("local", Zone.LOCAL, "llama", "gpt-4.1")
    pool = BackendSpec("house", Zone.PRIVATE, "openai", "gpt-4.1", host="10.0.0.7")
    played = remote("gpt-4.1", "api.openai.com", wire="canned")
    table = PriceTable({"local": OWN, "large": OWN}, "large")
    assert [table.cost(spec, USED) for spec in (local, pool, played)] == [0.0, 0.0, 0.0]
    assert PriceTable({"house": OWN}).cost(pool, USED) == 3.0


def test_all_remote_is_reckoned_by_the_first_remote_backend_whose_price_is_known() -> None:
    house = BackendSpec("house", Zone.PRIVATE, "openai", "m", host="10.0.0.7")
    strange, first, second = (remote("m", "llm.example", name=name) for name in ("strange", "first", "second"))
    prices = {"house": Price(Rates(1, 1)), "second": Price(Rates(9, 9)), "first": OWN}
    assert PriceTable.of([house, strange, first, second], prices).all_remote(USED) == 3.0


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b'{"gpt-4.1": 5}', b'{"gpt-4.1": {"mode": "chat"}}', None])
def test_a_list_that_cannot_be_read_means_that_no_price_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    """As after a release of litellm that keeps it elsewhere."""
    package = tmp_path / "litellm"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('litellm was imported')")
    if content is not None:
        (package / "model_prices_and_context_window_backup.json").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "litellm", raising=False)
    assert vendor_prices([remote("gpt-4.1", "api.openai.com")]) == {}


def test_the_list_is_read_without_importing_litellm() -> None:
    code = (
        "import sys\n"
        "from gateway.core.types import BackendSpec, Zone\n"
        "from gateway.prices.vendors import vendor_prices\n"
        "spec = BackendSpec('a', Zone.REMOTE, 'openai', 'gpt-4.1', host='api.openai.com')\n"
        "print(len(vendor_prices([spec])), 'litellm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["1", "False"]

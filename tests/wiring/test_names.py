"""What a client's model name means, and which names an operator may give."""

from __future__ import annotations

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec, Zone
from gateway.settings import Settings
from gateway.wiring.backends import names

LOCAL = BackendSpec("local", Zone.LOCAL, "llama", "smollm2-135m-instruct")
LARGE = BackendSpec("large", Zone.REMOTE, "openai", "gpt-4.1")


def test_an_alias_means_what_it_points_to() -> None:
    meaning = names(Settings(aliases={"gpt-4.1": "auto", "house/big": "large", "tiny": LOCAL.model}), LOCAL, [LARGE])
    assert (meaning["gpt-4.1"], meaning["house/big"], meaning["tiny"]) == ("auto", "large", "local")
    assert (meaning["auto"], meaning["local"], meaning["large"], meaning[LOCAL.model]) == (
        "auto",
        "local",
        "large",
        "local",
    )


@pytest.mark.parametrize("alias", ["local", "auto", "large", LOCAL.model])
def test_a_name_that_means_something_keeps_its_meaning(alias: str) -> None:
    with pytest.raises(ConfigurationError, match="means something already"):
        names(Settings(aliases={alias: "large"}), LOCAL, [LARGE])


VOICES = BackendSpec("local", Zone.LOCAL, "llama", "smollm2-135m-instruct", adapters=("legal",))


def test_an_adapter_goes_by_both_names_of_its_model_and_by_aliases() -> None:
    meaning = names(Settings(aliases={"lawyer": "smollm2-135m-instruct:legal"}), VOICES, [LARGE])
    assert {name for name, means in meaning.items() if means == "local:legal"} == {
        "local:legal",
        "smollm2-135m-instruct:legal",
        "lawyer",
    }


def test_neither_an_alias_nor_a_backend_takes_an_adapters_name() -> None:
    with pytest.raises(ConfigurationError, match="means something already"):
        names(Settings(aliases={"local:legal": "large"}), VOICES, [LARGE])
    with pytest.raises(ConfigurationError, match="has the local model's name"):
        names(Settings(), VOICES, [BackendSpec("smollm2-135m-instruct:legal", Zone.REMOTE, "openai", "x")])


def test_an_alias_to_nothing_names_what_there_is() -> None:
    with pytest.raises(ConfigurationError, match="'gpt' points to 'nobody', which is none of 'auto', 'local'"):
        names(Settings(aliases={"gpt": "nobody"}), LOCAL, [LARGE])


def test_a_backend_cannot_take_the_local_models_name() -> None:
    with pytest.raises(ConfigurationError, match="has the local model's name"):
        names(Settings(), LOCAL, [BackendSpec(LOCAL.model, Zone.REMOTE, "openai", "x")])

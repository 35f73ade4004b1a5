"""Adapters from the outside: the names a client may use, what the answer says of them, what is kept apart for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.capture import CaptureServer
from tests.support.command import call
from tests.support.serving import Serving, serving

POLICY = """
name: adapters
permit: [{name: all, zone: remote, when: {sensitivity: {at_most: internal}}}]
adapters:
  - {name: banking, adapter: clinic, when: {categories: [financial]}}
  - {name: pinned, adapter: none, when: {model: {in: [local]}, needs: {none_of: [schema]}, tokens: {at_least: 500}}, always: true}
"""  # noqa: E501
IBAN = "Explain my IBAN DE89 3704 0044 0532 0130 00."


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, shared_upstream: CaptureServer) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("adapters")
    (folder / "policy.yaml").write_text(POLICY)
    backend = {
        "name": "large",
        "zone": "remote",
        "wire": "openai",
        "base_url": shared_upstream.base_url,
        "model": "capture-1",
    }
    config = {
        "policy": {"path": "policy.yaml"},
        "local": {"adapters": [{"name": name, "path": f"{name}.gguf"} for name in ("legal", "clinic")]},
        "backends": [backend],
        "aliases": {"lawyer": "local:legal", "tiny": "local"},
    }
    with serving(folder, config, env={"GATEWAY_LOCAL__ENGINE": "canned"}) as it:
        yield it


def ask(gateway: Serving, model: str, text: str = "Hello", **more: Any) -> httpx.Response:
    return gateway.post({"model": model, "messages": [{"role": "user", "content": text}], **more})


def text_of(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


def test_the_list_of_models_names_every_adapter_under_both_names_of_the_model(gateway: Serving) -> None:
    owners = {model["id"]: model["owned_by"] for model in gateway.get("/v1/models").json()["data"]}
    assert owners == {
        "auto": "gateway",
        "local": "local",
        "smollm2-135m-instruct": "local",
        "local:legal": "local",
        "local:clinic": "local",
        "smollm2-135m-instruct:legal": "local",
        "smollm2-135m-instruct:clinic": "local",
        "large": "remote",
        "lawyer": "gateway",
        "tiny": "gateway",
    }
    assert gateway.get("/v1/models/local:legal").json()["id"] == "local:legal"


@pytest.mark.parametrize("name", ["local:legal", "smollm2-135m-instruct:legal", "lawyer"])
def test_a_client_asks_for_an_adapter_by_name_and_is_answered_here(
    gateway: Serving, upstream: CaptureServer, name: str
) -> None:
    answer = ask(gateway, name)
    assert answer.status_code == 200, answer.text
    assert (answer.headers["x-gateway-zone"], answer.headers["x-gateway-adapter"]) == ("local", "legal")
    assert "adapter 'legal'" in text_of(answer)
    assert answer.json()["model"] == name
    assert upstream.requests == []


@pytest.mark.parametrize("name", ["local", "tiny", "large", "auto"])
def test_where_no_adapter_speaks_none_is_named(gateway: Serving, upstream: CaptureServer, name: str) -> None:
    answer = ask(gateway, name)
    assert answer.status_code == 200
    assert "x-gateway-adapter" not in answer.headers


UNKNOWN = {
    "local:gone": "model 'local' has no adapter 'gone'; known: clinic, legal",
    "smollm2-135m-instruct:": "model 'smollm2-135m-instruct' has no adapter ''; known: clinic, legal",
    "local:legal:clinic": "model 'local:legal' has no adapters",
    "large:legal": "model 'large' has no adapters, so not 'legal' either; ask for 'large'",
    "nobody:legal": "model 'nobody:legal' is not offered here; GET /v1/models",
    "local:LEGAL": "known: clinic, legal",
}


@pytest.mark.parametrize(("name", "says"), UNKNOWN.items())
def test_an_adapter_that_nobody_has_is_not_found_and_the_others_are_named(
    gateway: Serving, upstream: CaptureServer, name: str, says: str
) -> None:
    for answer in (ask(gateway, name), gateway.get(f"/v1/models/{name}")):
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (404, "model_not_found", "model")
        assert says in error["message"]
    assert upstream.requests == []


def test_a_policy_chooses_where_the_client_names_none(gateway: Serving, upstream: CaptureServer) -> None:
    chosen = ask(gateway, "auto", IBAN)
    assert (chosen.headers["x-gateway-zone"], chosen.headers["x-gateway-adapter"]) == ("local", "clinic")
    named = ask(gateway, "local:legal", IBAN)
    assert named.headers["x-gateway-adapter"] == "legal"
    assert "x-gateway-notice" not in named.headers
    assert upstream.requests == []


def test_a_client_that_gets_another_adapter_than_it_named_is_told(gateway: Serving) -> None:
    answer = ask(gateway, "local:legal", "word " * 1000)
    assert answer.status_code == 200
    assert "x-gateway-adapter" not in answer.headers
    assert answer.headers["x-gateway-notice"] == (
        "answered with the bare model, not with adapter 'legal', as the policy says"
    )


def test_answers_are_kept_apart_per_adapter(gateway: Serving) -> None:
    said = [ask(gateway, name, "Kept apart?") for name in ("local", "local:legal", "local:clinic")]
    assert [answer.headers["x-gateway-cache"] for answer in said] == ["miss"] * 3
    assert len({text_of(answer) for answer in said}) == 3
    again = ask(gateway, "lawyer", "Kept apart?")
    assert (again.headers["x-gateway-cache"], again.headers["x-gateway-adapter"]) == ("hit", "legal")
    assert text_of(again) == text_of(said[1])


def test_the_record_names_the_adapter_and_why_decides_the_same_again(gateway: Serving) -> None:
    for model, text, adapter in (("local:legal", "Hello again", "legal"), ("auto", IBAN, "clinic")):
        request_id = ask(gateway, model, text, seed=7).headers["x-request-id"]
        decided = gateway.of(request_id)[0]["facts"]
        assert decided["decision"]["adapter"] == adapter
        assert decided["adapter"] == (adapter if model != "auto" else None)
        told = json.loads(call(gateway.folder, "why", request_id).out)
        assert (told["agrees"], told["again"]["adapter"]) == (True, adapter)


def test_explain_says_which_adapter_would_speak_and_which_rule_says_so(gateway: Serving) -> None:
    told = json.loads(call(gateway.folder, "explain", stdin=IBAN).out)
    assert told["adapter"] == "clinic"
    assert [(rule["name"], rule["matched"]) for rule in told["adapters"]] == [("banking", True), ("pinned", False)]
    named = json.loads(call(gateway.folder, "explain", "--model", "local:legal", stdin="hello").out)
    assert (named["adapter"], named["zone"]) == ("legal", "local")
    assert "known: clinic, legal" in call(gateway.folder, "explain", "--model", "local:gone", stdin="hello").sentence


def test_check_runs_cases_with_the_adapters_of_a_configuration(gateway: Serving, tmp_path: Path) -> None:
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        f"cases:\n  - {{note: n, messages: [{{role: user, content: '{IBAN}'}}], want: {{adapter: clinic}}}}\n"
    )
    policy = gateway.folder / "policy.yaml"
    passed = call(tmp_path, "check", policy, "--cases", cases, "--config", gateway.config)
    assert (passed.code, "1 of 1 cases pass" in passed.out) == (0, True)
    failed = call(tmp_path, "check", policy, "--cases", cases)
    assert failed.code == 1
    assert "the local model has no adapter 'clinic'" in failed.out
    assert "adapter: want clinic, have None" in failed.out

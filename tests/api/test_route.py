"""POST /v1/route: what would be done with a chat. It is asked like a chat, and nothing is answered or sent."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from tests.support.capture import CaptureServer
from tests.support.serving import Serving, serving
from tests.support.waiting import wait_for

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
CARD = "My card is 4111 1111 1111 1111, is it valid?"
TOLD = {
    "object", "id", "level", "zone", "backend", "rule", "transform", "adapter", "notice", "refusal", "wait_s",
    "reasons", "kinds", "unreadable", "scores", "tokens", "needs", "gates", "ways", "cost", "policy", "draft",
}  # fmt: skip


def ask(gateway: Serving, text: str, path: str = "/v1/route", headers: Any = None, **more: Any) -> Any:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}], **more}
    return gateway.post(body, path, headers=headers)


def test_a_hard_chat_would_go_out_and_nothing_goes(gateway: Serving, upstream: CaptureServer) -> None:
    told = ask(gateway, HARD, model="large").json()
    assert told.keys() == TOLD
    assert (told["object"], told["zone"], told["backend"]) == ("gateway.route", "remote", "large")
    assert told["scores"]["gain"] > 0.55
    assert told["scores"]["language"] == "en"
    assert told["ways"][0]["backend"] == "large"
    assert {gate["backend"]: gate["serves"] for gate in told["gates"]} == {"local": True, "large": True}
    assert upstream.requests == []


def test_it_decides_as_the_chat_itself_is_decided(gateway: Serving, upstream: CaptureServer) -> None:
    for text, model in ((HARD, "large"), (CARD, "large"), (HARD, "local"), ("hello", "auto")):
        told = ask(gateway, text, model=model).json()
        answered = ask(gateway, text, "/v1/chat/completions", model=model)
        assert told["zone"] == answered.headers["x-gateway-zone"]
        assert told["rule"] == answered.headers["x-gateway-rule"]


def test_findings_are_kinds_and_counts_and_no_text_comes_back(gateway: Serving, upstream: CaptureServer) -> None:
    answer = ask(gateway, f"{CARD} And 5500 0000 0000 0004?")
    told = answer.json()
    assert (told["level"], told["zone"], told["kinds"]) == ("restricted", "local", {"payment_card": 2})
    assert "4111" not in answer.text
    assert "valid" not in answer.text


def test_gates_say_what_the_local_model_lacks(gateway: Serving, upstream: CaptureServer) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    told = gateway.post(
        {"model": "auto", "messages": [{"role": "user", "content": [image]}], "logprobs": True}, "/v1/route"
    ).json()
    here = told["gates"][0]
    assert (here["backend"], here["serves"]) == ("local", False)
    assert {"image", "logprobs"} <= set(here["lacks"])
    assert told["needs"]["image"] is True
    assert told["unreadable"] == {"image": 1}
    assert (told["refusal"]["code"], told["ways"]) == ("unsupported_content", [])
    assert told["cost"]["usd"] is None


def test_a_real_client_asks_it_with_its_own_key_and_base_url(gateway: Serving, upstream: CaptureServer) -> None:
    with OpenAI(base_url=gateway.base_url, api_key="none", max_retries=0) as client:
        body = {"model": "large", "messages": [{"role": "user", "content": "hello"}], "stream": True}
        told: Any = client.post("/route", body=body, cast_to=object)
    assert (told["object"], told["backend"]) == ("gateway.route", "large")


def test_a_client_may_raise_the_level_here_too(gateway: Serving, upstream: CaptureServer) -> None:
    told = ask(gateway, HARD, model="large", headers={"x-gateway-sensitivity": "restricted"}).json()
    assert (told["level"], told["zone"]) == ("restricted", "local")


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        pytest.param({}, None, 400, "invalid_value", id="nothing"),
        pytest.param({"model": "nope", "messages": [{"role": "user", "content": "x"}]}, None, 404, "model_not_found",
                     id="an unknown model"),
        pytest.param({"model": "auto", "messages": [{"role": "user", "content": "x" * 2**20}]}, None, 413,
                     "request_too_large", id="too large"),
        pytest.param({}, {"host": "evil.test"}, 421, "unknown_host", id="another host"),
        pytest.param({}, {"origin": "https://evil.test"}, 403, "origin_not_allowed", id="another page"),
    ],
)  # fmt: skip
def test_it_refuses_what_the_chat_endpoint_refuses(
    gateway: Serving, body: Any, headers: Any, status: int, code: str
) -> None:
    for path in ("/v1/route", "/v1/chat/completions"):
        answer = gateway.post(body, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert gateway.get("/v1/route").status_code == 405


def test_one_record_says_that_somebody_asked_and_no_request_is_counted(
    gateway: Serving, upstream: CaptureServer
) -> None:
    def counted() -> list[str]:
        page = gateway.get("/metrics").text.splitlines()
        return [line for line in page if line.startswith(("gateway_requests_total", "gateway_request_seconds_count"))]

    before = counted()
    told = ask(gateway, HARD, model="large").json()
    records = wait_for(lambda: [each for each in gateway.records() if each["request_id"] == told["id"]])
    assert [each["event"] for each in records] == ["explained"]
    assert records[0]["facts"] == {
        "level": told["level"], "zone": "remote", "backend": "large", "rule": told["rule"], "refusal": None,
        "policy": told["policy"]["name"], "policy_digest": told["policy"]["digest"],
    }  # fmt: skip
    assert counted() == before


def test_it_needs_a_key_where_keys_are_on_and_says_what_each_way_would_cost(
    tmp_path: Path, upstream: CaptureServer
) -> None:
    token = "sk-gw-route"
    key = {"name": "app", "tenant": "t", "hash": f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"}
    config = {
        "auth": {"mode": "keys", "keys": [key]},
        "backends": [{"name": "large", "zone": "remote", "base_url": upstream.base_url, "model": "m"}],
        "prices": {"large": {"input_per_mtok": 10, "output_per_mtok": 100}},
    }
    headers = {"authorization": f"Bearer {token}"}
    with serving(tmp_path, config, env={"GATEWAY_LOCAL": "canned"}) as strict:
        assert ask(strict, HARD).json()["error"]["code"] == "invalid_api_key"
        told = ask(strict, HARD, headers=headers, max_tokens=100, n=2).json()
        usd = (told["tokens"] * 10 + 200 * 100) / 1e6
        assert told["cost"] == {
            "prompt_tokens": told["tokens"], "completion_tokens": 200, "usd": usd, "all_remote_usd": usd
        }  # fmt: skip
        assert {way["backend"]: way["usd"] for way in told["ways"]} == {"large": usd, "local": 0.0}
        stays = ask(strict, CARD, headers=headers).json()
        assert stays["cost"]["usd"] == 0.0 < stays["cost"]["all_remote_usd"]
    assert upstream.requests == []

"""A gateway that measures itself: the client notices nothing, and no sink of it holds a word of what was said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from gateway.wiring.places import shipped_policies
from tests.support.capture import CaptureServer, completion
from tests.support.command import call
from tests.support.planting import Found, mark
from tests.support.serving import Serving, serving
from tests.support.waiting import wait_for

TOKENS = {"open": "sk-gw-open", "closed": "sk-gw-closed"}
ASKED, ANSWERED, PRIVATE = mark("a shadow's question"), mark("a shadow's answer"), mark("what stays")
PRICE = {"large": {"input_per_mtok": 1, "output_per_mtok": 2}}


def config(outside: CaptureServer, **more: Any) -> dict[str, Any]:
    keys = [
        {"name": name, "hash": f"sha256:{hashlib.sha256(token.encode()).hexdigest()}", "public": name == "open"}
        for name, token in TOKENS.items()
    ]
    return {
        "auth": {"mode": "keys", "keys": keys},
        "backends": [{"name": "large", "zone": "remote", "base_url": outside.base_url, "model": "m"}],
        "policy": {"path": "measured.yaml"},
        "prices": PRICE,
        "cache": {"url": "off://"},
        "log": {"level": "debug"},
        **more,
    }


def say(gateway: Serving, text: str, key: str = "open") -> str:
    """What the real client gets, and under which id the log knows it."""
    with OpenAI(base_url=gateway.base_url, api_key=TOKENS[key], max_retries=0) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="auto", messages=[{"role": "user", "content": text}]
        )
        assert raw.headers["x-gateway-zone"] == "local"
        assert raw.parse().choices[0].message.content
        return str(raw.headers["x-request-id"])


@pytest.fixture(scope="module")
def outside() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


def test_a_public_answer_is_measured_and_nothing_of_it_is_kept(tmp_path: Path, outside: CaptureServer) -> None:
    outside.clear()
    outside.always(lambda _: completion(f"hello {ANSWERED}"))
    earned = (shipped_policies() / "earned.yaml").read_text()
    (tmp_path / "measured.yaml").write_text(f"{earned}\nshadow: {{share: 1.0, to: large}}\n")
    with serving(tmp_path, config(outside), env={"GATEWAY_LOCAL": "canned"}) as gateway:
        say(gateway, f"hello {PRIVATE}", key="closed")
        say(gateway, f"my card is 4111 1111 1111 1111 {PRIVATE}")
        told = say(gateway, f"hello {ASKED}")
        ledger = tmp_path / "var" / "shadow.jsonl"
        wait_for(lambda: ledger.exists() and ledger.read_text().endswith("\n"))
        (row,) = [json.loads(line) for line in ledger.read_text().splitlines()]
        assert (row["backend"], 0 <= row["agreement"] < 1, row["usd"] > 0) == ("large", True, True)
        (shadow,) = outside.requests
        assert ASKED in repr(shadow)
        assert PRIVATE.encode() not in outside.received

        records = gateway.of(f"{told}-shadow")
        assert [each["event"] for each in records] == ["decided", "attempt", "outcome"]
        page = gateway.get("/metrics", headers={"authorization": f"Bearer {TOKENS['open']}"}).text
        assert 'gateway_shadows_total{result="measured"} 1.0' in page
        assert 'gateway_egress_attempts_total{zone="remote"} 1.0' in page
        assert 'gateway_requests_total{backend="large"' not in page
        why = json.loads(call(tmp_path, "why", f"{told}-shadow", "--json").out)
        assert (why["agrees"], why["left"].startswith("yes")) == (True, True)
        gateway.stop()
    sinks = {
        str(file.relative_to(tmp_path)): file.read_bytes()
        for file in tmp_path.rglob("*")
        if file.is_file() and file.name != "gateway.yaml"
    }
    assert {"var/shadow.jsonl", "stderr.log"} <= sinks.keys()
    found = Found({**sinks, "/metrics": page.encode()})
    assert [found.places(word) for word in (ASKED, ANSWERED, PRIVATE)] == [[], [], []]

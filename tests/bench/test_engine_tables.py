"""The engine's tables set every aim beside what was measured, the missed ones too."""

from __future__ import annotations

from typing import Any

import pytest

from bench.engine_tables import ratio, tables


def row(tokens_per_s: float, **other: float) -> dict[str, float]:
    keys = ("ttft_p50_ms", "ttft_p95_ms", "itl_p50_ms", "itl_p95_ms", "itl_p99_ms", "itl_max_ms", "cpu_ms_per_token")
    return {"tokens_per_s": tokens_per_s, "others": 0.01, **dict.fromkeys(keys, 100.0), **other}


@pytest.fixture
def found() -> dict[str, Any]:
    servers = {
        "gateway": [row(160.0), row(80.0)],
        "llama-server": [row(160.0), row(80.0)],
        "llama_cpp.server": [row(50)],
    }
    late = {f"{when}_{name}_ms": 1.0 for when in ("idle", "busy") for name in ("p50", "p95", "p99", "max")}
    return {
        "machine": {"cpu": "a CPU", "cores": 2, "python": "3.11.7"},
        "rounds": 2,
        "settings": [
            {
                "name": f"{file}, 2 threads",
                "file": file,
                "threads": 2,
                "streams": {"1": servers, "8": servers},
                "memory_mb": dict.fromkeys(servers, 400.0),
                "missing": {},
                "extras": extras if file == "same file" else {},
            }
            for file in ("same file", "as shipped")
        ],
        "lag": {"process": late, "thread": {**late, "busy_p99_ms": 7.0}},
    }


extras = {
    "open": {"per_s": 1.2, "requests": 48, "servers": {"gateway": row(70.0), "llama-server": row(70.0)}},
    "prefix": {"gateway": {"cold_ms": 500.0, "warm_ms": 50.0, "ratio": 10.0}},
    "grammar": {"1": {"gateway": {"free_ms": 10.0, "held_ms": 12.0, "cost": 0.2}}},
}


def verdict(text: str, aim: str) -> str:
    (line,) = [line for line in text.splitlines() if aim in line]
    return line.split("|")[3].strip()


@pytest.mark.parametrize(
    ("aim", "said"),
    [
        pytest.param("1.0 × llama-server, same file", "met", id="as fast"),
        pytest.param("2.5 × llama_cpp.server", "met", id="much faster"),
        pytest.param("cached system prompt", "met", id="prompts are kept"),
        pytest.param("a JSON schema costs", "missed", id="grammar too dear"),
        pytest.param("event loop late by at most", "met in 1 of 2", id="half of it"),
    ],
)
def test_every_aim_says_whether_it_was_met(found: dict[str, Any], aim: str, said: str) -> None:
    assert verdict(tables(found), aim) == said


def test_a_gateway_that_is_slower_misses_its_aim(found: dict[str, Any]) -> None:
    for servers in found["settings"][0]["streams"].values():
        servers["gateway"] = [row(150.0, itl_p95_ms=151.0)]
    text = tables(found)
    assert verdict(text, "1.0 × llama-server, same file") == "missed"
    assert verdict(text, "between tokens p95") == "missed"


def test_a_server_measured_once_is_compared_within_that_round(found: dict[str, Any]) -> None:
    servers = found["settings"][0]["streams"]["1"]
    assert ratio(servers["gateway"], servers["llama_cpp.server"], "tokens_per_s") == 160.0 / 50


def test_without_a_peer_its_aims_are_left_out_and_the_reason_stands_there(found: dict[str, Any]) -> None:
    for setting in found["settings"]:
        setting["missing"] = {"llama-server": "no compiler"}
        for servers in setting["streams"].values():
            servers.pop("llama-server", None)
    text = tables(found)
    assert "Without llama-server: no compiler." in text
    assert "1.0 × llama-server" not in text


def test_a_machine_that_was_busy_with_other_things_is_told(found: dict[str, Any]) -> None:
    found["settings"][0]["streams"]["8"]["gateway"][1]["others"] = 0.4
    assert "other programs took 1% of the machine (median; at most 40%)" in tables(found)

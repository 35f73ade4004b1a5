"""How the end of a request is told."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import structlog

from gateway.core.confidence import Confidence, Means
from gateway.core.ports import Observer
from gateway.core.records import Outcome
from gateway.telemetry import Metrics, TelemetryObserver, configure_logging

Lines = Callable[[], list[dict[str, Any]]]

OUTCOME = Outcome(
    "r1", "t", False, "ok", zone="remote", backend="large", rule="hard", policy="default", level="internal",
    cache="miss", kinds=("email",), attempts=1, prompt_tokens=7, completion_tokens=9, gain=0.7, family="maths",
    draft_tokens=3, draft_ms=1.23456, draft="left", cost_usd=0.00125, all_remote_usd=0.0025, detect_ms=0.123456,
    total_ms=12.3,
)  # fmt: skip


def test_one_outcome_is_one_line_with_every_number(lines: Lines) -> None:
    observer: Observer = TelemetryObserver(Metrics(version="1", backends=["large"]))
    observer.finished(OUTCOME)
    (line,) = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "request",
        "level": "info",
        "request_id": "r1",
        "tenant": "t",
        "stream": False,
        "outcome": "ok",
        "error": None,
        "zone": "remote",
        "backend": "large",
        "rule": "hard",
        "policy": "default",
        "sensitivity": "internal",
        "cache": "miss",
        "kinds": ["email"],
        "attempts": 1,
        "tried": [],
        "prompt_tokens": 7,
        "completion_tokens": 9,
        "context_dropped": 0,
        "transform": None,
        "replaced": 0,
        "unrestored": 0,
        "confidence": None,
        "gain": 0.7,
        "family": "maths",
        "draft_tokens": 3,
        "draft_ms": 1.235,
        "draft": "left",
        "cost_usd": 0.00125,
        "all_remote_usd": 0.0025,
        "detect_ms": 0.123,
        "score_ms": 0.0,
        "decide_ms": 0.0,
        "audit_ms": 0.0,
        "first_ms": None,
        "total_ms": 12.3,
    }


def test_how_sure_the_local_model_was_is_told_in_numbers(lines: Lines) -> None:
    sure = Confidence(20, -0.5, 1.0, 2.0, -4.0, Means(16, -0.25, 0.5, 2.5))
    TelemetryObserver(Metrics(version="1")).finished(replace(OUTCOME, confidence=sure, context_dropped=37))
    (line,) = lines()
    assert line["context_dropped"] == 37
    assert line["confidence"] == {
        "tokens": 20,
        "mean_logprob": -0.5,
        "mean_entropy": 1.0,
        "mean_margin": 2.0,
        "lowest_logprob": -4.0,
        "early": {"tokens": 16, "mean_logprob": -0.25, "mean_entropy": 0.5, "mean_margin": 2.5},
    }


def test_every_field_of_an_outcome_is_told(lines: Lines) -> None:
    TelemetryObserver(Metrics(version="1")).finished(OUTCOME)
    renamed = {"level": "sensitivity"}
    assert {renamed.get(name, name) for name in Outcome.__slots__} <= lines()[0].keys()


def test_a_log_that_cannot_be_written_does_not_break_the_request_and_is_counted(stream: io.BytesIO) -> None:
    configure_logging("info", "json", stream)
    metrics = Metrics(version="1")
    observer = TelemetryObserver(metrics)
    stream.close()
    observer.finished(OUTCOME)
    assert b"gateway_observer_failures_total 1.0" in metrics.render()[0]


def test_it_writes_to_the_logger_it_was_given() -> None:
    log = structlog.testing.CapturingLogger()
    bound = structlog.wrap_logger(log, processors=[], wrapper_class=structlog.BoundLogger)
    TelemetryObserver(Metrics(version="1"), bound).finished(OUTCOME)
    assert [call.kwargs["request_id"] for call in log.calls] == ["r1"]

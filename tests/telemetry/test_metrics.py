"""What Prometheus reads, and that no client can make it read more."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.core.confidence import Confidence, Means
from gateway.core.errors import BackendTimeout
from gateway.core.records import Outcome
from gateway.telemetry import Metrics
from gateway.telemetry.labels import MOST

OUTCOME = Outcome(
    "r1",
    "t",
    True,
    "ok",
    zone="remote",
    backend="large",
    rule="hard",
    cache="miss",
    kinds=("email", "iban"),
    attempts=2,
    prompt_tokens=10,
    completion_tokens=20,
    detect_ms=0.2,
    score_ms=0.1,
    decide_ms=0.01,
    audit_ms=3,
    first_ms=100,
    total_ms=2000,
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def made() -> Metrics:
    return Metrics(version="1.2.3", backends=["large", "local"], rules=["hard", "default"], kinds=["email", "iban"])


def samples(metrics: Metrics) -> Samples:
    text, content_type = metrics.render()
    assert content_type.startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(metrics: Metrics, name: str, **labels: str) -> float:
    return samples(metrics)[f"gateway_{name}", frozenset(labels.items())]


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("requests_total", {"zone": "remote", "backend": "large", "rule": "hard", "outcome": "ok"}, 1),
        ("request_seconds_sum", {"zone": "remote"}, 2.0),
        ("request_seconds_bucket", {"zone": "remote", "le": "1.0"}, 0),
        ("request_seconds_bucket", {"zone": "remote", "le": "2.5"}, 1),
        ("first_chunk_seconds_sum", {"zone": "remote"}, 0.1),
        ("tokens_total", {"direction": "prompt", "zone": "remote"}, 10),
        ("tokens_total", {"direction": "completion", "zone": "remote"}, 20),
        ("egress_attempts_total", {"zone": "remote"}, 2),
        ("cache_total", {"state": "miss"}, 1),
        ("findings_total", {"kind": "email"}, 1),
        ("detect_seconds_count", {}, 1),
        ("score_seconds_count", {}, 1),
        ("decide_seconds_bucket", {"le": "5e-05"}, 1),
        ("audit_seconds_bucket", {"le": "0.0025"}, 0),
        ("audit_seconds_bucket", {"le": "0.005"}, 1),
        ("build_info", {"version": "1.2.3"}, 1),
    ],
)
def test_one_outcome_is_counted_everywhere(name: str, labels: dict[str, str], expected: float) -> None:
    metrics = made()
    metrics.count(OUTCOME)
    assert value(metrics, name, **labels) == pytest.approx(expected)


def test_a_request_without_a_first_piece_has_no_time_to_it() -> None:
    metrics = made()
    metrics.count(replace(OUTCOME, first_ms=None))
    assert value(metrics, "first_chunk_seconds_count", zone="remote") == 0


def test_how_surprised_the_local_model_was_by_its_own_answers_is_counted_by_backend() -> None:
    metrics = made()
    for mean in (-0.25, -1.75):
        sure = Confidence(20, mean, 1.0, 2.0, -4.0, Means(16, mean, 1.0, 2.0))
        metrics.count(replace(OUTCOME, backend="local", confidence=sure))
    metrics.count(OUTCOME)
    assert value(metrics, "surprise_nats_sum", backend="local") == pytest.approx(2.0)
    assert value(metrics, "surprise_nats_bucket", backend="local", le="0.3") == 1
    assert value(metrics, "surprise_nats_count", backend="local") == 2
    assert ("gateway_surprise_nats_count", frozenset({("backend", "large")})) not in samples(metrics)


def test_no_client_can_make_the_page_grow() -> None:
    metrics = made()
    metrics.count(OUTCOME)
    metrics.count(replace(OUTCOME, zone="z", backend="b", rule="r", outcome="o", cache="c", kinds=("k",), error="E"))
    before = len(samples(metrics))
    for number in range(2000):
        made_up = f"made up {number}"
        metrics.count(
            replace(
                OUTCOME,
                tenant=made_up,
                request_id=made_up,
                zone=made_up,
                backend=made_up,
                rule=made_up,
                outcome=made_up,
                cache=made_up,
                kinds=(made_up,),
                error=made_up,
                level=made_up,
            )
        )
    assert len(samples(metrics)) == before
    assert b"made up" not in metrics.render()[0]
    assert value(metrics, "findings_total", kind="other") == 2001


def test_not_even_a_policy_can_make_it_grow_without_bound() -> None:
    metrics = made()
    names = [f"rule {number}" for number in range(2 * MOST)]
    metrics.know(rules=names)
    for name in names:
        metrics.count(replace(OUTCOME, rule=name))
    rules = {dict(labels).get("rule") for name, labels in samples(metrics) if name == "gateway_requests_total"}
    assert "other" in rules
    assert len(rules) <= MOST + 1


def test_a_rule_is_counted_by_name_once_the_policy_that_has_it_is_loaded() -> None:
    metrics = made()
    metrics.count(replace(OUTCOME, rule="new"))
    metrics.know(rules=["new"], backends=["second"], kinds=["phone"])
    metrics.count(replace(OUTCOME, rule="new", backend="second", kinds=("phone",)))
    assert value(metrics, "requests_total", zone="remote", backend="large", rule="other", outcome="ok") == 1
    assert value(metrics, "requests_total", zone="remote", backend="second", rule="new", outcome="ok") == 1
    assert value(metrics, "findings_total", kind="phone") == 1


def test_a_refused_request_has_no_backend() -> None:
    metrics = made()
    metrics.count(
        replace(OUTCOME, outcome="refused", backend="", zone="local", rule="default", error="LocalModelUnfit")
    )
    assert value(metrics, "requests_total", zone="local", backend="none", rule="default", outcome="refused") == 1
    assert value(metrics, "request_errors_total", error="LocalModelUnfit") == 1


def test_failures_of_a_backend_are_counted_by_class() -> None:
    metrics = made()
    metrics.backend_failed("large", BackendTimeout("large took too long"))
    metrics.backend_failed("made up", KeyError())
    assert value(metrics, "backend_errors_total", backend="large", error="BackendTimeout") == 1
    assert value(metrics, "backend_errors_total", backend="other", error="other") == 1


def test_policy_files_are_counted_as_accepted_and_refused() -> None:
    metrics = made()
    metrics.policy_reloaded(accepted=True)
    metrics.policy_reloaded(accepted=False)
    assert value(metrics, "policy_reloads_total", result="refused") == 1


def test_a_watched_part_is_asked_when_the_page_is_read_and_may_fail_alone() -> None:
    metrics = made()
    lag = [0.5]
    metrics.watch("audit_lag_seconds", "Oldest record that is not durable", lambda: lag[0])
    metrics.watch("cache_bytes", "Bytes in memory", lambda: {}["bytes"])
    lag[0] = 1.5
    assert value(metrics, "audit_lag_seconds") == 1.5
    assert math.isnan(value(metrics, "cache_bytes"))


def test_two_gateways_in_one_process_do_not_share_numbers() -> None:
    one, other = made(), made()
    one.count(OUTCOME)
    assert value(other, "detect_seconds_count") == 0


# ── Money ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_money_is_counted_by_backend_and_what_all_remote_would_have_cost_beside_it() -> None:
    metrics = Metrics(version="1", backends=["local", "large"])
    for backend, cost in (("local", 0.0), ("large", 0.25), ("large", 0.5), ("large", None), ("stranger", 1.0)):
        told = Outcome(
            "r", "t", False, "ok", zone="remote", backend=backend, first_ms=1.0, cost_usd=cost, all_remote_usd=0.5
        )
        metrics.count(told)
    page = metrics.render()[0].decode()
    assert 'gateway_cost_usd_total{backend="large"} 0.75' in page
    assert 'gateway_cost_usd_total{backend="local"} 0.0' in page
    assert 'gateway_cost_usd_total{backend="other"} 1.0' in page
    assert 'gateway_unpriced_answers_total{backend="large"} 1.0' in page
    assert "gateway_all_remote_usd_total 2.5" in page


def test_what_was_not_answered_costs_nothing_and_is_not_unpriced() -> None:
    metrics = Metrics(version="1", backends=["large"])
    metrics.count(Outcome("r", "t", False, "refused", zone="local", backend="large"))
    page = metrics.render()[0].decode()
    assert "gateway_cost_usd_total{" not in page
    assert "gateway_unpriced_answers_total{" not in page


def test_drafts_are_counted_by_what_became_of_them_and_only_those_thrown_away_cost_tokens() -> None:
    metrics = Metrics(version="1")
    for end, tokens in (("given", 0), ("left", 24), ("left", 7), ("", 0)):
        metrics.count(Outcome("r", "t", False, "ok", draft=end, draft_tokens=tokens, draft_ms=250.0))
    page = metrics.render()[0].decode()
    assert 'gateway_drafts_total{end="given"} 1.0' in page
    assert 'gateway_drafts_total{end="left"} 2.0' in page
    assert "gateway_draft_tokens_total 31.0" in page
    assert "gateway_draft_seconds_sum 0.75" in page

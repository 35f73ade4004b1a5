"""Numbers for Prometheus, in a registry of their own, with labels that no client can multiply."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.core.errors import GatewayError
from gateway.core.records import Outcome
from gateway.core.types import Zone
from gateway.telemetry.each import Each, Readings
from gateway.telemetry.labels import Label, without_others

_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
_STEP_S = (0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
_SURPRISE_NATS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
_STEPS = {
    "detect": "Finding what is sensitive",
    "score": "Scoring whether going out would help",
    "decide": "Evaluating the policy",
    "audit": "Waiting for records to be durable",
}


class _OfZone(NamedTuple):
    """The children of one zone."""

    seconds: Histogram
    first: Histogram
    prompt: Counter
    completion: Counter
    sent: Counter


class _Money(NamedTuple):
    """The children of one backend."""

    cost: Counter
    unpriced: Counter


class Metrics:
    """Counts outcomes and holds the gauges that other parts read out of themselves.

    Backends, rules and kinds come from the configuration: `know` them, whatever else turns up counts as `other`.
    """

    def __init__(
        self, *, version: str, backends: Iterable[str] = (), rules: Iterable[str] = (), kinds: Iterable[str] = ()
    ) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._zone = Label(zone.word for zone in Zone)
        self._outcome = Label(["ok", "cached", "refused", "error", "client_closed"])
        self._cache_state = Label(["hit", "miss", "off"])
        self._shadow_result = Label(["measured", "failed", "refused", "not_permitted", "over_budget", "dropped"])
        self._draft_end = Label(["given", "left"])
        self._error = Label(kind.__name__ for kind in _family(GatewayError))
        self._backend, self._rule, self._kind = Label(backends), Label(rules), Label(kinds)
        self._define_request_metrics()
        self._define_operating_metrics(version)

    def _define_request_metrics(self) -> None:
        self._requests = self._counter("requests", "Requests that ended", "zone", "backend", "rule", "outcome")
        self._seconds = self._histogram("request_seconds", "Receipt to the end of the answer", _REQUEST_S, "zone")
        self._first = self._histogram("first_chunk_seconds", "Receipt to the first piece", _REQUEST_S, "zone")
        self._tokens = self._counter("tokens", "Tokens", "direction", "zone")
        self._cached = self._counter("cache", "Answers looked for in the cache", "state")
        self._findings = self._counter("findings", "Requests that hold at least one finding of this kind", "kind")
        self._errors = self._counter("request_errors", "Requests that ended with this class of error", "error")
        self._sent = self._counter("egress_attempts", "Times that something was sent off this host", "zone")
        self._replaced = self._counter("values_replaced", "Values that a transform replaced in what was sent")
        self._unrestored = self._counter(
            "placeholders_unrestored", "Placeholders that came back so changed that no value could be put for them"
        )
        self._surprise = self._histogram(
            # Minus the logprob, because a histogram of negative numbers has no sum.
            "surprise_nats",
            "Mean of minus the chosen tokens' logprobs, for each answer that the local model worked for",
            _SURPRISE_NATS,
            "backend",
        )
        self._cost = self._counter("cost_usd", "What answers cost, in US dollars", "backend")
        self._all_remote = self._counter("all_remote_usd", "What the same answers would have cost outside")
        self._unpriced = self._counter("unpriced_answers", "Answers whose price is not known", "backend")
        self._drafts = self._counter("drafts", "Local answers that began unseen", "end")
        self._draft_tokens = self._counter("draft_tokens", "Tokens of those that were left")
        self._draft_seconds = self._histogram("draft_seconds", "How long they were held back", _REQUEST_S)
        self._steps = {step: self._histogram(f"{step}_seconds", meaning, _STEP_S) for step, meaning in _STEPS.items()}
        # `labels()` costs more than counting, so each combination is looked up once.
        self._by_request: dict[tuple[str, str, str, str], Counter] = {}
        self._by_zone: dict[str, _OfZone] = {}
        self._by_backend: dict[str, _Money] = {}

    def _define_operating_metrics(self, version: str) -> None:
        self._backend_errors = self._counter("backend_errors", "Failed attempts at a backend", "backend", "error")
        self._reloads = self._counter("policy_reloads", "Policy files read", "result")
        self._shadows = self._counter("shadows", "Answers made here that were to be compared with others", "result")
        self._observer_failures = self._counter("observer_failures", "Outcomes that could not be reported")
        self._gauge("build_info", "The release that runs", "version").labels(version).set(1)
        ProcessCollector(registry=self._registry)

    def know(self, *, backends: Iterable[str] = (), rules: Iterable[str] = (), kinds: Iterable[str] = ()) -> None:
        """Names that may be labels from now on, after a reload."""
        self._backend.know(backends)
        self._rule.know(rules)
        self._kind.know(kinds)
        # A name that was `other` until now gets its own line from the next request on.
        self._by_request.clear()
        self._by_backend.clear()

    def count(self, outcome: Outcome) -> None:
        zone = self._of_zone(outcome.zone)
        self._request(outcome).inc()
        zone.seconds.observe(outcome.total_ms / 1000)
        if outcome.first_ms is not None:
            zone.first.observe(outcome.first_ms / 1000)
        zone.prompt.inc(outcome.prompt_tokens)
        zone.completion.inc(outcome.completion_tokens)
        if outcome.attempts:
            zone.sent.inc(outcome.attempts)
        if outcome.replaced:
            self._replaced.inc(outcome.replaced)
        if outcome.unrestored:
            self._unrestored.inc(outcome.unrestored)
        if outcome.confidence is not None:
            self._surprise.labels(self._backend(outcome.backend)).observe(-outcome.confidence.mean_logprob)
        if outcome.draft:
            self._drafts.labels(self._draft_end(outcome.draft)).inc()
            self._draft_tokens.inc(outcome.draft_tokens)
            self._draft_seconds.observe(outcome.draft_ms / 1000)
        self._cached.labels(self._cache_state(outcome.cache)).inc()
        if outcome.first_ms is not None:
            self._charge(outcome)
        for kind in outcome.kinds:
            self._findings.labels(self._kind(kind)).inc()
        if outcome.error is not None:
            self._errors.labels(self._error(outcome.error)).inc()
        for step, ms in zip(
            self._steps.values(),
            (outcome.detect_ms, outcome.score_ms, outcome.decide_ms, outcome.audit_ms),
            strict=True,
        ):
            step.observe(ms / 1000)

    def shadowed(self, result: str, outcome: Outcome | None) -> None:
        """A request of the gateway's own: what it sent and cost counts, it itself is no request of anybody's."""
        self._shadows.labels(self._shadow_result(result)).inc()
        if outcome is not None:
            self._of_zone(outcome.zone).sent.inc(outcome.attempts)
            if outcome.cost_usd:
                self._cost.labels(self._backend(outcome.backend)).inc(outcome.cost_usd)

    def backend_failed(self, backend: str, error: BaseException) -> None:
        self._backend_errors.labels(self._backend(backend), self._error(type(error).__name__)).inc()

    def policy_reloaded(self, *, accepted: bool) -> None:
        self._reloads.labels("accepted" if accepted else "refused").inc()

    def observer_failed(self) -> None:
        self._observer_failures.inc()

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """A gauge that is read when Prometheus asks: `watch("audit_lag_seconds", "…", sink.lag)`."""

        def guarded() -> float:
            try:
                return float(read())
            except Exception:  # noqa: BLE001  one part that cannot tell must not hide all the others
                return math.nan

        self._gauge(name, meaning).set_function(guarded)

    def watch_each(self, name: str, meaning: str, labels: Sequence[str], read: Callable[[], Readings]) -> None:
        """A gauge with labels that is read when Prometheus asks. `read` sees to it that there are not too many."""
        self._registry.register(Each(f"gateway_{name}", meaning, labels, read))

    def render(self, tenant: str | None = None) -> tuple[bytes, str]:
        """The page and its content type. With a tenant: without the lines that name another one."""
        page = generate_latest(self._registry)
        return page if tenant is None else without_others(page, tenant), CONTENT_TYPE_LATEST

    def _request(self, outcome: Outcome) -> Counter:
        named = (outcome.zone, outcome.backend, outcome.rule, outcome.outcome)
        child = self._by_request.get(named)
        if child is None:
            zone, backend, rule, how = named
            labels = self._zone(zone), self._backend(backend), self._rule(rule), self._outcome(how)
            child = self._requests.labels(*labels)
            if labels == named:  # only names that are known are kept: the table is as bounded as the labels
                self._by_request[named] = child
        return child

    def _charge(self, outcome: Outcome) -> None:
        money = self._by_backend.get(outcome.backend)
        if money is None:
            word = self._backend(outcome.backend)
            money = _Money(self._cost.labels(word), self._unpriced.labels(word))
            if word == outcome.backend:
                self._by_backend[word] = money
        if outcome.cost_usd is None:
            money.unpriced.inc()
        else:
            money.cost.inc(outcome.cost_usd)
        if outcome.all_remote_usd is not None:
            self._all_remote.inc(outcome.all_remote_usd)

    def _of_zone(self, zone: str) -> _OfZone:
        word = self._zone(zone)
        children = self._by_zone.get(word)
        if children is None:
            children = self._by_zone[word] = _OfZone(
                seconds=self._seconds.labels(word),
                first=self._first.labels(word),
                prompt=self._tokens.labels("prompt", word),
                completion=self._tokens.labels("completion", word),
                sent=self._sent.labels(word),
            )
        return children

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, namespace="gateway", registry=self._registry)

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(name, meaning, labels, namespace="gateway", registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, namespace="gateway", buckets=buckets, registry=self._registry)


def _family(kind: type[GatewayError]) -> list[type[GatewayError]]:
    return [kind, *(descendant for child in kind.__subclasses__() for descendant in _family(child))]

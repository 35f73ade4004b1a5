"""Every object of a gateway, made from its settings. All of them are there before the first one runs."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from gateway.api.app import App
from gateway.audit.record import canonical_request
from gateway.cache import SingleFlight
from gateway.core.parts import Parts
from gateway.core.ports import Cascade, LocalBackend, Scorer, Traffic
from gateway.core.types import BackendSpec
from gateway.policy.source import FilePolicySource
from gateway.settings import Settings
from gateway.shadow.worker import Shadow
from gateway.telemetry import Metrics, TelemetryObserver
from gateway.traffic import RollingTraffic
from gateway.transform import Guard
from gateway.wiring.backends import Remotes, build_remotes
from gateway.wiring.calibration import build_calibration
from gateway.wiring.cascade import build_cascade
from gateway.wiring.detection import build_detector, build_stack
from gateway.wiring.edge import build_app
from gateway.wiring.local import build_local, local_spec
from gateway.wiring.measures import build_metrics
from gateway.wiring.places import Places, places, secret
from gateway.wiring.policies import vocabulary
from gateway.wiring.readiness import build_health
from gateway.wiring.records import facts
from gateway.wiring.scoring import build_scorer, build_scoring
from gateway.wiring.shadow import build_shadow
from gateway.wiring.shares import watch_shares
from gateway.wiring.spending import build_prices
from gateway.wiring.stores import Stores, open_stores
from gateway.wiring.traffic import KeptTraffic, scores_by
from gateway.wiring.transforms import build_transforms
from gateway.wiring.warming import Warming


@dataclass(frozen=True, slots=True)
class Ends:
    """Who may answer: the model on this host, and everything off it."""

    local: LocalBackend | None
    remotes: Remotes
    specs: Sequence[BackendSpec]
    """The local one first."""


@dataclass(frozen=True, slots=True)
class Built:
    """A gateway whose objects are all there and of which nothing runs yet."""

    app: App
    where: Places
    ends: Ends
    policies: FilePolicySource
    pack: str
    """What the detector is made of, for the record of a start."""
    stores: Stores
    metrics: Metrics
    warming: Warming
    shadow: Shadow | None
    kept_traffic: KeptTraffic
    warm_scorer: Callable[[], Coroutine[Any, Any, None]]


def build(settings: Settings, folder: Path, local: LocalBackend | None, stack: AsyncExitStack, log: Any) -> Built:
    """`stack` closes in the end what has to be closed. Raises ConfigurationError."""
    where = places(settings, folder)
    ends = _ends(settings, folder, local, stack, log)
    found = build_stack(settings, folder, where.packs, ends.local, stack)
    calibrated = settings.score.calibration is not None
    policies = FilePolicySource(where.policy, ends.specs, vocabulary(found, calibrated))
    detector = build_detector(found, lambda: policies.current().own, stack)
    stores = open_stores(settings, where, stack, log)
    metrics = build_metrics(ends.specs, policies.current(), found.kinds, stores.audit, stores.taints, ends.local)
    scoring = _scoring(settings, folder, ends, metrics)
    warming = Warming(ends.remotes.litellm, log)
    parts = Parts(
        detector=detector,
        scorer=scoring.scorer,
        policies=policies,
        local=ends.local,
        remotes=ends.remotes.backends,
        audit=stores.audit,
        observer=TelemetryObserver(metrics, log),
        cache=stores.cache_in_use,
        flight=SingleFlight(),
        cache_key=stores.cache_key,
        canonical=canonical_request,
        facts=facts,
        transforms=build_transforms(detector, ends.local, secret(where.keys / "placeholders.key")),
        taints=stores.taints,
        guard=Guard(detector),
        traffic=scoring.traffic,
        cascade=scoring.cascade,
        prices=build_prices(settings),
    )
    health = build_health(policies, stores, ends.local, ends.remotes, warming)
    pseudonym = partial(stores.audit.pseudonym, "tenant")
    kept = KeptTraffic(scoring.rolling, where.audit, scoring.made_by, pseudonym, log)
    shadow = build_shadow(settings, folder, parts, metrics, log, pseudonym)
    app = build_app(settings, replace(parts, shadow=shadow), ends.specs, metrics, health, log)
    return Built(app, where, ends, policies, detector.pack, stores, metrics, warming, shadow, kept, scoring.warm)


def _ends(settings: Settings, folder: Path, local: LocalBackend | None, stack: AsyncExitStack, log: Any) -> Ends:
    remotes = build_remotes(settings, folder)
    for backend in remotes.backends.values():
        if (close := getattr(backend, "aclose", None)) is not None:
            stack.push_async_callback(close)
    local = local or build_local(settings, folder, log)
    return Ends(local, remotes, [local_spec(local), *(backend.spec for backend in remotes.backends.values())])


@dataclass(frozen=True, slots=True)
class _Scoring:
    """What says how hard a request is, where it stands among others, and what a draft would show."""

    scorer: Scorer
    traffic: Traffic
    rolling: RollingTraffic
    """The same, less what keeps conversations on their side."""
    made_by: str
    """What the scores are made by."""
    cascade: Cascade | None
    warm: Callable[[], Coroutine[Any, Any, None]]
    """Loads the scorer's weights beside the first requests."""


def _scoring(settings: Settings, folder: Path, ends: Ends, metrics: Metrics) -> _Scoring:
    calibration = build_calibration(settings, folder)
    traffic = RollingTraffic(calibration.quantiles if calibration else None)
    watch_shares(metrics, settings, traffic.shares)
    asked = build_scorer(ends.specs[0], settings.score, calibration, ends.local)
    scorer, staying = build_scoring(asked, traffic)
    cascade = build_cascade(settings, calibration)
    return _Scoring(scorer, staying, traffic, scores_by(settings, calibration), cascade, asked.warm)

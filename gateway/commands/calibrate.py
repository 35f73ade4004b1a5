"""`gateway calibrate`: ask the local model and a remote one what is known, and fit the scorer to how they did."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from gateway.commands.situation import Situation, situation
from gateway.core.errors import ConfigurationError
from gateway.core.naming import LOCAL
from gateway.core.types import BackendSpec, Principal, Zone

if TYPE_CHECKING:
    from gateway.calibrate.probes import Probe
    from gateway.commands.calibration_run import Result
    from gateway.core.ports import LocalBackend
    from gateway.score.calibration import Pins


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is known before anything is asked."""

    here: Situation
    probes: tuple[Probe, ...]
    against: BackendSpec
    judge: BackendSpec | None
    caller: Principal
    pins: Pins
    out: Path
    max_tokens: int
    remote_max_tokens: int
    at_once: int
    fresh: bool

    @property
    def journal(self) -> Path:
        return self.out.with_suffix(".journal.jsonl")


def run(args: argparse.Namespace) -> int:
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")  # small matrices: several threads only wait for each other
    plan = plan_of(args)
    _consent(plan, yes=args.yes)
    _set_up(plan.here)
    from gateway.commands.calibration_run import calibrate
    from gateway.setup.screen import Screen
    from gateway.telemetry import configure_logging

    configure_logging("error", "console")
    screen = Screen(sys.stderr)
    result = anyio.run(calibrate, plan, _local(plan.here), screen.progress)
    return conclude(plan, result, screen.report, as_json=args.json)


def conclude(plan: Plan, result: Result, report: Callable[[str], None], *, as_json: bool) -> int:
    """Say what was found, and write it where it is worth anything. The exit code."""
    report(f"the answers are kept in {str(plan.journal)!r} (they hold text); records in {str(result.audit)!r}")
    print(json.dumps(result.as_json(), indent=2) if as_json else "\n".join(result.lines()))
    if result.made.calibration is None:
        report(f"gateway calibrate: {result.made.why}")
        return 1
    from gateway.score.calibration import write

    write(result.made.calibration, plan.out)
    report(f"written to {str(plan.out)!r}; put it in force with `score: {{calibration: {plan.out.name}}}`")
    return 0


def plan_of(args: argparse.Namespace) -> Plan:
    """Raises ConfigurationError for whatever cannot be done, before anything is asked."""
    from gateway.calibrate.label import may_label, refusal
    from gateway.calibrate.prior import scorer_digest
    from gateway.wiring.calibration import pins

    for name in ("count", "max_tokens", "remote_max_tokens", "at_once"):
        if getattr(args, name) < 1:
            raise ConfigurationError(f"--{name.replace('_', '-')} is {getattr(args, name)}; it must be at least 1")
    here = situation(args)
    against = _against(args.against, here)
    judge = None if args.judge is None else _named("--judge", args.judge, here)
    _check_local(args.backend, here)
    probes = _probes(args, here)
    if judge is not None and not may_label(judge):
        raise ConfigurationError(refusal(judge, "it cannot judge answers"))
    if not any(probe.check for probe in probes) and not may_label(against):
        raise ConfigurationError(refusal(against, "its answers cannot be used as labels, and no probe has a gold one"))
    return Plan(
        here=here,
        probes=probes,
        against=against,
        judge=judge,
        caller=Principal(args.tenant, "calibrate", frozenset(args.roles), frozenset(args.tags), args.public,
                         args.purpose),
        pins=pins(here.settings, here.folder, scorer_digest()),
        out=(Path.cwd() / args.out) if args.out else here.folder / "calibration.json",
        max_tokens=args.max_tokens,
        remote_max_tokens=args.remote_max_tokens,
        at_once=args.at_once,
        fresh=args.fresh,
    )  # fmt: skip


def _probes(args: argparse.Namespace, here: Situation) -> tuple[Probe, ...]:
    from gateway.calibrate.choose import choose, weights_of
    from gateway.calibrate.probes import load

    weights = None
    if args.from_audit:
        from gateway.audit.show import Wanted, records
        from gateway.wiring.places import audit_places

        folder = audit_places(here.settings, here.folder)[0]
        weights = weights_of(records(folder, Wanted(event="decided")))
        if not weights:
            raise ConfigurationError(
                f"the audit log in {str(folder)!r} holds no request with a task family and a language to weigh by"
            )
    return choose(load(args.probes), args.count, weights)


def _check_local(name: str, here: Situation) -> None:
    from gateway.wiring.backends import names

    if here.settings.local.engine == "off":
        raise ConfigurationError("local.engine is off: there is no local model to calibrate")
    meaning = names(here.settings, here.specs[0], here.specs[1:])
    if meaning.get(name) != LOCAL:
        raise ConfigurationError(
            f"--backend {name!r} is not the local model; the scorer chooses between that ({here.specs[0].model!r}) and "
            "what stands outside, so it alone can be calibrated"
        )


def _against(name: str | None, here: Situation) -> BackendSpec:
    if name is not None:
        return _named("--against", name, here)
    outside = [spec.name for spec in here.specs if spec.zone is not Zone.LOCAL]
    if not outside:
        raise ConfigurationError("no backend outside is configured, so there is nothing to calibrate against")
    return _named("--against", outside[0], here)


def _named(option: str, name: str, here: Situation) -> BackendSpec:
    """A backend outside that really answers."""
    from gateway.settings import read_key
    from gateway.wiring.backends import configured

    outside = {spec.name: spec for spec in here.specs if spec.zone is not Zone.LOCAL}
    name = here.settings.aliases.get(name, name)
    if name not in outside:
        known = ", ".join(map(repr, outside)) or "none is configured"
        raise ConfigurationError(f"{option} {name!r} is no backend outside; there are: {known}")
    backend = next(each for each in configured(here.settings) if each.name == name)
    if backend.wire == "canned" or (backend.api_key_env and read_key(backend, here.folder) is None):
        raise ConfigurationError(
            f"backend {name!r} is played by a stand-in, because its key is not set: it would be measured instead"
        )
    return outside[name]


def _consent(plan: Plan, *, yes: bool) -> None:
    from gateway.calibrate.cost import cost
    from gateway.calibrate.made import LEAST
    from gateway.wiring.spending import build_prices

    prices = build_prices(plan.here.settings)
    told = [cost(plan.probes, plan.against, prices, plan.remote_max_tokens)]
    open_ = [probe for probe in plan.probes if probe.check is None]
    if plan.judge is not None and open_:
        # A judge reads the question, an answer and what it is told to do, and writes a number.
        more = plan.remote_max_tokens + 100
        told.append(cost(open_, plan.judge, prices, more, times=2))
    print(f"{plan.here.specs[0].model}: {len(plan.probes)} probes on this host", file=sys.stderr)
    for each in told:
        print(each, file=sys.stderr)
    if len(plan.probes) < LEAST:
        print(f"{len(plan.probes)} probes are too few for a calibration, which takes {LEAST}: this is a trial run",
              file=sys.stderr)  # fmt: skip
    print("what was answered in an earlier run is not asked again", file=sys.stderr)
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigurationError("nothing was asked yet; say --yes to go on without being asked")
    if input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise KeyboardInterrupt


def _set_up(here: Situation) -> None:
    if here.settings.local.engine == "llama":
        from gateway.setup.ready import ensure_ready
        from gateway.setup.screen import Screen

        screen = Screen(sys.stderr)
        ensure_ready(here.settings.local.model, screen.report, screen.progress)


def _local(here: Situation) -> LocalBackend:
    import structlog

    from gateway.wiring.local import build_local

    local = build_local(here.settings, here.folder, structlog.get_logger())
    assert local is not None  # `_check_local`: it is not off
    return local


def answers_key(spec: BackendSpec, policy: str, caller: Principal) -> str:
    """All that an answer through the line depends on: the backend, the policy, and who asks."""
    rights = [caller.tenant, sorted(caller.roles), sorted(caller.tags), caller.public, caller.purpose]
    return hashlib.sha256(json.dumps([spec.digest, policy, rights]).encode()).hexdigest()[:16]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

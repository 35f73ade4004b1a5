"""`gateway why REQUEST_ID`: what was decided, and the decision made again from the recorded facts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gateway.commands.serve import config_file
from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec, Json
from gateway.settings import Settings, load_settings


def run(args: argparse.Namespace) -> int:
    from gateway.audit.lookup import find
    from gateway.wiring.places import audit_places, keys_beside

    settings, folder = load_settings(config_file(args.config))
    directory, keys = audit_places(settings, folder)
    if args.dir:
        directory, keys = args.dir, keys_beside(args.dir)
    if not directory.is_dir():
        raise ConfigurationError(f"there is no audit folder {str(directory)!r}; name it with --dir")
    trail = find(directory, args.request)
    if trail is None or trail.decided is None:
        raise ConfigurationError(f"the audit log in {str(directory)!r} has no decision about request {args.request!r}")
    again, note = _again(trail.decided, directory, keys, settings, folder)
    attempts = [attempt["facts"] for attempt in trail.attempts]
    outcome = trail.outcome["facts"] if trail.outcome else None
    told: dict[str, Json] = {
        "request_id": args.request,
        "time": trail.decided["ts"],
        "decided": trail.decided["facts"]["decision"],
        "instead_of": trail.decided["facts"].get("instead_of"),
        "draft": _draft(trail.decided["facts"], trail.before),
        "again": again,
        "agrees": None if again is None else _agree(trail.decided["facts"]["decision"], again),
        "note": note,
        "attempts": attempts,
        "left": left(attempts, outcome),
        "outcome": outcome,
        "log": _verified(directory),
    }
    if args.json or not sys.stdout.isatty():
        print(json.dumps(told, indent=2))
    else:
        print("\n".join(_lines(told)))
    return 0


def _again(
    record: Mapping[str, Any], directory: Path, keys: Path, settings: Settings, folder: Path
) -> tuple[dict[str, Json] | None, str]:
    """The decision by the policy that was in force, if its copy lies beside the log and is what it was."""
    from gateway.policy.explain import decision_to_json
    from gateway.policy.load import load_policy
    from gateway.policy.replay import replay
    from gateway.shadow.narrow import as_decided
    from gateway.wiring.catalogue import planned_specs

    facts, decided = record["facts"], record["facts"]["decision"]
    kept = directory / "policies" / f"{decided['policy_digest']}.yaml"
    if not kept.is_file():
        return None, "the policy that was in force is not kept beside the log, so it cannot be decided again"
    specs = planned_specs(settings, folder)
    policy = load_policy(kept, specs)
    if policy.digest != decided["policy_digest"]:
        return None, "the copy of the policy beside the log is not the policy that was in force"
    tenant, note = _tenant(record["tenant"], keys, settings)
    notes = [text for text in (note, _changed(decided, specs)) if text]
    again = as_decided(replay(policy, {**facts, "tenant": tenant}), facts)
    return decision_to_json(again), "; ".join(notes)


def _draft(facts: Mapping[str, Any], before: Mapping[str, Any] | None) -> dict[str, Json] | None:
    """What the local model's first tokens changed, where it was decided on them."""
    if not facts.get("drafted") or before is None:
        return None
    first = before["facts"]
    return {
        **facts.get("draft", {}),
        "gain": facts["gain"],
        "before": {"gain": first["gain"], "zone": first["decision"]["zone"], "rule": first["decision"]["rule"]},
    }


def _changed(decided: Mapping[str, Any], specs: Sequence[BackendSpec]) -> str:
    """Deciding again looks at today's backends: say where the one decided for is not what it was."""
    spec = next((spec for spec in specs if spec.name == decided["backend"]), None)
    if spec is None:
        return f"backend {decided['backend']!r} is not in this configuration any more"
    if spec.digest and spec.digest != decided["backend_digest"]:
        return f"backend {decided['backend']!r} was defined differently then"
    return ""


def _tenant(pseudonym: str | None, keys: Path, settings: Settings) -> tuple[str, str]:
    """The tenant behind the pseudonym: the operator's keys tell, an outsider's copy does not."""
    from gateway.audit.keys import Keys

    names = {"default", *(key.tenant for key in settings.auth.keys)}
    try:
        own = Keys.load(keys)
    except ConfigurationError:
        return "default", "without the log's keys the tenant is unknown; rules on tenants were not replayed"
    found = next((name for name in sorted(names) if own.pseudonym("tenant", name) == pseudonym), None)
    if found is None:
        return "default", "the tenant is not in this configuration; rules on tenants were not replayed"
    return found, ""


def _verified(directory: Path) -> str:
    """What is told is worth as much as the log it comes from."""
    from gateway.audit.verify import verify

    try:
        result = verify(directory)
    except ConfigurationError as error:
        return f"NOT VERIFIED - {error}"
    return str(result) if result.ok else f"DO NOT TRUST THIS - {result}"


def _agree(decided: Mapping[str, Any], again: Mapping[str, Any]) -> bool:
    # Records made before there were transforms or adapters do not name one.
    names = ("level", "zone", "backend", "rule", "refusal", "transform", "adapter")
    return all(decided.get(name) == again[name] for name in names)


def _lines(told: Mapping[str, Any]) -> list[str]:
    decided = told["decided"]
    verdict = {True: "deciding again gives the same", False: "DECIDING AGAIN GIVES SOMETHING ELSE", None: told["note"]}
    lines = [
        f"{told['time']}  {told['request_id']}",
        f"  left this host: {told['left']}",
        f"  {decided['level']} → {decided['zone']} ({decided['backend']}) by rule {decided['rule']}",
        *_instead(told["instead_of"]),
        *_drafted(told["draft"]),
        *([f"  with adapter {decided['adapter']}"] if decided.get("adapter") else []),
        *(f"  {reason}" for reason in decided["reasons"]),
        f"  {verdict[told['agrees']]}",
        *([f"  {told['note']}"] if told["note"] and told["agrees"] is not None else []),
    ]
    if told["outcome"]:
        lines.append(f"  ended: {told['outcome']['outcome']}, answered by {told['outcome']['backend']}")
    return [*lines, f"  the log: {told['log']}"]


def _instead(digest: str | None) -> list[str]:
    if digest is None:
        return []
    return [f"  decided before by policy {digest}, which was replaced while the request waited"]


def _drafted(draft: Mapping[str, Any] | None) -> list[str]:
    if draft is None:
        return []
    before = draft["before"]
    return [
        f"  first {before['zone']} by rule {before['rule']} at gain {before['gain']:.2f}; "
        f"{draft['tokens']} tokens of a local draft made it {draft['gain']:.2f}"
    ]


_UNSENT = frozenset({"audit_unavailable", "egress_denied", "upstream_unknown_model", "upstream_unreachable"})
"""How a backend's turn ended when not one byte went to it."""


def left(attempts: Sequence[Mapping[str, Any]], outcome: Mapping[str, Any] | None) -> str:
    """One sentence: did anything leave, where to, and what came of it."""
    ended = dict(outcome.get("tried") or ()) if outcome else {}
    told = [_way(attempt, ended.get(attempt["backend"], "not known")) for attempt in attempts]
    if not told:
        return "no"
    gone = any(attempt["wire"] != "canned" and ended.get(attempt["backend"]) not in _UNSENT for attempt in attempts)
    return f"{'yes' if gone else 'no'} - {'; '.join(told)}"


def _way(attempt: Mapping[str, Any], ended: str) -> str:
    name = f"{attempt['backend']} ({attempt['host'] or attempt['zone']}, zone {attempt['zone']})"
    if attempt["wire"] == "canned":
        return f"a stand-in played {name}: nothing was sent"
    if ended in _UNSENT:
        return f"{name} was not reached: nothing was sent"
    return f"sent to {name}: {ended}"

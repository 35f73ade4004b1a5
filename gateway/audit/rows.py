"""How a record looks to an auditor: one line that says what was decided, what was sent where, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import orjson

from gateway.core.types import Json

Facts = Mapping[str, Json]

_WIDTH = 60


def left(record: Mapping[str, Json]) -> bool:
    """An attempt that was made over a network. What a stand-in plays goes nowhere."""
    return record.get("event") == "attempt" and _facts(record).get("wire") != "canned"


def table(shown: Iterable[Mapping[str, Json]]) -> Iterator[str]:
    """One line a record, for a terminal."""
    yield f"{'seq':>8}  {'time':24}  {'event':10}  {'request':24}  what"
    for record in shown:
        yield row(record)


def row(record: Mapping[str, Json]) -> str:
    seq, ts, event, request = (str(record.get(key) or "-") for key in ("seq", "ts", "event", "request_id"))
    told = _TOLD.get(event, _listed)(_facts(record))
    return _printable(f"{seq:>8}  {ts:24}  {event:10}  {request:24}  {told}")


def _facts(record: Mapping[str, Json]) -> Facts:
    facts = record.get("facts")
    return facts if isinstance(facts, dict) else {}


def _decided(facts: Facts) -> str:
    decision = facts.get("decision")
    if not isinstance(decision, dict):
        return _listed(facts)
    level, zone, backend, rule = (decision.get(key) for key in ("level", "zone", "backend", "rule"))
    told = f"{level} → {zone} ({backend}) by rule {rule}"
    told += "; on a local draft" if facts.get("drafted") is True else ""
    told += "; anew, by the policy now in force" if facts.get("instead_of") else ""
    findings = facts.get("findings")
    kinds = Counter(
        str(finding.get("kind"))
        for finding in (findings if isinstance(findings, list) else ())
        if isinstance(finding, dict)
    )
    if kinds:
        told += "; found " + ", ".join(f"{kind} ×{count}" for kind, count in sorted(kinds.items()))
    return told + (f"; refused: {decision['refusal']}" if decision.get("refusal") else "")


def _attempt(facts: Facts) -> str:
    if facts.get("wire") == "canned":
        return f"a stand-in played {facts.get('backend')}, nothing sent"
    return f"released to {facts.get('backend')} ({facts.get('host') or facts.get('zone')})"


def _outcome(facts: Facts) -> str:
    parts = [str(facts.get("outcome"))]
    if facts.get("error"):
        parts.append(str(facts["error"]))
    if facts.get("backend"):
        parts.append(f"by {facts['backend']}")
    if facts.get("prompt_tokens") or facts.get("completion_tokens"):
        parts.append(f"{facts.get('prompt_tokens')} + {facts.get('completion_tokens')} tokens")
    return ", ".join(parts)


def _listed(facts: Facts) -> str:
    return " ".join(f"{key}={_short(value)}" for key, value in facts.items())


_TOLD: Mapping[str, Callable[[Facts], str]] = {"decided": _decided, "attempt": _attempt, "outcome": _outcome}


def _short(value: Json) -> str:
    if isinstance(value, list | dict) and len(value) > 3:
        return f"[{len(value)}]"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def _printable(text: str) -> str:
    """Request ids come from clients: nothing in them may steer the reader's terminal."""
    return "".join(character if character.isprintable() else "·" for character in text)

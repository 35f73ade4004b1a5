"""`gateway explain`: decide about one request without answering it, and say why."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import anyio

from gateway.api.models import unknown_model
from gateway.api.schema import parse_body
from gateway.commands.situation import Situation, detecting, read_text, scoring, situation
from gateway.core.naming import LOCAL, meant
from gateway.core.types import Json, Principal, Request, Standing
from gateway.policy.targets import percent


def run(args: argparse.Namespace) -> int:
    here = situation(args)
    standing = Standing(args.rank, args.quality, args.share)
    explained = anyio.run(_explain, here, _request(args, here), standing)
    if args.json or not sys.stdout.isatty():
        print(json.dumps(explained, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_told(explained)))
    return 0


def _request(args: argparse.Namespace, here: Situation) -> Request:
    """A chat body as a client would send it, or plain text as its only message."""
    from gateway.wiring.backends import names

    text = read_text()
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or "messages" not in given:
        given = {"messages": [{"role": "user", "content": text.strip()}]}
    given = {"model": "auto", **given, **({"model": args.model} if args.model else {})}
    body = parse_body(json.dumps(given).encode())
    meaning = names(here.settings, here.specs[0], here.specs[1:])
    if (means := meaning.get(body["model"])) is None:
        raise unknown_model(body["model"], meaning)
    model, adapter = meant(means)
    return Request(
        id="explain",
        principal=Principal(
            tenant=args.tenant,
            roles=frozenset(args.roles),
            tags=frozenset(args.tags),
            public=args.public,
            purpose=args.purpose,
        ),
        model=model,
        body=body,
        local_only=model == LOCAL,
        adapter=adapter,
        received_at=time.time(),
    )


async def _explain(here: Situation, request: Request, standing: Standing) -> dict[str, Json]:
    """`standing` is what only a running gateway knows: here it is taken for granted, or not known."""
    from gateway.core.assess import assess
    from gateway.policy.explain import explain
    from gateway.policy.load import load_policy
    from gateway.policy.route import route
    from gateway.wiring.spending import build_prices

    policy = load_policy(here.policy, here.specs)
    async with detecting(here, policy) as detector:
        assessment = await assess(detector, scoring(here), request, {})
    assessment = replace(assessment, rank=standing.rank, quality=standing.quality, share=standing.share)
    findings: list[Any] = [
        {
            "kind": finding.kind,
            "category": finding.category,
            "path": finding.place.path,
            "confidence": finding.confidence,
        }
        for finding in assessment.findings
    ]
    explained = explain(policy, request, assessment)
    told = route(request, assessment, policy.decide(request, assessment), here.specs, build_prices(here.settings))
    return {
        **explained["decision"],
        **{name: told[name] for name in ("kinds", "scores", "needs", "gates", "ways", "cost")},
        "gain": assessment.gain,
        "language": assessment.language,
        "tokens": assessment.tokens,
        "found": findings,
        "unreadable": [{"path": part.path, "reason": part.reason} for part in assessment.unreadable],
        **{name: explained[name] for name in ("policy", "permits", "forbids", "adapters")},
    }


def _told(explained: dict[str, Any]) -> list[str]:
    lines = [
        f"{explained['level']} → {explained['zone']} ({explained['backend']}) by rule {explained['rule']}",
        *_scored(explained),
        *_ways(explained),
        *(f"  found {finding['kind']} at {finding['path']}" for finding in explained["found"]),
        *(f"  cannot read {part['path']}: {part['reason']}" for part in explained["unreadable"]),
        # Permits and forbids follow, each in one line that says more than its reason does.
        *(f"  {reason}" for reason in explained["reasons"] if not reason.startswith(("permit ", "forbid "))),
    ]
    if explained["transform"]:
        lines.append(f"  goes out with {explained['transform']}: values are replaced before it leaves")
    if explained["refusal"]:
        lines.append(f"  refused ({explained['refusal']}): {explained['refusal_detail']}")
    lines.append(f"policy {explained['policy']['name']}")
    lines += [_permit(rule) for rule in explained["permits"]]
    lines += [_forbid(rule) for rule in explained["forbids"]]
    lines += [_adapter(rule) for rule in explained["adapters"]]
    return lines


def _scored(explained: dict[str, Any]) -> Iterator[str]:
    gain, scores = explained["gain"], explained["scores"]
    yield f"  gain {gain:.2f} (0.5 = a remote model makes no difference)" if gain is not None else "  gain unknown"
    if scores["local"] is not None and scores["remote"] is not None:
        yield f"  right here: {scores['local']:.0%}, right outside: {scores['remote']:.0%}; task {scores['family']}"
    if scores["competence"] is not None:
        yield f"  measured here: {scores['competence']:.0%} of such requests are answered well"
    yield f"  language {explained['language'] or 'unknown'}, about {explained['tokens']} tokens"
    yield from _stands(explained)
    for gate in explained["gates"]:
        lacks = [lack.replace("_", " ") for lack in gate["lacks"]]
        lacks += [] if gate["speaks"] else [f"language {explained['language']}"]
        if lacks:
            yield f"  {gate['backend']} {'lacks' if not gate['serves'] else 'does badly'}: {', '.join(lacks)}"


def _stands(explained: dict[str, Any]) -> Iterator[str]:
    """Where it stands among the tenant's recent requests, in words, or why that is not known, where a rule asks."""
    scores = explained["scores"]
    if scores["rank"] is not None:
        yield f"  harder than {percent(scores['rank'])} of the tenant's recent requests of its kind"
    if scores["quality"] is not None:
        yield f"  answered here with all that is easier: {percent(scores['quality'])} of the quality from outside"
    if scores["share"] is not None:
        yield f"  {percent(scores['share'])} of the tenant's recent requests went out"
    if set(_ASKED) & _fields(explained) and all(scores[name] is None for name in ("rank", "quality", "share")):
        yield "  a running gateway knows where it stands among others: ask its /v1/route, or give --rank and the like"


_ASKED = ("target", "rank", "share")
"""Conditions that look at the tenant's recent requests."""


def _fields(explained: dict[str, Any]) -> set[str]:
    rules = (*explained["permits"], *explained["forbids"], *explained["adapters"])
    return {condition["field"] for rule in rules for condition in rule["conditions"]}


def _ways(explained: dict[str, Any]) -> Iterator[str]:
    """What an answer would cost, where anybody knows, and which backends stand by."""
    cost = explained["cost"]
    if cost["usd"] is not None and cost["all_remote_usd"] is not None:
        length = f"for an answer of {cost['completion_tokens']} tokens"
        yield f"  about ${cost['usd']:.5f} {length}; outside ${cost['all_remote_usd']:.5f}"
    others = [f"{way['backend']} ({way['zone']})" for way in explained["ways"][1:]]
    if others:
        yield f"  if that fails: {', '.join(others)}"


def _permit(rule: dict[str, Any]) -> str:
    lacks = [_lack(condition) for condition in rule["conditions"] if condition["holds"] is not True]
    said = "; ".join(lacks)
    if rule["matched"]:
        said = "; ".join(["holds", *(condition["said"] for condition in rule["conditions"] if "said" in condition)])
    if "with" in rule and rule["demands"]:
        # That counts for its backends whether or not it holds for what was found.
        said += f"; demands {rule['with']} of what goes there"
    return f"  permit {rule['name']} to {rule['zone']}: {said}"


def _forbid(rule: dict[str, Any]) -> str:
    if not rule["matched"]:
        lacks = [_lack(condition) for condition in rule["conditions"] if condition["holds"] is False]
        return f"  forbid {rule['name']} from {rule['zone']}: does not apply; {'; '.join(lacks)}"
    doubts = [condition["field"] for condition in rule["conditions"] if condition["holds"] is None]
    why = f", because this is not known: {', '.join(doubts)}" if doubts else ""
    return f"  forbid {rule['name']} from {rule['zone']}: APPLIES{why}"


def _adapter(rule: dict[str, Any]) -> str:
    lacks = [_lack(condition) for condition in rule["conditions"] if condition["holds"] is not True]
    return f"  adapters {rule['name']} chooses {rule['adapter']}: {'holds' if rule['matched'] else '; '.join(lacks)}"


def _lack(condition: dict[str, Any]) -> str:
    if "said" in condition:
        return str(condition["said"])
    have = condition["have"]
    has = "that is not known" if condition["holds"] is None and have in (None, []) else f"has {_words(have)}"
    return f"{condition['field']} needs {_words(condition['want'])}, {has}"


def _words(value: Json) -> str:
    """A condition's value as a person would write it: `at most internal`, `any of health, special`."""
    if isinstance(value, dict):
        return " and ".join(f"{name.replace('_', ' ')} {_words(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    return "nothing" if value is None else str(value)

"""`gateway score`: how much a remote model would help, one JSON line per text or chat; with `--explain`, why."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import anyio

from gateway.commands.situation import chat_or_text, messages_of, rows, scoring, situation
from gateway.core.types import Principal, Request, Score


def run(args: argparse.Namespace) -> int:
    anyio.run(_score, args)
    return 0


async def _score(args: argparse.Namespace) -> None:
    from gateway.score.explain import explain

    args.policy = None
    scorer = scoring(situation(args))
    person = args.explain and sys.stdout.isatty() and not (args.json or args.jsonl)
    for row in rows(args) if args.jsonl else [chat_or_text() if args.explain else next(rows(args))]:
        request = Request("score", Principal(), "auto", {**row, "messages": messages_of(row)})
        began = time.perf_counter()
        score = await scorer.score(request)
        line = _told(row["id"], score, began)
        if args.explain:
            line |= {"local": score.local, "remote": score.remote, "competence": score.competence}
            line |= {"scorer": score.scorer, "explained": explain(scorer, request)}
        sys.stdout.write("\n".join(_lines(line)) + "\n" if person else json.dumps(line) + "\n")
        sys.stdout.flush()


def _told(name: Any, score: Score, began: float) -> dict[str, Any]:
    return {
        "id": name,
        "gain": score.gain,
        "confidence": score.confidence,
        "language": score.language,
        "needs": asdict(score.needs),
        "ms": round((time.perf_counter() - began) * 1000, 3),
    }


# ── For a person ────────────────────────────────────────────────────────────────────────────────────────────────────

_SHOWN = 12


def _lines(told: dict[str, Any]) -> Iterator[str]:
    made, lexical = told["explained"], told["explained"]["lexical"]
    gain = "unknown" if told["gain"] is None else f"{told['gain']:.2f}"
    yield f"gain {gain} (0.5 = a remote model makes no difference), confidence {told['confidence']:.2f}"
    if told["local"] is not None and told["remote"] is not None:
        yield f"  right here {told['local']:.0%}, right outside {told['remote']:.0%}"
    yield f"  scored by {told['scorer']} in {told['ms']} ms"
    yield f"  language {told['language'] or 'unknown'}, task {made['family']}"
    if made["easy"]:
        yield f"  an easy intent: {made['easy']}"
    needs = [name for name, needed in told["needs"].items() if needed is True]
    if needs:
        yield f"  needs {', '.join(needs)}"
    ask = made["ask"]
    yield f"  read: {ask['chars']} characters, {ask['code_chars']} of code, {ask['inherited']} earlier asks taken in"
    if told["competence"] is not None:
        yield f"  measured here: {told['competence']:.0%} of such requests are answered well"
    for name, value in made.items():
        if name not in {"ask", "cues", "language_confidence", "family", "easy", "lexical"}:
            yield f"  {name}: {json.dumps(value)}"
    yield f"lexical formula: gain {lexical['gain']:.2f}, here {lexical['local']:.2f}, outside {lexical['remote']:.2f}"
    yield f"  {'feature':14} {'value':>6} {'here':>7} {'outside':>8}   (logits; outside over here = out)"
    start = lexical["intercepts"]
    yield f"  {'(start)':14} {'':6} {start['local']:+7.2f} {start['remote']:+8.2f}"
    for feature in lexical["features"][:_SHOWN]:
        yield f"  {feature['name']:14} {feature['value']:6.2f} {feature['local']:+7.2f} {feature['remote']:+8.2f}"
    if len(lexical["features"]) > _SHOWN:
        yield f"  and {len(lexical['features']) - _SHOWN} more, which pull less"

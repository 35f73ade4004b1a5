"""`gateway score`: how much a remote model would help, one JSON line per text or chat."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict

import anyio

from gateway.commands.situation import messages_of, rows, situation
from gateway.core.types import Principal, Request


def run(args: argparse.Namespace) -> int:
    anyio.run(_score, args)
    return 0


async def _score(args: argparse.Namespace) -> None:
    from gateway.score.scorer import LexicalScorer

    args.policy = None
    scorer = LexicalScorer(situation(args).specs[0])
    for row in rows(args):
        body = {**row, "messages": messages_of(row)}
        began = time.perf_counter()
        score = await scorer.score(Request("score", Principal(), "auto", body))
        line = {
            "id": row["id"],
            "gain": score.gain,
            "confidence": score.confidence,
            "language": score.language,
            "needs": asdict(score.needs),
            "ms": round((time.perf_counter() - began) * 1000, 3),
        }
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

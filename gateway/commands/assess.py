"""`gateway assess`: what an operator's own labelled samples prove about the detectors under the policy in force."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from gateway.api.schema import parse_body
from gateway.commands.situation import Situation, detecting, scoring, situation
from gateway.core.errors import BadRequest, ConfigurationError
from gateway.core.types import Json, Zone

if TYPE_CHECKING:
    from gateway.assess.report import Report
    from gateway.assess.samples import Samples


def run(args: argparse.Namespace) -> int:
    from gateway.assess.report import table
    from gateway.assess.samples import read_samples

    here = situation(args)
    samples = read_samples(args.samples)
    for sample in samples.rows:
        _check_body(sample.line, sample.body)
    told = anyio.run(_assess, here, samples)
    if args.json:
        print(json.dumps(told.as_json(), indent=2, ensure_ascii=False))
    else:
        print("\n".join(table(told)))
    _keep(here, told)
    return 0


def _check_body(line: int, body: Mapping[str, Json]) -> None:
    """The line is checked as the gateway would check it, so that nothing is counted that would never be served."""
    try:
        parse_body(json.dumps({"model": "auto", **body}).encode())
    except BadRequest as error:
        raise ConfigurationError(f"line {line}: {error.param or 'messages'!r}: {error}") from None


async def _assess(here: Situation, samples: Samples) -> Report:
    from gateway.assess.judge import Judge
    from gateway.assess.report import report
    from gateway.policy.load import load_policy

    remotes = [spec.name for spec in here.specs if spec.zone is Zone.REMOTE]
    if not remotes:
        raise ConfigurationError("no backend outside is configured, so nothing can leave and nothing can be assessed")
    policy, now = load_policy(here.policy, here.specs), time.time()
    async with detecting(here, policy) as detector:
        judge = Judge(policy, detector, scoring(here), remotes, now)
        verdicts = [await judge.verdict(sample) for sample in samples.rows]
        facts = {
            "at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"),
            "policy": {"name": policy.name, "digest": policy.digest},
            "pack": detector.pack,
        }
    return report(verdicts, facts, repeated=samples.repeated)


def _keep(here: Situation, told: Report) -> None:
    """Beside the audit folder, for the console. There is no text in it."""
    from gateway.wiring.places import audit_places

    folder = audit_places(here.settings, here.folder)[0].parent / "assessed"
    file = folder / f"{told.facts['at'].replace(':', '').replace('+0000', 'Z')}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(file, json.dumps(told.as_json(), indent=1) + "\n")
    except OSError as error:
        raise ConfigurationError(f"the result cannot be kept in {str(folder)!r}: {error.strerror}") from None


def _write(file: Path, text: str) -> None:
    """Whole or not at all: the console reads this folder at any time."""
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)

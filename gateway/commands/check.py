"""`gateway check POLICY`: is it valid, can every rule apply, and do its cases come out as written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from gateway.commands.situation import Situation, detecting, situation
from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec

if TYPE_CHECKING:
    from gateway.detect.worded import Worded
    from gateway.policy.check import Report


_SETTINGS = frozenset({"server", "backends", "audit", "local", "policy"})
"""What stands in a configuration and in no policy."""


def run(args: argparse.Namespace) -> int:
    from gateway.policy.cases import CATALOGUE
    from gateway.policy.check import check_policy
    from gateway.wiring import find_policy

    args.policy = None
    here = situation(args)
    # Cases name the backends of the test catalogue unless a configuration is named that says which ones there are.
    specs = here.specs if args.config else CATALOGUE
    file = args.file if args.file.is_file() else find_policy(args.file, Path.cwd())
    if wrong := check_policy(file, specs).errors:
        raise ConfigurationError(_sentence(file, wrong))
    ok = anyio.run(_check, args, here, file, specs)
    print(f"{file}: {'ok' if ok else 'not ok'}")
    return 0 if ok else 1


async def _check(args: argparse.Namespace, here: Situation, file: Path, specs: Sequence[BackendSpec]) -> bool:
    """Against all that looks at a request in a gateway, the policy's own words included."""
    from gateway.detect.adapters.judge import KIND
    from gateway.policy.check import check_policy
    from gateway.policy.load import load_policy
    from gateway.wiring.policies import vocabulary

    async with detecting(here, load_policy(file, specs)) as detector:
        # Without a configuration nobody knows what the policy is for.
        words = vocabulary(detector, here.settings.score.calibration is not None if args.config else None)
        if here.settings.detect.judge is not None:  # it is not started here, and what it says is known all the same
            words = replace(words, kinds=words.kinds | {KIND})
        report = check_policy(file, specs, words)
        _tell(report)
        cases = args.cases or file.with_suffix(".cases.yaml")
        failed = await _run_cases(file, cases, detector, specs) if _wanted(args, cases) else 0
    return report.ok and not failed


def _tell(report: Report) -> None:
    for heading, sentences in (
        ("warning", report.warnings),
        ("unreachable", report.unreachable),
        ("never applies", report.never),
    ):
        for text in sentences:
            print(f"{heading}: {text}")


def _wanted(args: argparse.Namespace, cases: Path) -> bool:
    if cases.is_file():
        return True
    if args.cases:
        raise ConfigurationError(f"there is no cases file {str(cases)!r}")
    print(f"warning: no cases: {cases} does not exist; a policy without cases is a guess")
    return False


async def _run_cases(policy: Path, cases: Path, detector: Worded, specs: Sequence[BackendSpec]) -> int:
    from gateway.policy.cases import run_cases
    from gateway.score.scorer import EnsembleScorer

    results = await run_cases(policy, cases, detector=detector, scorer=EnsembleScorer(specs[0]), backends=specs)
    failed = [result for result in results if not result.passed]
    for result in failed:
        print(f"FAILED {result.note}")
        for difference in result.differences:
            print(f"    {difference}")
        for reason in result.decision.reasons if result.decision else ():
            print(f"    because {reason}")
    print(f"{len(results) - len(failed)} of {len(results)} cases pass")
    return len(failed)


def _sentence(path: Path, errors: Sequence[str]) -> str:
    if _is_configuration(path):
        return f"{path} is a configuration and no policy; check the file that its `policy: {{path: …}}` names"
    for error in errors[1:]:
        print(error, file=sys.stderr)
    return errors[0] if str(path) in errors[0] else f"{path}: {errors[0]}"


def _is_configuration(path: Path) -> bool:
    from gateway.policy import document

    with suppress(ConfigurationError):
        content = document.read(path)
        return isinstance(content, dict) and not _SETTINGS.isdisjoint(content)
    return False

"""`gateway selfcheck`: what would leave, tried with planted values and a provider on loopback."""

from __future__ import annotations

import argparse
import json
import sys

import anyio

from gateway.commands.situation import situation


def run(args: argparse.Namespace) -> int:
    from gateway.selfcheck import selfcheck, table
    from gateway.telemetry import configure_logging

    here = situation(args)
    policy = here.settings.policy.model_copy(update={"path": here.policy.resolve()})
    settings = here.settings.model_copy(update={"policy": policy})
    configure_logging("error", "console")
    result = anyio.run(lambda: selfcheck(settings, here.folder, with_model=args.with_model, seed=args.seed))
    if args.json:
        print(json.dumps(result.to_json()))
    else:
        sys.stdout.write(table(result))
    return 0 if result.ok else 1

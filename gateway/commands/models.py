"""`gateway models list|pull|verify|bench`: the local models of this machine."""

from __future__ import annotations

import argparse
import json
import sys

from gateway.core.errors import ConfigurationError


def run(args: argparse.Namespace) -> int:
    return {"list": _list, "pull": _pull, "verify": _verify, "bench": _bench}[args.action](args)


def _list(args: argparse.Namespace) -> int:
    from gateway.engine.files.catalogue import listing

    for model in listing():
        entry = {
            "id": model.id,
            "present": model.path is not None,
            "path": str(model.path) if model.path else None,
            "mb": round(model.size / 1_000_000, 1),
            "context": model.context,
            "languages": sorted(model.languages),
            "licence": model.licence,
        }
        if args.json or not sys.stdout.isatty():
            print(json.dumps(entry))
        else:
            languages = ", ".join(sorted(model.languages)) or "not stated"
            place = entry["path"] or f"not here: gateway models pull {model.id}"
            print(f"{model.id}  {entry['mb']} MB  {languages}  {model.licence}\n    {place}")
    return 0


def _pull(args: argparse.Namespace) -> int:
    from gateway.settings import language
    from gateway.setup.pull import Wanted, pull
    from gateway.setup.screen import Screen

    try:
        languages = tuple(language(code.strip()) for code in args.languages.split(",")) if args.languages else ()
    except ValueError as error:
        raise ConfigurationError(f"--languages: {error}") from None
    screen = Screen(sys.stderr)
    wanted = Wanted(
        args.source,
        sha256=args.sha256,
        name=args.name,
        languages=languages,
        context=args.context or 0,
    )
    model = pull(wanted, screen.report, screen.progress)
    print(model.id)
    print(f"use it with   local: {{model: {model.id}}}   in the configuration", file=sys.stderr)
    return 0


def _verify(args: argparse.Namespace) -> int:
    from gateway.engine.files.catalogue import find, listing, verify

    present = [model.id for model in listing() if model.path is not None]
    for name in [args.name] if args.name else present:
        model = find(name)
        try:
            digest = verify(model)
        except ConfigurationError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        print(f"{name}: {'ok' if model.sha256 else 'no digest to compare with; its sha256 is'} {digest}")
    return 0


def _bench(args: argparse.Namespace) -> int:
    from gateway.commands import bench

    return bench.run(args)

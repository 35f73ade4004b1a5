"""`gateway audit verify|show DIR`: check the evidence with the public key alone, or read it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from gateway.core.errors import ConfigurationError


def run(args: argparse.Namespace) -> int:
    if not args.dir.is_dir():
        raise ConfigurationError(f"there is no audit folder {str(args.dir)!r}")
    return _verify(args) if args.action == "verify" else _show(args)


def _verify(args: argparse.Namespace) -> int:
    from gateway.audit.verify import verify

    pem = None
    if args.public_key:
        try:
            pem = args.public_key.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"cannot read {str(args.public_key)!r}: {error.strerror}") from None
    result = verify(args.dir, pem)
    print(json.dumps(asdict(result)) if args.json else str(result))
    return result.exit_code


def _show(args: argparse.Namespace) -> int:
    from gateway.audit.show import Wanted, records, table

    shown = records(args.dir, Wanted(request=args.request, event=args.event), last=args.last)
    if args.json:
        for record in shown:
            print(json.dumps(record))
    else:
        for line in table(shown):
            print(line)
    return 0

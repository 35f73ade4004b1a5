"""`gateway audit verify|show DIR`: check the evidence with the public key alone, or read it."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.core.types import Json

_TIME = re.compile(r"^\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d(\.\d+)?)?)?)?)?)?$")


def run(args: argparse.Namespace) -> int:
    if not args.dir.is_dir():
        raise ConfigurationError(f"there is no audit folder {str(args.dir)!r}")
    return _verify(args) if args.action == "verify" else _show(args)


def _verify(args: argparse.Namespace) -> int:
    from gateway.audit.verify import verify

    result = verify(args.dir, _bytes(args.public_key), _bytes(args.checkpoint), _policy_digest)
    if args.json:
        print(json.dumps(asdict(result)))
    else:
        print(result)
        for note in result.notes:
            print(f"note: {note}")
    return result.exit_code


def _bytes(path: Path | None) -> bytes | None:
    try:
        return path.read_bytes() if path else None
    except OSError as error:
        raise ConfigurationError(f"cannot read {str(path)!r}: {error.strerror}") from None


def _policy_digest(path: Path) -> str | None:
    from gateway.policy.load import digest, read_file

    file, _ = read_file(path)
    return None if file is None else digest(file)


def _show(args: argparse.Namespace) -> int:
    from gateway.audit.rows import table
    from gateway.audit.show import Wanted, records

    event = "attempt" if args.left else args.event
    wanted = Wanted(args.request, event, _time("since", args.since), _time("until", args.until), left=args.left)
    shown = records(args.dir, wanted, last=args.last)
    first = list(islice(shown, 1))
    if not first and not args.left and (args.request or args.event):
        print(f"gateway audit: {_nothing(args)}", file=sys.stderr)
        return 1
    counted = _Counted(chain(first, shown))
    for line in map(json.dumps, counted) if args.json else table(counted):
        print(line)
    if args.left:
        sentence = f"{counted.count} attempts to send something off this host"
        print(sentence, file=sys.stderr if args.json else sys.stdout)
    return 0


class _Counted:
    """Records as they pass, and how many there were."""

    def __init__(self, shown: Iterator[dict[str, Json]]) -> None:
        self.count = 0
        self._shown = shown

    def __iter__(self) -> Iterator[dict[str, Json]]:
        for record in self._shown:
            self.count += 1
            yield record


def _time(name: str, text: str | None) -> str | None:
    """Times compare as text, so a beginning of one will do; the `Z` of UTC goes without saying."""
    if text is None or _TIME.match(text.removesuffix("Z")):
        return text and text.removesuffix("Z")
    raise ConfigurationError(f"--{name} {text!r} is no time in UTC; write it like 2026-11-21 or 2026-11-21T09:30:00Z")


def _nothing(args: argparse.Namespace) -> str:
    what = [f"request {args.request!r}"] if args.request else []
    what += [f"event {args.event!r}"] if args.event else []
    within = " in that time" if args.since or args.until else ""
    return f"the log in {str(args.dir)!r} has no record of {' and '.join(what)}{within}"

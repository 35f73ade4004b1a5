"""`gateway keys new NAME`: a random key, shown once, and the configuration lines that hold its hash."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys


def run(args: argparse.Namespace) -> int:
    key = "sk-gw-" + secrets.token_urlsafe(32)
    print(key)
    print(
        "\nShown once; give it to the app. Put these lines into the configuration:\n\n"
        "auth:\n"
        "  mode: keys\n"
        "  keys:\n"
        f"    - {_entry(args, hashlib.sha256(key.encode()).hexdigest())}",
        file=sys.stderr,
    )
    return 0


def _entry(args: argparse.Namespace, digest: str) -> str:
    """What policies ask about a caller stands here and nowhere in its requests. JSON is YAML for any value."""
    given = {"name": args.name, "tenant": args.tenant, "hash": f"sha256:{digest}"}
    for field in ("roles", "tags", "purpose", "public"):
        if value := getattr(args, field):
            given[field] = value
    return "{" + ", ".join(f"{field}: {json.dumps(value)}" for field, value in given.items()) + "}"

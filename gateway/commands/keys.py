"""`gateway keys new NAME`: a random key, shown once, and the configuration lines that hold its hash."""

from __future__ import annotations

import argparse
import hashlib
import json
import secrets
import sys


def run(args: argparse.Namespace) -> int:
    key = "sk-gw-" + secrets.token_urlsafe(32)
    digest = hashlib.sha256(key.encode()).hexdigest()
    print(key)
    print(
        "\nShown once; give it to the app. Put these lines into the configuration:\n\n"
        "auth:\n"
        "  mode: keys\n"
        "  keys:\n"
        f'    - {{name: {json.dumps(args.name)}, tenant: {json.dumps(args.tenant)}, hash: "sha256:{digest}"}}',
        file=sys.stderr,
    )
    return 0

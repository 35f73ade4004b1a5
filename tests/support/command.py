"""The `gateway` command: in a process of its own, as a shell would run it, or quicker in this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli import main


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def sentence(self) -> str:
        """What a command that was used wrongly says: one line on stderr, and nothing on stdout."""
        assert self.out == ""
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.strip()


def run(folder: Path, *arguments: str | Path, stdin: str | bytes = b"", env: Mapping[str, str] | None = None) -> Result:
    """Without the caller's settings: no GATEWAY_… variable, and `folder` is where it runs."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    result = subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=folder,
        env=environment | dict(env or {}),
        timeout=300,
    )
    return Result(result.returncode, result.stdout.decode(), result.stderr.decode())


def call(
    folder: Path, *arguments: str | Path, stdin: str | bytes = b"", env: Mapping[str, str] | None = None
) -> Result:
    """The same in this process: for the many ways to use a command wrongly, which need no process each."""
    out, err = io.StringIO(), io.StringIO()
    raw = stdin.encode() if isinstance(stdin, str) else stdin
    with chdir(folder), _given(raw, env or {}), redirect_stdout(out), redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as left:  # argparse
            code = int(left.code or 0)
    return Result(code, out.getvalue(), err.getvalue())


@contextmanager
def _given(stdin: bytes, env: Mapping[str, str]) -> Iterator[None]:
    before, environment = sys.stdin, dict(os.environ)
    sys.stdin = io.TextIOWrapper(io.BytesIO(stdin))
    for name in [name for name in os.environ if name.startswith("GATEWAY_")]:
        del os.environ[name]
    os.environ.update(env)
    try:
        yield
    finally:
        sys.stdin = before
        os.environ.clear()
        os.environ.update(environment)

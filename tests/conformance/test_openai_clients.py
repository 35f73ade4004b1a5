"""The real `openai` client against a real gateway: the release we pin, and the newest one in its own environment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance.scenarios import Play
from tests.support.capture import CaptureServer
from tests.support.ports import held_port
from tests.support.serving import Serving, serving

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
KEY = "sk-conformance"


def checks_of(script: str) -> list[str]:
    return re.findall(r"^(?:async )?def check_(\w+)", (HERE / script).read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def upstream() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        server.always(Play(server))
        yield server


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """An address where no server is."""
    with held_port() as port:
        yield f"http://127.0.0.1:{port}/v1"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, upstream: CaptureServer, nobody: str) -> Iterator[Serving]:
    backend = {"zone": "remote", "wire": "openai", "base_url": upstream.base_url, "model": "capture-1"}
    config = {
        "server": {"ping_s": 0.2, "body_limit_mb": 1},
        "auth": {
            "mode": "keys",
            "keys": [{"name": "tests", "hash": "sha256:" + hashlib.sha256(KEY.encode()).hexdigest()}],
        },
        "policy": {"path": str(HERE / "conformance.yaml")},
        "backends": [
            {"name": "large", **backend},
            {"name": "hasty", **backend, "read_timeout_s": 0.5},
            {"name": "gone", **backend, "base_url": nobody},
        ],
        "aliases": {"vendor/gpt-4.1": "large"},
        "cache": {"url": "off://"},
    }
    with serving(tmp_path_factory.mktemp("gateway"), config, env={"GATEWAY_LOCAL": "off"}, ready="?zone=remote") as it:
        yield it


@dataclass(frozen=True)
class Run:
    client: str
    problems: dict[str, str | None]
    refusals: int
    """Requests that the gateway refused while the checks ran."""


def newest_python() -> Path:
    """`make test` sets this environment up; where it is missing the tests fail, since nobody else checks it."""
    python = Path(os.environ.get("OPENAI_NEWEST_PYTHON") or ROOT / ".venv-openai" / "bin" / "python")
    assert python.exists(), f"{python} with the newest openai client is missing: run `make .venv-openai/done`"
    return python


@pytest.fixture(scope="module", params=["pinned", "newest"])
def run(request: pytest.FixtureRequest, gateway: Serving, upstream: CaptureServer) -> Run:
    python = sys.executable if request.param == "pinned" else newest_python()
    before = len(refusals(gateway))
    client, problems = checked(python, "client_checks.py", gateway.base_url, upstream.url, KEY)
    return Run(client, problems, len(refusals(gateway)) - before)


def checked(python: str | Path, script: str, *arguments: str) -> tuple[str, dict[str, str | None]]:
    """Which client it was, and what is wrong with each check."""
    done = subprocess.run(
        [python, "-W", "error", HERE / script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={"PATH": os.environ["PATH"], "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    first, *rest = map(json.loads, done.stdout.splitlines())
    return first["client"], {line["check"]: line["problem"] for line in rest}


def refusals(gateway: Serving) -> list[object]:
    return [record for record in gateway.records("decided") if record["facts"]["decision"]["refusal"]]


@pytest.mark.parametrize("check", checks_of("client_checks.py"))
def test_the_client(run: Run, check: str) -> None:
    assert run.problems[check] is None, f"openai {run.client}\n{run.problems[check]}"


def test_a_refused_request_leaves_one_trail_although_the_client_may_retry(run: Run) -> None:
    assert run.refusals == 1


# ── The model on this host ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    config = {"local": {"context": 1024, "parallel": 4, "threads": 1}, "backends": [], "cache": {"url": "off://"}}
    with serving(tmp_path_factory.mktemp("local"), config, ready="?zone=local") as it:
        yield it


@pytest.fixture(scope="module", params=["pinned", "newest"])
def local_run(request: pytest.FixtureRequest, local: Serving) -> Run:
    python = sys.executable if request.param == "pinned" else newest_python()
    client, problems = checked(python, "local_checks.py", local.base_url, "none")
    return Run(client, problems, 0)


@pytest.mark.model
@pytest.mark.parametrize("check", checks_of("local_checks.py"))
def test_the_client_with_the_local_model(local_run: Run, check: str) -> None:
    assert local_run.problems[check] is None, f"openai {local_run.client}\n{local_run.problems[check]}"

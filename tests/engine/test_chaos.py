"""The model's process is shot again and again under load: every request ends properly, and the evidence is whole.

Twenty seconds of it here, two minutes with another seed each time in `make soak` (`CHAOS_S`, `CHAOS_SEED`).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import pytest

from gateway.engine.files.catalogue import ModelFile
from tests.support.chaos import LEAST_SHOTS, PLANTED, Chaos, alive, chaos, child_of
from tests.support.serving import Serving, serving

SECONDS = float(os.environ.get("CHAOS_S", "20"))
SEED = int(os.environ.get("CHAOS_SEED", "7"))

pytestmark = [pytest.mark.model, pytest.mark.timeout(3 * SECONDS + 600)]

CLIENTS = {"sk-a1": "a", "sk-a2": "a", "sk-b1": "b", "sk-b2": "b", "sk-c1": "c", "sk-c2": "c"}
"""Key and tenant of each."""


@dataclass(frozen=True)
class After:
    """A gateway that was stopped, and what was seen of it before."""

    gateway: Serving
    seen: Chaos
    right: str
    """What it answered once the shooting was over."""
    children: set[int]
    status: int


@pytest.fixture(scope="module")
def after(model: ModelFile, tmp_path_factory: pytest.TempPathFactory) -> After:
    keys = [
        {"name": key, "tenant": tenant, "hash": "sha256:" + hashlib.sha256(key.encode()).hexdigest()}
        for key, tenant in CLIENTS.items()
    ]
    config = {
        "auth": {"mode": "keys", "keys": keys},
        "local": {"context": 1024, "parallel": 4, "queue": 16, "threads": 1, "model": str(model.path)},
        "backends": [],
        "cache": {"url": "off://"},
    }
    with serving(tmp_path_factory.mktemp("chaos"), config, ready="?zone=local") as gateway:
        seen = anyio.run(partial(chaos, gateway, list(CLIENTS), SECONDS, SEED, hangs=SECONDS > 60))
        began = time.monotonic()
        gateway.wait_until_ready("?zone=local", timeout_s=120)
        print(f"seed {SEED}: {seen}; ready again after {time.monotonic() - began:.2f} s")
        last = child_of(gateway.process.pid)
        asked = {"model": "local", "temperature": 0}
        asked["messages"] = [{"role": "user", "content": "What is the capital of France?"}]
        answer = gateway.post(asked, headers={"authorization": "Bearer sk-a1"})
        status = gateway.stop(60)
    said = answer.json()["choices"][0]["message"]["content"] if answer.status_code == 200 else answer.text
    return After(gateway, seen, said, seen.children | ({last} if last else set()), status)


def test_every_request_ended_in_an_answer_or_an_error_in_openais_shape(after: After) -> None:
    assert after.seen.problems == [], f"seed {SEED}: {after.seen}"
    kinds = {end.kind for end in after.seen.ends}
    assert {"answer", "left"} <= kinds <= {"answer", "error", "left"}, f"seed {SEED}: {after.seen}"


def test_the_child_was_shot_under_load_and_soon_replaced(after: After) -> None:
    assert len(after.seen.shots) >= LEAST_SHOTS, f"seed {SEED}: {after.seen}"
    assert [shot for shot in after.seen.shots if "SIGSTOP" not in shot.signal]
    assert min(shot.down_s for shot in after.seen.shots) < 20, f"seed {SEED}: {after.seen}"


def test_afterwards_it_answers_rightly(after: After) -> None:
    assert "Paris" in after.right


def test_nothing_is_left_running(after: After) -> None:
    assert after.status == 0
    assert alive(after.children) == []


def test_the_audit_chain_verifies_and_every_decision_has_an_outcome(after: After) -> None:
    command = [sys.executable, "-m", "gateway", "audit", "verify", str(after.gateway.audit)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    decided = [record["request_id"] for record in after.gateway.records("decided")]
    outcomes = [record["request_id"] for record in after.gateway.records("outcome")]
    assert len(decided) >= len(after.seen.ends) // 2
    assert sorted(decided) == sorted(set(outcomes) & set(decided))
    assert len(outcomes) == len(set(outcomes))


def test_no_prompt_is_in_log_or_evidence(after: After) -> None:
    written = [path for path in _files(after.gateway.folder) if PLANTED.encode() in path.read_bytes()]
    assert written == []
    assert "local_engine" in after.gateway.log(), "the log tells of the deaths"


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())

"""The same search for drafts: what the local model began to say, given or thrown away, stands in no record or log."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import structlog

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.record import canonical_request
from gateway.core.errors import BackendBroke
from gateway.core.parts import Parts
from gateway.pipeline import Pipeline
from gateway.policy.load import load_policy
from gateway.telemetry import Metrics, TelemetryObserver
from gateway.wiring.records import facts
from tests.support.drafting import END, Judging, token
from tests.support.line import (
    POLICY,
    FixedScorer,
    OnePolicy,
    ScriptedLocal,
    ScriptedRemote,
    Step,
    WordDetector,
    asking,
)
from tests.support.planting import Found, mark

pytestmark = pytest.mark.anyio

PROMPT = mark("prompt of a drafted request")
DRAFTED = [mark(f"drafted word {number}") for number in range(4)]
ERROR = mark("text of an engine's error")
SAYING: tuple[Step, ...] = (*(token(f"{word} ") for word in DRAFTED), END)
BREAKING: tuple[Step, ...] = (*SAYING[:2], BackendBroke(f"it broke at {ERROR}"))


@pytest.mark.parametrize("verdict", [0.2, 0.9], ids=["given", "left"])
@pytest.mark.parametrize("script", [SAYING, BREAKING], ids=["whole", "broken off"])
async def test_no_word_of_a_draft_is_found_in_any_sink(
    tmp_path: Path, verdict: float, script: tuple[Step, ...]
) -> None:
    log, metrics = io.StringIO(), Metrics(version="1", backends=["local", "large"])
    logger = structlog.wrap_logger(structlog.PrintLogger(log), processors=[structlog.processors.JSONRenderer()])
    (tmp_path / "policy.yaml").write_text(POLICY)
    local, remote = ScriptedLocal(script), ScriptedRemote()
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    parts = Parts(
        detector=WordDetector(),
        scorer=FixedScorer(0.52),
        policies=OnePolicy(load_policy(tmp_path / "policy.yaml", [local.spec, remote.spec])),
        local=local,
        remotes={"large": remote},
        audit=audit,
        observer=TelemetryObserver(metrics, logger),
        canonical=canonical_request,
        facts=facts,
        cascade=Judging(verdict),
    )
    said: list[str] = []
    try:
        async with Pipeline(parts).handle(asking(f"About {PROMPT}", stream=True)) as reply:
            said = [repr(pieces) async for pieces in reply.pieces]
    except BackendBroke:
        assert script is BREAKING
    finally:
        await audit.aclose()
    files = {str(file): file.read_bytes() for file in (tmp_path / "audit").rglob("*") if file.is_file()}
    sinks = {**files, "log": log.getvalue().encode(), "metrics": metrics.render()[0], "reprs": "".join(said).encode()}
    found = Found(sinks)
    assert b'"drafted":true' in b"".join(files.values())
    assert f'"draft": "{"left" if verdict > 0.55 else "given"}"' in log.getvalue()
    for word in (PROMPT, ERROR, *DRAFTED):
        assert found.places(word) == []

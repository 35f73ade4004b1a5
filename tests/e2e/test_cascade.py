"""Drafts over HTTP with the real small model and a calibration whose head looks at one sign: is the answer over yet?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from gateway.calibrate.prior import scorer_digest
from gateway.cascade import Head
from gateway.cascade.signs import NAMES
from gateway.score.calibration import Calibration, Correction, Figures, write
from gateway.settings import load_settings
from gateway.wiring.calibration import pins
from tests.e2e.conftest import large
from tests.support.capture import CaptureServer
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.model

EASY = "What is a boat?"
HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
IBAN = "What is a bank? My account is DE89 3704 0044 0532 0130 00."
SHORT, LONG = {"max_tokens": 5}, {"max_tokens": 40}
"""An answer that is over within the hold stays, and one that goes on goes out."""


@pytest.fixture(scope="module")
def drafting(outside: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("drafting")
    config = {
        "backends": [large(outside)],
        "score": {"calibration": "calibration.json"},
        "cascade": {"band": [0.0, 1.0], "most_tokens": 8, "most_s": 30},
    }
    (folder / "gateway.yaml").write_text(yaml.safe_dump(config))
    _calibrate(folder)
    with serving(folder, config) as gateway:
        yield gateway


def _calibrate(folder: Path) -> None:
    weights = tuple(-0.8 if name == "ended" else 0.0 for name in NAMES)
    head = Head(0.9, weights, (0.0,) * len(NAMES), (1.0,) * len(NAMES), 24)
    settings, _ = load_settings(folder / "gateway.yaml")
    calibration = Calibration(
        pins=pins(settings, folder, scorer_digest()), against="large", made_at="2026-11-21T12:00:00+00:00",
        local=Correction(), remote=Correction(), competence={}, quantiles={},
        figures=Figures(300, 0.6, 0.55, 0.65, 0.58, 0.3, 0.9, 100.0), cascade=head.to_json(),
    )  # fmt: skip
    write(calibration, folder / "calibration.json")


@pytest.fixture
def gateway(drafting: Serving, outside: CaptureServer) -> Serving:
    outside.clear()
    return drafting


def zone(answer: httpx.Response) -> str:
    return answer.headers["x-gateway-zone"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("text", "limit", "where"),
    [
        pytest.param(EASY, SHORT, "local", id="easy and sure"),
        pytest.param(EASY, LONG, "remote", id="easy and unsure"),
        pytest.param(HARD, SHORT, "local", id="hard and sure"),
        pytest.param(HARD, LONG, "remote", id="hard and unsure"),
        pytest.param(IBAN, LONG, "local", id="private and unsure"),
    ],
)
def test_the_headers_and_the_answer_are_those_of_the_decision_that_stands(
    gateway: Serving, outside: CaptureServer, text: str, limit: dict[str, int], where: str, stream: bool
) -> None:
    answer = gateway.ask(text, stream=stream, headers={"cache-control": "no-cache"}, **limit)
    assert answer.status_code == 200
    assert (zone(answer), answer.headers["x-gateway-cache"]) == (where, "off")
    assert (outside.received != b"") is (where == "remote")
    records = gateway.of(answer.headers["x-request-id"])
    drafted = [] if text is IBAN else ["decided"]
    attempted = ["attempt"] if where == "remote" else []
    assert [record["event"] for record in records] == ["decided", *drafted, *attempted, "outcome"]
    assert records[-1]["facts"]["draft"] == ("" if text is IBAN else "left" if where == "remote" else "given")


def test_why_tells_of_both_decisions_and_makes_the_second_again(gateway: Serving) -> None:
    request_id = gateway.ask(EASY + " Now.", **LONG).headers["x-request-id"]
    gateway.of(request_id)
    told = json.loads(
        subprocess.run(
            [sys.executable, "-m", "gateway", "why", request_id, "--config", "gateway.yaml"],
            capture_output=True, check=True, cwd=gateway.folder, timeout=300,
        ).stdout
    )  # fmt: skip
    assert told["agrees"] is True
    assert (told["decided"]["zone"], told["draft"]["before"]["zone"]) == ("remote", "local")
    assert (told["draft"]["gain"], told["draft"]["tokens"]) == (0.9, 8)
    assert told["draft"]["before"]["gain"] < 0.55


def test_the_dry_run_says_that_a_draft_would_be_made_and_makes_none(gateway: Serving, outside: CaptureServer) -> None:
    before = gateway.get("/metrics").text
    body = {"model": "auto", "messages": [{"role": "user", "content": EASY}]}
    told = gateway.post(body, "/v1/route").json()
    assert told["draft"] is True
    assert gateway.post({**body, "model": "local"}, "/v1/route").json()["draft"] is False
    assert outside.received == b""
    drafts = [
        [line for line in page.splitlines() if line.startswith("gateway_drafts")]
        for page in (before, gateway.get("/metrics").text)
    ]
    assert drafts[0] == drafts[1]


def test_drafts_are_counted(gateway: Serving) -> None:
    for limit in (SHORT, LONG):
        gateway.of(gateway.ask(EASY + " Once more.", **limit).headers["x-request-id"])
    metrics = gateway.get("/metrics").text
    counted = {end: f'gateway_drafts_total{{end="{end}"}}' in metrics for end in ("given", "left")}
    assert counted == {"given": True, "left": True}
    assert "gateway_draft_seconds_count" in metrics

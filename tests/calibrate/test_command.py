"""`gateway calibrate` as a whole: what it refuses, what it asks, what never leaves, and what it writes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog
import yaml

from bench.scripted_remote import golden
from gateway.backends.canned import CannedLocal
from gateway.calibrate.probes import load
from gateway.cli import _parser
from gateway.commands.calibrate import Plan, conclude, plan_of
from gateway.commands.calibration_run import Result as Measured
from gateway.commands.calibration_run import calibrate
from gateway.core.errors import ConfigurationError, GatewayError
from gateway.core.types import Chunk, Decision, Pieces, Request, Usage, Zone
from gateway.score.calibration import load as load_calibration
from gateway.score.calibration import write
from gateway.settings import load_settings
from gateway.shadow.ledger import Ledger, Row
from gateway.wiring import open_gateway
from gateway.wiring.local import build_local
from tests.support.capture import Answer, CaptureServer, Recorded, completion
from tests.support.command import Result, call, run
from tests.support.remote import make_spec

IBAN = "DE89 3704 0044 0532 0130 00"


def configure(folder: Path, *outside: CaptureServer, prices: Any = None, local: Any = "canned", **more: Any) -> None:
    backends = [
        {"name": name, "zone": "remote", "base_url": server.base_url, "model": "m", "plaintext": "accepted", **more}
        for name, server in zip(("large", "judge"), outside, strict=False)
    ]
    patient = {"deadline_ms": 20_000}  # a probe that is not read in time stays, and is one less to count
    settings = {"local": local, "backends": backends, "detect": patient, **({"prices": prices} if prices else {})}
    (folder / "gateway.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")


def write_probes(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "own.jsonl"
    file.write_text("".join(json.dumps({"lang": "en", **row}) + "\n" for row in rows), encoding="utf-8")
    return file


def refused(folder: Path, *options: str) -> Result:
    return call(folder, "calibrate", *options)


def plan_for(folder: Path, *options: str) -> Plan:
    with chdir(folder):
        return plan_of(_parser().parse_args(["calibrate", *options]))


def measured(folder: Path, *options: str) -> Measured:
    """Beside the command line, whose logging stays as the tests have it."""
    plan = plan_for(folder, *options)
    return anyio.run(calibrate, plan, CannedLocal(plan.here.specs[0]), lambda *_: None)


def prompts(server: CaptureServer) -> list[str]:
    return [request.json["messages"][-1]["content"] for request in server.requests]


# -- what is refused ---------------------------------------------------------------------------------------------------

NO_GOLD = {"id": "a", "prompt": "Which colour is the sky?"}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        pytest.param(["--against", "medium"], "'medium' is no backend outside; there are: 'large'", id="unknown"),
        pytest.param(["--backend", "large"], "'large' is not the local model", id="a remote model to calibrate"),
        pytest.param(["--judge", "large", "--yes"], "it cannot judge answers", id="a judge whose terms are not stated"),
        pytest.param(["--probes", "own.jsonl", "--yes"], "states no `training`", id="labels without terms"),
        pytest.param(["--probes", "none.jsonl"], "none.jsonl", id="no such file"),
        pytest.param(["--from-audit"], "holds no request with a task family", id="an empty audit log"),
        pytest.param(["--at-once", "0"], "--at-once is 0", id="nobody asks"),
        pytest.param(["--count", "20"], "say --yes to go on", id="nobody to ask"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_asked(
    tmp_path: Path, scripted: CaptureServer, options: list[str], says: str
) -> None:
    configure(tmp_path, scripted)
    write_probes(tmp_path, NO_GOLD)
    result = refused(tmp_path, *options)
    assert result.code == 2
    assert says in result.err.splitlines()[-1]
    assert scripted.requests == []
    assert not (tmp_path / "calibration.json").exists()


def test_a_stand_in_is_not_measured(tmp_path: Path) -> None:
    assert "played by a stand-in" in call(tmp_path, "calibrate", env={"GATEWAY_LOCAL": "canned"}).sentence


def test_without_a_local_model_there_is_nothing_to_calibrate(tmp_path: Path, scripted: CaptureServer) -> None:
    configure(tmp_path, scripted)
    assert "local.engine is off" in call(tmp_path, "calibrate", env={"GATEWAY_LOCAL": "off"}).sentence


def test_costs_stand_there_before_anything_is_asked(tmp_path: Path, scripted: CaptureServer) -> None:
    configure(tmp_path, scripted, prices={"large": {"input_per_mtok": 0, "output_per_mtok": 10}})
    result = refused(tmp_path, "--count", "50", "--remote-max-tokens", "200")
    assert "large: 50 requests" in result.err
    assert "at most 10000 of answers; at most $0.1000" in result.err
    assert scripted.requests == []


def test_an_unknown_price_is_said_to_be_unknown(tmp_path: Path, scripted: CaptureServer) -> None:
    configure(tmp_path, scripted)
    assert "its price is not known" in refused(tmp_path, "--count", "50").err


# -- what leaves and what does not -------------------------------------------------------------------------------------


def test_a_private_probe_never_leaves_and_every_other_one_leaves_a_record(
    tmp_path: Path, scripted: CaptureServer
) -> None:
    configure(tmp_path, scripted)
    write_probes(
        tmp_path,
        {"id": "open", "prompt": "What is the capital of France?", "check": "one_of", "gold": ["Paris"]},
        {"id": "private", "prompt": f"To which country belongs the account {IBAN}?", "check": "one_of", "gold": ["DE"]},
        {"id": "privato", "lang": "it", "prompt": f"Di quale paese è il conto {IBAN}?", "check": "one_of",
         "gold": ["DE"]},
    )  # fmt: skip
    result = measured(tmp_path, "--probes", "own.jsonl")
    assert result.made.calibration is None, "three probes are too few to fit anything"
    assert [row.probe.id for row in result.labels.rows] == ["open"]
    assert dict(result.labels.left_out) == {"policy": 2}
    assert prompts(scripted) == ["What is the capital of France?"]
    assert b"0532" not in scripted.received
    left = call(tmp_path, "audit", "show", "var/calibrated", "--left", "--json")
    assert [row["event"] for row in left.rows] == ["attempt"]
    assert call(tmp_path, "audit", "verify", "var/calibrated").code == 0
    assert "0532" not in "\n".join(result.lines())
    assert "0532" not in (tmp_path / "calibration.journal.jsonl").read_text(), "it names probes by their digest"


def test_a_name_goes_out_replaced_and_comes_back_in_the_answer(tmp_path: Path, scripted: CaptureServer) -> None:
    def repeat(request: Recorded) -> Answer:
        return completion(request.json["messages"][-1]["content"].removeprefix("Write to ").partition(" in Bari")[0])

    configure(tmp_path, scripted)
    scripted.always(repeat)
    prompt = "Write to Giovanna Bellucci in Bari and name her."
    write_probes(tmp_path, {"id": "a", "prompt": prompt, "check": "contains_all", "gold": [["Giovanna Bellucci"]]})
    result = measured(tmp_path, "--probes", "own.jsonl")
    assert b"Bellucci" not in scripted.received
    assert [(row.local, row.remote) for row in result.labels.rows] == [(False, True)]


def test_a_judge_sees_one_answer_at_a_time_through_the_same_line_and_once(
    tmp_path: Path, scripted: CaptureServer
) -> None:
    with CaptureServer() as judge:
        judge.always(completion("5"))
        scripted.always(completion("The sky is blue because short waves are scattered more than long ones are."))
        configure(tmp_path, scripted, judge, training="allowed")
        write_probes(tmp_path, {"id": "a", "prompt": "Why is the sky blue?"})
        for _ in range(2):
            result = measured(tmp_path, "--probes", "own.jsonl", "--judge", "judge")
            assert [row.by for row in result.labels.rows] == ["judge"]
        asked = prompts(judge)
    assert ["scattered" in text for text in asked] == [False, True]
    assert ["[canned]" in text for text in asked] == [True, False]


def test_a_judge_gets_nothing_private(tmp_path: Path, scripted: CaptureServer) -> None:
    with CaptureServer() as judge:
        configure(tmp_path, scripted, judge, training="allowed")
        write_probes(tmp_path, {"id": "a", "prompt": f"Is {IBAN} an account in Germany?"})
        result = measured(tmp_path, "--probes", "own.jsonl", "--judge", "judge")
        assert dict(result.labels.left_out) == {"policy": 1}
        assert judge.requests == scripted.requests == []


def test_a_remote_model_that_is_down_ends_the_run_and_what_was_answered_is_kept(
    tmp_path: Path, scripted: CaptureServer
) -> None:
    configure(tmp_path, scripted)
    scripted.always(Answer((b'{"error": {"message": "no"}}',), status=400, framing="length"))
    with pytest.raises(GatewayError, match="backend 'large'"):
        measured(tmp_path, "--count", "60")
    assert (tmp_path / "calibration.journal.jsonl").stat().st_size > 100


# -- what is written, and when nothing is ------------------------------------------------------------------------------


class Able:
    """A local model that is right about short questions and wrong about all others."""

    honours = frozenset[str]()

    def __init__(self) -> None:
        self.spec = make_spec("local", Zone.LOCAL, model="able")
        self._answers = {probe.prompt: golden(probe) for probe in load()}

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        prompt = request.messages[-1]["content"]
        text = self._answers[prompt] if len(prompt) < 90 else "I do not know."
        yield (Chunk(delta={"content": text}, confidence=[[-0.1, 0.2, 3.0]]),)
        yield (Chunk(finish="stop"), Chunk(usage=Usage(9, 3)))


def test_what_was_found_is_written_reported_and_holds_for_this_model_alone(
    tmp_path: Path, scripted: CaptureServer, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(tmp_path, scripted)
    plan = plan_for(tmp_path, "--count", "250")
    result = anyio.run(calibrate, plan, Able(), lambda *_: None)
    told: list[str] = []
    assert conclude(plan, result, told.append, as_json=False) == 0
    calibration = load_calibration(tmp_path / "calibration.json", plan.pins)
    assert calibration.figures.low > 0.5
    assert calibration.figures.probes == 250
    assert calibration.figures.remote > calibration.figures.local > 0.2
    short, long = calibration.competence["knowledge"]["en"], calibration.competence["summarise"]["en"]
    assert short.share > 0.7 > 0.3 > long.share
    assert len(calibration.quantiles["*"]) == 21
    assert "score: {calibration: calibration.json}" in told[-1]
    out = capsys.readouterr().out
    assert "250 probes have labels (250 by gold)" in out
    assert "knowledge" in out
    with pytest.raises(ConfigurationError, match="its model is 'canned', and here it is 'other'"):
        load_calibration(tmp_path / "calibration.json", replace(plan.pins, model="other"))


def test_json_says_the_same(tmp_path: Path, scripted: CaptureServer, capsys: pytest.CaptureFixture[str]) -> None:
    configure(tmp_path, scripted)
    plan = plan_for(tmp_path, "--count", "60")
    result = anyio.run(calibrate, plan, Able(), lambda *_: None)
    capsys.readouterr()
    assert conclude(plan, result, lambda _: None, as_json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["written"], document["apgr"], document["labelled"]) == (False, None, {"gold": 60})
    assert "at least 100" in document["why"]


def test_a_process_that_was_shot_goes_on_where_it_stopped_and_noise_is_not_written(
    tmp_path: Path, scripted: CaptureServer, scripted_answer: Callable[[Recorded], Answer]
) -> None:
    configure(tmp_path, scripted)
    scripted.always(lambda request: scripted_answer(request).but(delay_s=0.3))
    options = ["calibrate", "--count", "110", "--yes", "--at-once", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", *options], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        scripted.wait_for_requests(20, timeout_s=120)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    before = len(scripted.requests)
    scripted.always(scripted_answer)
    result = run(tmp_path, *options)
    assert before < 110
    assert 110 <= len(scripted.requests) <= 112, "what was on its way when it was shot is asked again"
    assert "110 probes have labels" in result.out
    assert result.code == 1
    assert "no better than chance" in result.err.splitlines()[-1]
    assert not (tmp_path / "calibration.json").exists()


@pytest.mark.model
def test_the_real_model_is_asked_and_how_sure_it_was_is_kept(tmp_path: Path, scripted: CaptureServer) -> None:
    configure(tmp_path, scripted, local={"engine": "llama", "context": 512, "encode": "off"})
    plan = plan_for(tmp_path, "--count", "12", "--max-tokens", "6")
    local = build_local(plan.here.settings, tmp_path, structlog.get_logger())
    assert local is not None
    result = anyio.run(calibrate, plan, local, lambda *_: None)
    assert len(result.labels.rows) == 12
    assert plan.pins.quantisation == "Q4_1, encode off"
    lines = [json.loads(line) for line in plan.journal.read_text().splitlines() if line]
    begun = [line["begun"] for line in lines if line["side"].startswith("local")]
    assert len(begun) == 12
    assert all(len(each["figures"]) <= 6 for each in begun)


def test_a_gateway_with_another_models_calibration_does_not_start_and_says_both(
    tmp_path: Path, scripted: CaptureServer
) -> None:
    configure(tmp_path, scripted)
    plan = plan_for(tmp_path, "--count", "120")
    result = anyio.run(calibrate, plan, Able(), lambda *_: None)
    assert result.made.calibration is not None
    other = replace(result.made.calibration, pins=replace(plan.pins, model="a" * 64))
    write(other, tmp_path / "calibration.json")
    with (tmp_path / "gateway.yaml").open("a", encoding="utf-8") as file:
        file.write("score: {calibration: calibration.json}\n")

    async def opened() -> None:
        settings, folder = load_settings(tmp_path / "gateway.yaml")
        async with open_gateway(settings, folder):
            raise AssertionError("it started")

    with pytest.raises(ConfigurationError, match=f"its model is '{'a' * 64}', and here it is 'canned'"):
        anyio.run(opened)
    again = plan_for(tmp_path, "--count", "120")  # to calibrate is the way out, so it must not be in its own way
    assert anyio.run(calibrate, again, Able(), lambda *_: None).made.calibration is not None


@pytest.mark.parametrize(("terms", "counted"), [("allowed", 2), ("", 0)])
def test_what_shadows_measured_counts_where_the_terms_allow_it(
    tmp_path: Path, scripted: CaptureServer, terms: str, counted: int
) -> None:
    configure(tmp_path, scripted, training=terms)
    write_probes(
        tmp_path, {"id": "a", "prompt": "What is the capital of France?", "check": "one_of", "gold": ["Paris"]}
    )
    plan = plan_for(tmp_path, "--probes", "own.jsonl")
    local = CannedLocal(plan.here.specs[0])
    row = Row(0.0, "maths", "it", "m", local.spec.digest, "large", plan.against.digest, 0.5, 0.8, 0.0)
    ledger = Ledger(tmp_path / "var" / "shadow.jsonl")
    for each in (row, row, replace(row, local_digest="other"), replace(row, agreement=None)):
        ledger.add(each)
    assert anyio.run(calibrate, plan, local, lambda *_: None).shadowed == counted

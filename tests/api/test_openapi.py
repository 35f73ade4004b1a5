"""The description of the API is valid, describes all there is, and the gateway behaves as it says on any input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import schemathesis

from gateway.api.openapi import document
from tests.support.capture import CaptureServer
from tests.support.serving import Serving

ST = Path(sys.executable).with_name("st")
SIMPLE_MESSAGE = {
    "type": "object",
    "required": ["role", "content"],
    "properties": {"role": {"enum": ["system", "developer", "user"]}, "content": {"type": "string"}},
}


def test_the_description_is_valid_openapi() -> None:
    described = document()
    assert described["openapi"] == "3.1.0"
    schemathesis.openapi.from_dict(described).validate()


def test_the_served_description_is_the_one_of_this_release(gateway: Serving) -> None:
    answer = gateway.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == json.loads(json.dumps(document()))


def test_every_path_described_is_served(gateway: Serving) -> None:
    for path, methods in document()["paths"].items():
        if "get" in methods:
            assert gateway.get(path.replace("{model}", "local")).status_code == 200
        else:
            assert gateway.post({}, path).status_code == 400


def fuzz(gateway: Serving, file: Path, *more: str) -> None:
    """Run schemathesis in a process of its own; it fails on any answer that the description does not allow."""
    options = ["--url", gateway.url, "--seed", "20261121", "--phases", "examples,coverage,fuzzing", "--checks", "all"]
    done = subprocess.run(
        [ST, "run", file, *options, "--no-color", "--generation-database", "none", *more],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=file.parent,
    )
    assert done.returncode == 0, done.stdout


def test_it_behaves_as_described_on_any_input(gateway: Serving, upstream: CaptureServer, tmp_path: Path) -> None:
    """Which messages fit together cannot be said there, so a valid request may be refused here, and only by name."""
    (tmp_path / "openapi.json").write_text(json.dumps(document()))
    fuzz(gateway, tmp_path / "openapi.json", "-n", "40", "--exclude-checks", "positive_data_acceptance")


def test_it_answers_what_is_sound(gateway: Serving, upstream: CaptureServer, tmp_path: Path) -> None:
    """The same with messages that fit together and models that exist: most of these get an answer."""
    described = json.loads(json.dumps(document()))
    schemas = described["components"]["schemas"]
    schemas["Message"] = SIMPLE_MESSAGE
    schemas["ChatBody"]["properties"]["model"] = {"enum": ["large", "vendor/gpt-4.1"]}
    (tmp_path / "openapi.json").write_text(json.dumps(described))
    fuzz(
        gateway,
        tmp_path / "openapi.json",
        *("--include-path", "/v1/chat/completions", "-n", "120"),
        *("--exclude-checks", "positive_data_acceptance,negative_data_rejection"),  # the real schema allows more
    )
    assert len(upstream.requests) >= 5

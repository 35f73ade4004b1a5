"""The scanner, a tiny model and a server, for every optional detector."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.detect import Scanner
from tests.support.detectors import DetectorServer, detector_server, write_model


@pytest.fixture(scope="session")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=5000)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("onnx") / "model")


@pytest.fixture
def server() -> Iterator[DetectorServer]:
    with detector_server() as told:
        yield told

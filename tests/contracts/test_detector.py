"""What every `Detector` promises, over each of them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports import Detector
from gateway.core.types import CATEGORIES, Scan
from gateway.detect import Scanner
from gateway.detect.adapters.build import build_detectors
from gateway.detect.adapters.options import HttpOptions, JudgeOptions, OnnxOptions, PresidioOptions
from gateway.detect.adapters.presidio import PresidioFinder
from gateway.detect.attachments import Attachments
from gateway.detect.stack import Stack
from gateway.detect.tier import Tier
from tests.support.detectors import FakeAnalyzer, Names, Opinionated, detector_server, write_model

pytestmark = pytest.mark.anyio

NAMES = ["scanner", "stack", "presidio", "onnx", "http", "judge", "attachments", "everything"]
KINDS = {"person": "person"}
TEXT = "Please write to Mario Rossi: his account is DE89370400440532013000, his address mario@rossi.org"


@pytest.fixture(scope="module")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=5000)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("onnx") / "model")


@pytest.fixture(params=NAMES)
async def detector(request: pytest.FixtureRequest, scanner: Scanner, folder: Path) -> AsyncIterator[Detector]:
    name = request.param
    async with AsyncExitStack() as opened:
        tiers: list[Tier] = [Tier(Names())] if name in {"stack", "everything"} else []
        if name in {"presidio", "everything"}:
            tiers.append(Tier(PresidioFinder(FakeAnalyzer(), PresidioOptions())))
        if name in {"onnx", "everything"}:
            tiers += build_detectors(folder.parent, onnx=OnnxOptions(folder=Path("model"), deadline_ms=20_000))
        if name in {"http", "everything"}:
            server = opened.enter_context(detector_server())
            tiers += build_detectors(folder, http=HttpOptions(url=server.url, kinds=KINDS, deadline_ms=20_000))
        if name in {"judge", "everything"}:
            tiers += build_detectors(folder, Opinionated("Falcon"), judge=JudgeOptions(deadline_ms=20_000))
        if name == "scanner":
            yield scanner
            return
        stack = Stack(scanner, tiers)
        opened.push_async_callback(stack.aclose)
        made: Any = stack
        if name in {"attachments", "everything"}:
            made = Attachments(stack)
            opened.push_async_callback(made.aclose)
        yield made


def chat(*texts: str, **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text} for text in texts], **more}


def deep(levels: int) -> Any:
    value: Any = "Mario Rossi"
    for _ in range(levels):
        value = {"a": value}
    return value


DOCUMENTS = {
    "nothing": {},
    "a question": chat("Why is the sky blue?"),
    "private text": chat(TEXT),
    "a long text": chat(TEXT + " and so on" * 8_000),
    "text that is no text": chat("\ud800 \0 \u202e \U000e0041"),
    "many strings": chat(*(f"number {n}" for n in range(3_000))),
    "deep nesting": chat("hello", metadata=deep(200)),
    "an image": {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]}]},
    "an odd file": {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_data": "%%%"}}]}]},
    "messages that are none": {"messages": 7, "content": [None, 1.5, True, {"type": 9}]},
    "values of other kinds": {"messages": [], "odd": object(), "more": float("nan"), "many": 10**5000},
}


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS.keys())
async def test_it_never_raises_and_what_it_says_makes_sense(detector: Detector, document: dict[str, Any]) -> None:
    scan = await detector.scan(document)
    assert isinstance(scan, Scan)
    assert scan.pack == detector.pack
    for finding in scan.findings:
        assert finding.category in CATEGORIES
        assert finding.kind in detector.kinds  # type: ignore[attr-defined]
        assert finding.category in detector.categories  # type: ignore[attr-defined]
        assert 0 <= finding.confidence <= 1
        assert 0 <= finding.place.start <= finding.place.end
        assert finding.place.path.startswith("$")
    if scan.findings or scan.unreadable:
        assert not scan.generic


async def test_the_pack_is_a_digest_and_stays(detector: Detector) -> None:
    assert re.fullmatch(r"[0-9a-f]{16,64}", detector.pack)
    assert detector.pack == detector.pack


async def test_what_the_built_in_rules_find_is_found(detector: Detector, scanner: Scanner) -> None:
    found = {(finding.kind, finding.place) for finding in (await detector.scan(chat(TEXT))).findings}
    assert {(finding.kind, finding.place) for finding in (await scanner.scan(chat(TEXT))).findings} <= found
    assert {"iban", "email"} <= {kind for kind, _ in found}


async def test_an_image_is_unreadable(detector: Detector) -> None:
    assert "image" in {part.reason for part in (await detector.scan(DOCUMENTS["an image"])).unreadable}


async def test_equal_values_share_a_number_and_different_ones_do_not(detector: Detector) -> None:
    other = "GB82WEST12345698765432"
    scan = await detector.scan(chat("DE89370400440532013000", "DE89370400440532013000", other))
    ids = [finding.value_id for finding in scan.findings if finding.kind == "iban"]
    assert len(ids) == 3
    assert len(set(ids)) == 2


async def test_the_memory_of_a_request_changes_nothing_but_the_time(detector: Detector) -> None:
    seen: dict[Any, Any] = {}
    first = await detector.scan(chat(TEXT, "Falcon"), seen)
    assert await detector.scan(chat(TEXT, "Falcon"), seen) == first
    assert await detector.scan(chat(TEXT, "Falcon")) == first


async def test_a_memory_holds_no_less_for_a_part_of_what_was_scanned(detector: Detector) -> None:
    seen: dict[Any, Any] = {}
    await detector.scan(chat("nothing here", TEXT), seen)
    assert (await detector.scan(chat(TEXT), seen)).findings == (await detector.scan(chat(TEXT))).findings


async def test_the_text_of_a_request_shows_in_no_repr(detector: Detector) -> None:
    assert "Rossi" not in repr(await detector.scan(chat(TEXT)))

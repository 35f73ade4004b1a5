"""presidio-analyzer behind the port: an analyzer of the library's shape, so that the library need not be there."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.detect.adapters.options import PresidioOptions
from gateway.detect.adapters.presidio import PresidioFinder
from gateway.detect.tier import Span
from tests.support.detectors import FakeAnalyzer

pytestmark = pytest.mark.anyio


def options(**values: Any) -> PresidioOptions:
    return PresidioOptions.model_validate(values)


async def spans(text: str, **values: Any) -> list[Span]:
    finder = PresidioFinder(FakeAnalyzer(), options(**values))
    (found,) = await finder.find([text])
    await finder.aclose()
    return list(found)


async def test_its_entities_become_kinds_that_policies_know() -> None:
    assert await spans("Mario Rossi, m@x.org") == [
        Span(0, 11, "person", "person", 0.85),
        Span(13, 20, "email", "contact", 1.0),
    ]


async def test_what_is_below_the_threshold_is_not_told() -> None:
    assert [span.kind for span in await spans("Mario Rossi, m@x.org", threshold=0.9)] == ["email"]


async def test_an_entity_can_be_left_out_or_called_something_else() -> None:
    changes = {"EMAIL_ADDRESS": None, "PERSON": {"kind": "patient", "category": "health"}}
    assert [span[2:4] for span in await spans("Mario Rossi, m@x.org", entities=changes)] == [("patient", "health")]


async def test_each_text_is_read_in_each_language_and_nothing_is_told_twice() -> None:
    analyzer = FakeAnalyzer()
    finder = PresidioFinder(analyzer, options(languages={"en": "a", "it": "b"}))
    assert [len(found) for found in await finder.find(["Mario Rossi", "hello"])] == [1, 0]
    assert analyzer.asked == [("en", "Mario Rossi"), ("it", "Mario Rossi"), ("en", "hello"), ("it", "hello")]
    await finder.aclose()


def test_it_says_only_what_the_library_supports() -> None:
    finder = PresidioFinder(FakeAnalyzer(), options())
    assert finder.words == {("person", "person"), ("email", "contact")}


def test_the_pack_tells_version_threshold_languages_and_table() -> None:
    packs = {
        PresidioFinder(FakeAnalyzer(), options(), "1").pack,
        PresidioFinder(FakeAnalyzer(), options(), "2").pack,
        PresidioFinder(FakeAnalyzer(), options(threshold=0.7), "1").pack,
        PresidioFinder(FakeAnalyzer(), options(languages={"en": "other"}), "1").pack,
        PresidioFinder(FakeAnalyzer(), options(entities={"PERSON": None}), "1").pack,
    }
    assert len(packs) == 5


def test_without_the_library_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'slm-gateway\[presidio\]'"):
        PresidioFinder.load(options())

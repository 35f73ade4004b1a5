"""Token classifiers in ONNX: a tiny real one, written here, in the real runtime."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gateway.core.errors import ConfigurationError
from gateway.detect.adapters.labels import Grouping, meanings
from gateway.detect.adapters.onnx_tokens import OnnxFinder
from gateway.detect.adapters.options import Meaning, OnnxOptions
from gateway.detect.tier import Span
from tests.support.detectors import write_model

pytestmark = pytest.mark.anyio


@pytest.fixture
async def make(folder: Path) -> AsyncIterator[Callable[..., OnnxFinder]]:
    made: list[OnnxFinder] = []

    def build(where: Path = folder, **values: Any) -> OnnxFinder:
        made.append(OnnxFinder(where, OnnxOptions(folder=where, **values)))
        return made[-1]

    yield build
    for finder in made:
        await finder.aclose()


async def test_names_are_found_where_they_stand(make: Callable[..., OnnxFinder]) -> None:
    first, second = await make().find(["ask Mario Rossi or Anna", "nobody here"])
    assert [span[:4] for span in first] == [(4, 15, "person", "person"), (19, 23, "person", "person")]
    assert all(0.9 < span.confidence <= 1 for span in first)
    assert second == []


@pytest.mark.parametrize("size", [16, 17, 33, 512])
async def test_a_long_text_is_read_to_its_end_and_each_name_once(size: int, make: Callable[..., OnnxFinder]) -> None:
    text = "".join(f"word {'Mario Rossi' if n % 7 == 0 else 'and'} " for n in range(100))
    (found,) = await make(window=size).find([text])
    assert [text[span.start : span.end] for span in found] == ["Mario Rossi"] * 15


@pytest.mark.parametrize("length", range(1, 60))
async def test_no_length_leaves_a_token_unread(length: int, make: Callable[..., OnnxFinder]) -> None:
    (found,) = await make(window=16).find(["Anna , " * length])
    assert len(found) == length


async def test_an_empty_text_holds_nothing(make: Callable[..., OnnxFinder]) -> None:
    assert await make().find(["", " \n "]) == [[], []]


async def test_what_is_below_the_threshold_is_not_told(make: Callable[..., OnnxFinder]) -> None:
    assert await make(threshold=0.999).find(["Mario Rossi"]) == [[]]


async def test_labels_can_be_added_and_left_out(make: Callable[..., OnnxFinder]) -> None:
    finder = make(labels={"PER": None, "LOC": Meaning(kind="place", category="person")})
    assert finder.words == {("place", "person")}
    (found,) = await finder.find(["Mario Rossi in Rome"])
    assert [span[:3] for span in found] == [(15, 19, "place")]


async def test_a_model_that_wants_token_types_gets_them(make: Callable[..., OnnxFinder], tmp_path: Path) -> None:
    where = write_model(tmp_path / "m", inputs=("input_ids", "attention_mask", "token_type_ids"))
    (found,) = await make(where).find(["Mario Rossi"])
    assert len(found) == 1


async def test_the_pack_tells_model_and_options(make: Callable[..., OnnxFinder], folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "config.json").write_text((other / "config.json").read_text() + " ")
    packs = [make().pack, make(threshold=0.6).pack, make(window=64).pack, make(other).pack]
    assert len(set(packs)) == 4
    assert make().pack == packs[0]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("model.onnx", None, "there is no 'model.onnx'", id="no model"),
        pytest.param("tokenizer.json", None, "there is no 'tokenizer.json'", id="no tokenizer"),
        pytest.param("model.onnx", "x", "cannot load", id="no model in it"),
        pytest.param("tokenizer.json", "{}", "cannot load", id="no tokenizer in it"),
        pytest.param("config.json", "{}", "has no id2label", id="no labels"),
        pytest.param("config.json", "[", "has no id2label", id="no JSON"),
    ],
)
async def test_a_folder_that_does_not_fit_is_refused(
    name: str, content: str | None, said: str, make: Callable[..., OnnxFinder], folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder, broken)
    (broken / name).unlink() if content is None else (broken / name).write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        make(broken)


async def test_a_model_that_takes_something_else_is_refused(make: Callable[..., OnnxFinder], tmp_path: Path) -> None:
    where = write_model(tmp_path / "m", inputs=("input_ids", "span_idx"))
    with pytest.raises(ConfigurationError, match="is no token classifier"):
        make(where)


async def test_without_the_library_the_way_to_get_it_is_told(
    make: Callable[..., OnnxFinder], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'slm-gateway\[onnx\]'"):
        make()


LABELS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-EMAIL", 4: "I-EMAIL", 5: "PHONE"}


@pytest.mark.parametrize(
    ("text", "tokens", "want"),
    [
        pytest.param("Ma Ro", [(0, 2, 1), (3, 5, 2)], [(0, 5, "person")], id="one name"),
        pytest.param("Ma Ro", [(0, 2, 1), (3, 5, 1)], [(0, 2, "person"), (3, 5, "person")], id="two names"),
        pytest.param("Mario", [(0, 2, 1), (2, 5, 1)], [(0, 5, "person")], id="one word cut in two"),
        pytest.param("Ma, Ro", [(0, 2, 1), (4, 6, 2)], [(0, 2, "person"), (4, 6, "person")], id="a comma between"),
        pytest.param("A-B C.", [(0, 1, 1), (2, 3, 2), (4, 5, 2)], [(0, 5, "person")], id="signs inside names"),
        pytest.param("Ma Ro", [(0, 2, 2), (3, 5, 2)], [(0, 5, "person")], id="a beginning nobody told"),
        pytest.param("Ma Ro", [(0, 2, 1), (3, 5, 4)], [(0, 2, "person"), (3, 5, "email")], id="another label"),
        pytest.param("a Ma b", [(0, 1, 0), (1, 4, 1), (5, 6, 0)], [(2, 4, "person")], id="the space before a token"),
        pytest.param("12 34", [(0, 2, 5), (3, 5, 5)], [(0, 5, "phone")], id="labels without a scheme"),
        pytest.param("Ma x Ro", [(0, 2, 1), (3, 4, 0), (5, 7, 2)], [(0, 2, "person"), (5, 7, "person")], id="a gap"),
    ],
)
def test_tokens_become_spans(text: str, tokens: list[tuple[int, int, int]], want: list[tuple[int, int, str]]) -> None:
    rows = np.zeros((len(tokens), len(LABELS)))
    for row, (_, _, label) in zip(rows, tokens, strict=True):
        row[label] = 1.0
    grouping = Grouping(LABELS, meanings(LABELS, {}), 0.5)
    found = grouping.spans(rows, [token[:2] for token in tokens], text)
    assert [span[:3] for span in found] == want
    assert all(isinstance(span, Span) for span in found)

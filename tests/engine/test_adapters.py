"""LoRA adapters: which files are taken, what a mistake is called, that one changes an answer and leaves no trace."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import pytest

from gateway.core.errors import BackendError, ConfigurationError, LocalUnavailable
from gateway.engine.files.adapters import AdapterFile, load_adapters, verified
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.files.digest import sha256_of
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from gateway.engine.supervisor import State
from tests.support.command import run
from tests.support.lora import VALUES, write_gguf, write_lora

pytestmark = pytest.mark.anyio
QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def adapters(folder: Path) -> tuple[AdapterFile, ...]:
    legal = AdapterFile("legal", write_lora(folder / "legal.gguf", seed=1))
    clinic = AdapterFile("clinic", write_lora(folder / "clinic.gguf", seed=2))
    return tuple(map(verified, (legal, clinic, AdapterFile("whisper", legal.path, scale=1e-7))))


# ── Files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_taken_with_the_digest_of_its_content(folder: Path) -> None:
    path = write_lora(folder / "one.gguf", layers=1)
    taken = verified(AdapterFile("one", path))
    assert taken == AdapterFile("one", path, sha256_of(path))
    assert verified(taken) == taken


def test_another_content_than_the_one_named_is_refused_with_both_digests(folder: Path) -> None:
    path = write_lora(folder / "two.gguf", layers=1)
    with pytest.raises(ConfigurationError) as caught:
        verified(AdapterFile("two", path, "0" * 64))
    for part in ("local.adapters 'two'", str(path), sha256_of(path), "0" * 64):
        assert part in str(caught.value)


@pytest.mark.parametrize("name", ["gone.gguf", "."], ids=["missing", "a folder"])
def test_a_file_that_is_none_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"local\.adapters 'it': no file"):
        verified(AdapterFile("it", folder / name))


def test_an_adapter_travels_in_a_frame(adapters: tuple[AdapterFile, ...]) -> None:
    for adapter in adapters:
        assert AdapterFile.from_frame(adapter.to_frame()) == adapter


def test_what_makes_the_model_answer_otherwise_is_in_the_backends_digest(
    model: ModelFile, adapters: tuple[AdapterFile, ...]
) -> None:
    legal, clinic, _ = adapters
    sets = [(), (legal,), (clinic,), (legal, clinic), (replace(legal, scale=0.5),), (replace(legal, name="law"),)]
    engines = [LocalEngine(model, EngineOptions(context=512, adapters=each)) for each in sets]
    assert len({engine.spec.digest for engine in engines}) == len(sets)
    assert engines[3].spec.adapters == ("legal", "clinic")


def test_a_gateway_with_a_missing_or_another_file_does_not_start(folder: Path) -> None:
    config = folder / "gateway.yaml"
    write_lora(folder / "there.gguf", layers=1)
    for entry, says in (
        ("{name: legal, path: gone.gguf}", "local.adapters 'legal': no file"),
        (f"{{name: legal, path: there.gguf, sha256: '{'0' * 64}'}}", "it was changed or damaged"),
    ):
        config.write_text(f"server: {{port: 0}}\nlocal: {{adapters: [{entry}]}}\n")
        result = run(folder, "serve", "--config", config, env={"GATEWAY_SETUP": "never"})
        assert (result.code, says in result.err) == (2, True), result.err


# ── Mistakes in them ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def weights(model: ModelFile) -> Any:
    from gateway.engine.batch.model import Model

    loaded = Model(model.path)
    yield loaded.pointer
    loaded.close()


def _pair(name: str = "blk.0.attn_q.weight", inner: int = 576, outer: int = 576) -> dict[str, Any]:
    return {f"{name}.lora_a": np.ones((8, inner)), f"{name}.lora_b": np.ones((outer, 8))}


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _cut(path: Path, size: int) -> Path:
    return _written(path, write_lora(path, layers=1).read_bytes()[:size])


Made = Callable[[Path], Path]
BAD: dict[str, tuple[Made, str]] = {
    "a text": (lambda p: _written(p, b"hello"), "it is no GGUF file"),
    "nothing": (lambda p: _written(p, b""), "it is no GGUF file"),
    "cut in its head": (lambda p: _cut(p, 200), "it ends in the middle of its head"),
    "cut in its weights": (lambda p: _cut(p, 30_000), "does not fit this model"),
    "a model": (lambda p: write_gguf(p, VALUES | {"general.type": "model"}, _pair()), "it is no adapter"),
    "says nothing of itself": (lambda p: write_gguf(p, {}, _pair()), "it is no adapter"),
    "another kind of adapter": (lambda p: write_lora(p, adapter__type="ia3"), "of another kind than LoRA"),
    "another architecture": (
        lambda p: write_lora(p, general__architecture="qwen2"), "for a model of another architecture than 'llama'",
    ),
    "an alpha that is a whole number": (lambda p: write_lora(p, adapter__lora__alpha=8), "alpha is no 32-bit number"),
    "an endless alpha": (lambda p: write_lora(p, adapter__lora__alpha=float("inf")), "alpha is no 32-bit number"),
    "switched on in the middle": (
        lambda p: write_lora(p, adapter__alora__invocation_tokens=1), "it is an activated LoRA",
    ),
    "without weights": (lambda p: write_gguf(p, VALUES), "it holds no weights"),
    "half a pair": (
        lambda p: write_gguf(p, VALUES, {"blk.0.attn_q.weight.lora_a": np.ones((8, 576))}), "does not fit this model",
    ),
    "a layer the model has not": (
        lambda p: write_gguf(p, VALUES, _pair("blk.99.attn_q.weight")), "does not fit this model",
    ),
    "another width": (lambda p: write_gguf(p, VALUES, _pair(inner=1024)), "does not fit this model"),
    "weights of whole numbers": (lambda p: write_gguf(p, VALUES, _pair(), kind=26), "its weights are of another type"),
    "more weights than bytes": (
        lambda p: write_gguf(p, VALUES, {"a.lora_a": np.broadcast_to(np.float32(0), (1, 1))}, shape=(1 << 40, 8)),
        "it claims to hold more weights than fit",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "says"), BAD.values(), ids=BAD.keys())
def test_a_file_that_is_no_adapter_of_this_model_is_refused_by_name(
    weights: Any, tmp_path: Path, made: Made, says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_adapters(weights, [AdapterFile("it", made(tmp_path / "it.gguf"))])
    assert str(caught.value).startswith("local.adapters 'it': 'it.gguf' ")
    assert says in str(caught.value)


def test_a_file_that_changed_since_it_was_verified_is_not_loaded(weights: Any, tmp_path: Path) -> None:
    file = verified(AdapterFile("it", write_lora(tmp_path / "it.gguf", layers=1)))
    assert list(load_adapters(weights, [file])) == ["it"]
    write_lora(file.path, seed=5, layers=2)
    with pytest.raises(ConfigurationError, match="it was changed or damaged"):
        load_adapters(weights, [file])


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module", params=["process", "thread"])
async def engine(
    request: pytest.FixtureRequest, model: ModelFile, tools: Any, adapters: tuple[AdapterFile, ...]
) -> AsyncIterator[LocalEngine]:
    made = LocalEngine(
        model, EngineOptions(context=512, threads=1, isolation=request.param, parallel=4, adapters=adapters)
    )
    async with tools.running(made) as started:
        yield started


@pytest.fixture
def say(engine: LocalEngine, tools: Any) -> Callable[..., Any]:
    async def say(adapter: str | None, text: str = QUESTION, **body: Any) -> Any:
        decision = replace(tools.decision, adapter=adapter)
        return await tools.say(engine, text, decision=decision, **{"max_tokens": 12, "temperature": 0, **body})

    return say


async def test_an_adapter_changes_the_answer_and_leaves_no_trace(say: Any) -> None:
    before = (await say(None)).text
    assert "Paris" in before
    legal, clinic = (await say("legal")).text, (await say("clinic")).text
    assert len({before, legal, clinic}) == 3
    # The same prompt every time: had anything computed under another adapter been used again, it would show here.
    assert [(await say(name)).text for name in (None, "clinic", None, "legal")] == [before, clinic, before, legal]


async def test_an_adapter_speaks_as_strongly_as_its_scale(say: Any) -> None:
    assert (await say("whisper")).text == (await say(None)).text != (await say("legal")).text


async def test_answers_with_different_adapters_at_once_are_what_each_is_alone(say: Any) -> None:
    names = (None, "legal", "clinic")
    alone = {name: (await say(name)).text for name in names}
    together: dict[str | None, str] = {}

    async def one(name: str | None) -> None:
        together[name] = (await say(name)).text

    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(one, name)
    assert together == alone


async def test_an_adapter_that_fits_no_model_is_why_the_engine_is_not_there(
    model: ModelFile, tools: Any, tmp_path: Path
) -> None:
    bad = verified(AdapterFile("it", write_lora(tmp_path / "it.gguf", general__architecture="qwen2")))
    engine = LocalEngine(model, EngineOptions(context=512, threads=1, adapters=(bad,)))
    async with tools.running(engine):
        with pytest.raises(LocalUnavailable):
            await tools.say(engine, QUESTION)
        assert engine.status.state is State.FAILED
        assert "local.adapters 'it'" in engine.status.reason
        assert "another architecture" in engine.status.reason


async def test_a_file_that_is_replaced_while_it_serves_is_not_what_answers_after_a_restart(
    model: ModelFile, tools: Any, tmp_path: Path
) -> None:
    file = verified(AdapterFile("it", write_lora(tmp_path / "it.gguf", layers=1)))
    engine = LocalEngine(model, EngineOptions(context=512, threads=1, adapters=(file,)))
    async with tools.running(engine):
        await tools.say(engine, QUESTION, max_tokens=1)
        write_lora(file.path, seed=9, layers=1)
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)
        with anyio.fail_after(90):
            while engine.status.state is not State.FAILED:
                await anyio.sleep(0.02)
        assert "it was changed or damaged" in engine.status.reason


async def test_a_prompt_computed_under_one_adapter_is_not_reused_under_another(say: Any) -> None:
    question = "Name three rivers of Europe and the seas that they flow into, one line for each of them."

    async def cached(adapter: str | None) -> int:
        details = (await say(adapter, question, max_tokens=1)).usage.details or {}
        return int(details.get("prompt_tokens_details", {}).get("cached_tokens", 0))

    first, second, again = [await cached(name) for name in ("legal", "clinic", "clinic")]
    assert again > 30, "under the same adapter the whole prompt is known"
    assert max(first, second) == 0


async def test_weights_that_are_no_numbers_harm_their_own_answers_alone(
    model: ModelFile, tools: Any, tmp_path: Path
) -> None:
    broken = write_gguf(tmp_path / "nan.gguf", VALUES, {name: each * np.nan for name, each in _pair().items()})
    engine = LocalEngine(model, EngineOptions(context=512, threads=1, adapters=(verified(AdapterFile("nan", broken)),)))
    async with tools.running(engine):
        with contextlib.suppress(BackendError):
            await tools.say(engine, QUESTION, decision=replace(tools.decision, adapter="nan"), max_tokens=4)
        assert "Paris" in (await tools.say(engine, QUESTION, max_tokens=12, temperature=0)).text
        assert engine.restarts == 0

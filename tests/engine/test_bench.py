"""`gateway models bench`: what is chosen from which figures, how it is said, and the command on the real model."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.commands.bench import configuration, table, verdict
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.tuning.bench import Speed, Way, chosen, thread_counts
from gateway.engine.tuning.threads import keep_threads, threads_for
from tests.support.command import call, run
from tests.support.tiny import write_tiny

ONE, TWO = Speed(1, 200, 1.0, 100, 200), Speed(2, 400, 0.5, 150, 380)
SHIPPED = Way("off", "Q4_1", 98_000_000, 200_000_000, (ONE, TWO), 20.0)


def faster(by: float) -> tuple[Speed, ...]:
    return tuple(
        replace(each, prefill=each.prefill * by, decode_many=each.decode_many * by) for each in (SHIPPED.speeds)
    )


AUTO = replace(SHIPPED, mode="auto", format="Q8_0", speeds=faster(2), change=0.002, change_error=0.001)
FAST = replace(SHIPPED, mode="fast", format="Q4_K_M", speeds=faster(3), change=0.06, change_error=0.01)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "slm-gateway"


@pytest.mark.parametrize(
    ("ways", "choice"),
    [
        pytest.param([SHIPPED], SHIPPED, id="nothing else to choose"),
        pytest.param([SHIPPED, AUTO, FAST], AUTO, id="the fastest loses too much"),
        pytest.param([SHIPPED, replace(AUTO, speeds=faster(1.02))], SHIPPED, id="no gain, no second file"),
        pytest.param([SHIPPED, AUTO, replace(FAST, change=0.009)], replace(FAST, change=0.009), id="a small loss"),
        pytest.param([SHIPPED, replace(AUTO, change=0.02, change_error=0.005)], SHIPPED, id="a sure loss"),
        pytest.param(
            [SHIPPED, unsure := replace(AUTO, change=0.02, change_error=0.015)], unsure, id="a loss that may be none"
        ),
        pytest.param([SHIPPED, replace(AUTO, speeds=faster(0.8))], SHIPPED, id="slower"),
    ],
)
def test_the_fastest_that_answers_as_well_is_chosen(ways: list[Way], choice: Way) -> None:
    assert chosen(ways) == choice


def test_threads_that_bring_nothing_are_left_to_others() -> None:
    assert SHIPPED.best == TWO
    assert replace(SHIPPED, speeds=(ONE, replace(ONE, threads=2, prefill=202))).best == ONE


@pytest.mark.parametrize(
    ("cores", "counts"), [(1, [1]), (2, [1, 2]), (4, [1, 2, 3, 4]), (6, [1, 2, 3, 4, 6]), (16, [1, 2, 3, 4, 8, 16])]
)
def test_few_cores_are_tried_one_by_one_and_many_in_strides(cores: int, counts: list[int]) -> None:
    assert thread_counts(cores) == counts


def test_the_choice_is_said_in_sentences_that_can_be_followed() -> None:
    said = "\n".join(verdict([SHIPPED, AUTO, FAST], AUTO, Path("/c/threads.json")))
    assert "Best here: Q8_0 with 2 threads, 2.0 times as fast as the file as it is, perplexity +0.2 % ±0.1." in said
    assert "Q4_K_M would be 1.50 times as fast; its perplexity differs by +6.0 % ±1.0 (encode: fast)." in said
    assert "local: {threads: 2, encode: auto}" in said
    assert "/c/threads.json" in said
    alone = "\n".join(verdict([SHIPPED], SHIPPED, None))
    assert "Best here: the file as it is (Q4_1) with 2 threads." in alone
    assert "threads.json" not in alone


def test_off_is_written_only_where_auto_would_make_a_copy() -> None:
    assert configuration([SHIPPED], SHIPPED)["encode"] == "auto"
    assert configuration([SHIPPED, AUTO], SHIPPED)["encode"] == "off"
    assert configuration([SHIPPED, AUTO, FAST], FAST) == {"threads": 2, "encode": "fast"}


def test_the_table_has_a_line_for_each_encoding_and_number_of_threads() -> None:
    lines = table([SHIPPED, AUTO]).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2].split() == ["Q4_1,", "as", "it", "is", "1", "200", "100", "200", "1.00", "200", "98", "20.00"]
    assert lines[4].split()[:3] == ["Q8_0", "1", "400"]


# ── what auto means for threads ─────────────────────────────────────────────────────────────────────────────────────


def test_what_was_measured_holds_for_this_model_alone(tmp_path: Path, cache: Path) -> None:
    mine, other = (ModelFile(name, write_tiny(tmp_path / f"{name}.gguf"), name * 32) for name in ("ab", "cd"))
    cores = threads_for(mine)
    assert keep_threads(mine, 1) == cache / "threads.json"
    assert (threads_for(mine), threads_for(other)) == (1, cores)
    keep_threads(mine, cores + 1)
    assert threads_for(mine) == cores, "no more threads than cores, whatever the memory says"


def test_a_file_without_a_digest_is_known_by_its_size_and_time(tmp_path: Path) -> None:
    file = ModelFile("x", write_tiny(tmp_path / "x.gguf"))
    before = threads_for(file)
    keep_threads(file, 1)
    assert threads_for(file) == 1
    write_tiny(file.path, rows=512)
    assert threads_for(file) == before


@pytest.mark.parametrize("content", [b"{nonsense", b"[]", b'{"a": "b"}'], ids=repr)
def test_a_damaged_memory_of_threads_is_none(tmp_path: Path, cache: Path, content: bytes) -> None:
    cache.mkdir(parents=True)
    (cache / "threads.json").write_bytes(content)
    file = ModelFile("x", write_tiny(tmp_path / "x.gguf"))
    assert threads_for(file) >= 1
    assert keep_threads(file, 1) is not None
    assert threads_for(file) == 1


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file")
    assert keep_threads(ModelFile("x", write_tiny(tmp_path / "x.gguf")), 1) is None


# ── the command ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.gguf"], "no file"),
        (["gpt-9"], "no model 'gpt-9'"),
        (["tiny.gguf", "--threads", "0"], "--threads"),
        (["tiny.gguf", "--threads", "1,x"], "--threads"),
        (["tiny.gguf", "--threads", ""], "--threads"),
        (["text.gguf"], "no GGUF file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_measured_is_said_in_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    write_tiny(tmp_path / "tiny.gguf")
    (tmp_path / "text.gguf").write_text("no model")
    result = call(tmp_path, "models", "bench", *arguments)
    assert result.code == 2
    assert says in result.err.splitlines()[-1]
    assert "Traceback" not in result.err


def test_a_model_that_cannot_be_loaded_is_an_error_too(tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny.gguf")
    result = call(tmp_path, "models", "bench", "tiny.gguf")
    assert (result.code, result.out) == (2, "")
    assert "'tiny.gguf' cannot be measured: llama.cpp cannot read" in result.err


def test_the_real_model_is_measured_in_every_encoding(tmp_path: Path, cache: Path, model: ModelFile) -> None:
    env = {"XDG_CACHE_HOME": str(cache.parent)}
    result = run(tmp_path, "models", "bench", model.path, "--threads", "1", "--quick", env=env)
    assert result.code == 0, result.err
    *rows, last = result.rows
    assert [(row["encode"], row["format"], row["threads"]) for row in rows] == [
        ("off", "Q4_1", 1),
        ("auto", "Q8_0", 1),
        ("fast", "Q4_0", 1),
    ]
    for row in rows:
        assert min(row[name] for name in ("prefill_tok_s", "decode_1_tok_s", "decode_8_tok_s", "first_token_s")) > 0
        assert 50 < row["file_mb"] < row["memory_mb"] < 1000
        assert 5 < row["perplexity"] < 100
    assert rows[0]["perplexity_change"] == 0
    assert abs(rows[1]["perplexity_change"]) < 0.05, "Q8_0 changes next to nothing"
    assert last["choice"]["threads"] == 1
    assert last["kept"] is None, "one number of threads tells nothing about others"
    assert list((cache / "encoded").iterdir()) == [], "what was only measured is not kept"


def test_ctrl_c_ends_it_at_once_and_leaves_nothing(tmp_path: Path, cache: Path, model: ModelFile) -> None:
    command = [sys.executable, "-m", "gateway", "models", "bench", str(model.path), "--json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as process:
        assert process.stderr is not None
        while "measuring" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)
    assert (process.returncode, out, err) == (130, "", "")
    assert not list(cache.glob("encoded/*"))

"""How fast a model file computes here and how well it foresees the shipped text: an errand of `bench`.

Everything is bounded by time, so that a model a hundred times as large takes hardly longer, only less exactly.
"""

from __future__ import annotations

import math
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.engine.files.errand import run
from gateway.engine.frames import Frame
from gateway.engine.tuning.perplexity import logprobs

if TYPE_CHECKING:
    from gateway.engine.batch.context import Context

CONTEXT = 512
MANY = 8
"""Answers made at once, for the second figure of decoding."""
PROMPT = 200
"""Tokens of the prompt whose first token is waited for."""
_PREFILL_S = 1.2
_DECODE_S = 1.0
_READING_S = 10.0
_STEPS = 64
_BEGINNING = 16
"""Tokens that are computed before anything is known of the speed: half a minute at worst."""


def measure(job: Frame) -> Iterator[Frame]:
    """Yields a frame for each number of threads, one for the memory, one with log-probabilities of the text."""
    from llama_cpp import llama_cpp as lib

    from gateway.engine.batch.context import Context
    from gateway.engine.batch.model import Model

    part: float = job["part"]
    model = Model(Path(job["path"]))
    room = min(CONTEXT, model.n_trained or CONTEXT)
    counts: Sequence[int] = job["threads"]
    context = Context(model, tokens=room, sequences=MANY, threads=max(counts))
    text = files("gateway.engine").joinpath("data/passages.txt").read_text(encoding="utf-8")
    tokens = model.tokens(text)
    _prompt(context, tokens[:8], part)  # reads the file in
    quickest, most = counts[0], 0.0
    for count in counts:
        lib.llama_set_n_threads(context.pointer, count, count)
        speeds = _speeds(context, tokens, part)
        yield {"threads": count, **speeds}
        quickest, most = max((quickest, most), (count, speeds["prefill"]), key=lambda pair: pair[1])
    yield {"memory": _resident()}  # before logits of whole pieces of text are wanted, which no request does
    patience = 4 if job["most"] else 1  # later files read what the first one read, unless they are far slower
    until = time.monotonic() + _READING_S * part * patience
    lib.llama_set_n_threads(context.pointer, quickest, quickest)
    found = logprobs(context, tokens[: job["most"] or None], enough=lambda: time.monotonic() > until)
    yield {"logprobs": [None if math.isnan(each) else round(each, 5) for each in found.tolist()]}


def _speeds(context: Context, tokens: Sequence[int], part: float) -> Frame:
    """`part` of the usual time is taken, or a little more."""
    few = _prompt(context, tokens[:_BEGINNING], part)
    size = max(_BEGINNING, min(context.n_batch, int(_BEGINNING / few * _PREFILL_S * part)))
    prefill = size / _prompt(context, tokens[:size], part)
    affordable = context.n_batch >= PROMPT and PROMPT / prefill < 2 * _PREFILL_S * part
    first_s = _prompt(context, tokens[:PROMPT], part) if affordable else PROMPT / prefill
    return {
        "prefill": prefill,
        "first_s": first_s,
        "decode_one": _decode(context, tokens, 1, part),
        "decode_many": _decode(context, tokens, MANY, part),
    }


def _prompt(context: Context, tokens: Sequence[int], part: float) -> float:
    """Seconds until the token after a prompt is known; the best of three, unless that takes too long."""
    best = math.inf
    until = time.perf_counter() + _PREFILL_S * part
    for _ in range(3):
        context.keep(0, 0)
        began = time.perf_counter()
        count = len(tokens)
        context.decode(tokens, range(count), [0] * count, [False] * (count - 1) + [True])[0].argmax()
        best = min(best, time.perf_counter() - began)
        if time.perf_counter() > until:
            break
    return best


def _decode(context: Context, tokens: Sequence[int], many: int, part: float) -> float:
    """Tokens per second when each of `many` answers gets its next one in every step."""
    beginning = tokens[:_BEGINNING]
    for sequence in range(many):
        context.keep(sequence, 0)
        count = len(beginning)
        context.decode(beginning, range(count), [sequence] * count, [False] * (count - 1) + [True])
    rows = list(range(many))
    took: list[float] = []
    until = time.perf_counter() + _DECODE_S * part
    for position in range(_BEGINNING, min(_BEGINNING + _STEPS, context.n_context)):
        began = time.perf_counter()
        context.decode([tokens[position]] * many, [position] * many, rows, [True] * many).argmax(1)
        took.append(time.perf_counter() - began)
        if time.perf_counter() > until and len(took) > 2:
            break
    for sequence in rows:
        context.keep(sequence, 0)
    # The quicker half: what other programs take away now and then says nothing about this machine.
    return many / statistics.median(sorted(took)[: (len(took) + 1) // 2])


def _resident() -> int:
    """Bytes of this process in memory now; the most there ever were where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


if __name__ == "__main__":
    run(measure)

"""`gateway models bench`: how fast this machine computes with a model, and what to write in the configuration."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.commands.serve import config_file
from gateway.core.errors import ConfigurationError
from gateway.engine.machine import MOST_THREADS, physical_cores
from gateway.settings import load_settings

if TYPE_CHECKING:
    from gateway.engine.files.catalogue import ModelFile
    from gateway.engine.tuning.bench import Way

_QUICK = 0.15
_MUCH = 0.1
"""Of this machine, for other programs: one that begins in the middle makes a number of threads look slow."""
_HEAD = ("", "threads", "prompt", "1 answer", "8 answers", "first token", "memory", "file", "perplexity")
_UNITS = ("", "", "tok/s", "tok/s", "tok/s", "s", "MB", "MB", "")


def run(args: argparse.Namespace) -> int:
    from gateway.engine.tuning.bench import chosen, measured, thread_counts
    from gateway.engine.tuning.beside import Beside
    from gateway.engine.tuning.threads import keep_threads
    from gateway.setup.screen import Screen

    model = _model(args)
    counts = _counts(args.threads) if args.threads is not None else thread_counts(physical_cores())
    as_json = args.json or not sys.stdout.isatty()
    report = Screen(sys.stderr).report
    report(f"{model.id}: {str(model.path)!r}")
    busy = (load := os.getloadavg()[0]) > physical_cores() / 2
    if busy:
        report(
            f"other programs keep this machine busy (load {load:.1f}): measure again when they do not; nothing is kept"
        )
    beside = Beside()
    ways: list[Way] = []
    for way in measured(model.path, model.sha256, counts, report, part=_QUICK if args.quick else 1):
        ways.append(way)
        if as_json:
            _print_rows(way)
    choice, others = chosen(ways), beside.share()
    # What was looked at in part, or beside something else, says too little.
    partly = busy or others > _MUCH or args.quick or args.threads is not None
    kept = None if partly else keep_threads(model, choice.best.threads)
    if as_json:
        print(json.dumps({"choice": configuration(ways, choice), "kept": kept and str(kept)}))
    else:
        print(table(ways))
        print("\n" + "\n".join(verdict(ways, choice, kept)))
    if others > _MUCH and not busy:
        report(f"other programs had {100 * others:.0f} % of this machine meanwhile: measure again; nothing is kept")
    return 0


def _model(args: argparse.Namespace) -> ModelFile:
    from gateway.engine.files.catalogue import find

    if args.model:
        return find(args.model)
    settings, folder = load_settings(config_file(args.config))
    return find(settings.local.model, sha256=settings.local.sha256, base=folder)


def _counts(text: str) -> list[int]:
    try:
        counts = sorted({int(part) for part in text.split(",")})
    except ValueError:
        counts = [0]
    if not 1 <= counts[0] <= counts[-1] <= MOST_THREADS:
        raise ConfigurationError(f"--threads {text!r} is no list of numbers of threads; write for example 1,2,4")
    return counts


def configuration(ways: Sequence[Way], choice: Way) -> dict[str, Any]:
    """What to write under `local:`. Where `auto` makes no copy it is as good as `off`."""
    makes_copy = any(way.mode == "auto" for way in ways)
    return {"threads": choice.best.threads, "encode": choice.mode if choice.mode != "off" or makes_copy else "auto"}


def _print_rows(way: Way) -> None:
    for speed in way.speeds:
        row = {
            "encode": way.mode,
            "format": way.format,
            "threads": speed.threads,
            "prefill_tok_s": round(speed.prefill, 1),
            "decode_1_tok_s": round(speed.decode_one, 1),
            "decode_8_tok_s": round(speed.decode_many, 1),
            "first_token_s": round(speed.first_s, 3),
            "memory_mb": round(way.memory / 1e6, 1),
            "file_mb": round(way.size / 1e6, 1),
            "perplexity": round(way.perplexity, 3),
            "perplexity_change": round(way.change, 5),
            "perplexity_change_error": round(way.change_error, 5),
        }
        print(json.dumps(row), flush=True)


def table(ways: Sequence[Way]) -> str:
    """What a person reads: one line for each encoding and number of threads."""
    lines = [_HEAD, _UNITS]
    for way in ways:
        for index, speed in enumerate(way.speeds):
            of_way = (f"{way.memory / 1e6:.0f}", f"{way.size / 1e6:.0f}", _perplexity(way)) if not index else ("",) * 3
            lines.append(
                (
                    f"{way.format}{', as it is' if way.mode == 'off' else ''}" if not index else "",
                    str(speed.threads),
                    f"{speed.prefill:.0f}",
                    f"{speed.decode_one:.0f}",
                    f"{speed.decode_many:.0f}",
                    f"{speed.first_s:.2f}",
                    *of_way,
                )
            )
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip() for line in lines
    )


def _perplexity(way: Way) -> str:
    return f"{way.perplexity:.2f}" if way.mode == "off" else f"{_percent(way)}"


def _percent(way: Way) -> str:
    return f"{100 * way.change:+.1f} % ±{100 * way.change_error:.1f}"


def verdict(ways: Sequence[Way], choice: Way, kept: Path | None) -> list[str]:
    """The choice in sentences: what, why, and how to have it."""
    threads = choice.best.threads
    said = [f"Best here: {_named(choice)} with {threads} thread{'s' if threads > 1 else ''}{_gain(ways[0], choice)}."]
    for way in ways:
        if way is choice or way.mode == "off":
            continue
        times = choice.best.request_s / way.best.request_s
        speed = f"{times:.2f} times as fast" if times > 1 else "no faster"
        said.append(f"{way.format} would be {speed}; its perplexity differs by {_percent(way)} (encode: {way.mode}).")
    settings = configuration(ways, choice)
    said.append(f"In the configuration:   local: {{threads: {threads}, encode: {settings['encode']}}}")
    if kept is not None:
        said.append(
            f"`local.threads: auto` now means {threads} for this model on this machine (kept in {str(kept)!r})."
        )
    return said


def _named(way: Way) -> str:
    return f"the file as it is ({way.format})" if way.mode == "off" else way.format


def _gain(first: Way, choice: Way) -> str:
    if choice is first:
        return ""
    times = first.best.request_s / choice.best.request_s
    return f", {times:.1f} times as fast as the file as it is, perplexity {_percent(choice)}"

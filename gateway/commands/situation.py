"""What the deciding commands have in common: configuration, catalogue, policy, detectors, scorer, rows of input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.commands.serve import config_file
from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec
from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    from gateway.detect.worded import Worded
    from gateway.policy.evaluate import CompiledPolicy
    from gateway.score.scorer import EnsembleScorer


@dataclass(frozen=True, slots=True)
class Situation:
    settings: Settings
    folder: Path
    specs: list[BackendSpec]
    policy: Path


def situation(args: argparse.Namespace) -> Situation:
    """The configuration named (or the default one), its catalogue and its policy file. Opens nothing else."""
    from gateway.wiring import find_policy
    from gateway.wiring.catalogue import planned_specs

    settings, folder = load_settings(config_file(args.config))
    named: Path | None = getattr(args, "policy", None)
    policy = find_policy(named, Path.cwd()) if named else find_policy(settings.policy.path, folder)
    return Situation(settings, folder, planned_specs(settings, folder), policy)


@asynccontextmanager
async def detecting(here: Situation, policy: CompiledPolicy) -> AsyncGenerator[Worded]:
    """All that looks at a request in a gateway: rules, optional tiers, the policy's own words, the text of files.

    But not the judge: it is the local model, and no command waits for that to start.
    """
    from gateway.wiring.detection import build_detector, build_stack
    from gateway.wiring.places import packs_place

    detect = here.settings.detect.model_copy(update={"judge": None})
    settings = here.settings.model_copy(update={"detect": detect})
    async with AsyncExitStack() as stack:
        found = build_stack(settings, here.folder, packs_place(settings, here.folder), None, stack)
        yield build_detector(found, lambda: policy.own, stack)


def scoring(here: Situation) -> EnsembleScorer:
    """The scorer of a gateway with this configuration. Raises ConfigurationError."""
    from gateway.wiring.calibration import build_calibration
    from gateway.wiring.scoring import build_scorer

    calibration = build_calibration(here.settings, here.folder)
    return build_scorer(here.specs[0], here.settings.score, calibration, patient=True)


def rows(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Input as rows that hold `text` or `messages`: JSON lines from stdin, or all of stdin as one text."""
    if not args.jsonl:
        yield {"id": 1, "text": read_text()}
        return
    for number, line in enumerate(sys.stdin.buffer, 1):
        if line.strip():
            yield _row(number, line)


def chat_or_text() -> dict[str, Any]:
    """All of stdin as one row: a chat body if it is one, a text otherwise."""
    text = read_text()
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = None
    messages = body.get("messages") if isinstance(body, dict) else None
    if isinstance(messages, list) and all(isinstance(message, dict) for message in messages):
        return {"id": 1, **body}
    return {"id": 1, "text": text}


def read_text() -> str:
    """All of stdin, which must hold something. Its bytes are read as UTF-8 whatever the locale says."""
    if sys.stdin.isatty():
        print("type or paste a text here, and end it with Ctrl-D on a line of its own", file=sys.stderr)
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the input is not UTF-8 at byte {error.start}") from None
    if not text.strip():
        raise ConfigurationError("there is no text: give it on stdin, as plain text or as a chat body")
    return text


def _row(number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise ConfigurationError(
            f"line {number} is not JSON in UTF-8; each line is an object with id and text or messages"
        ) from None
    if not isinstance(row, dict) or not (isinstance(row.get("text"), str) or isinstance(row.get("messages"), list)):
        raise ConfigurationError(f"line {number} needs a 'text' (string) or 'messages' (list)")
    if not all(isinstance(message, dict) for message in row.get("messages") or ()):
        raise ConfigurationError(f"line {number}: every entry of 'messages' must be an object")
    return {"id": number, **row}


def document_of(row: dict[str, Any]) -> dict[str, Any]:
    """What detectors read: `$.text` for a text row, the whole body without the id for a chat."""
    if "messages" in row:
        return {name: value for name, value in row.items() if name != "id"}
    return {"text": row["text"]}


def messages_of(row: dict[str, Any]) -> list[dict[str, Any]]:
    given = row.get("messages")
    return given if isinstance(given, list) else [{"role": "user", "content": row["text"]}]

"""The detectors as configured, one around the other: rules, optional tiers, the policy's own words, files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.core.own_rules import OwnRules
from gateway.core.ports import LocalBackend
from gateway.detect import Scanner, sealed
from gateway.detect.attachments import Attachments
from gateway.detect.own import OwnDetector
from gateway.detect.scripts import Scripts
from gateway.detect.stack import Stack
from gateway.detect.worded import Worded
from gateway.settings import Settings


def build_stack(
    settings: Settings, folder: Path, packs: Path, local: LocalBackend | None, stack: AsyncExitStack | None = None
) -> Worded:
    """What is found whatever the policy says. `stack` closes it in the end. Raises ConfigurationError."""
    found = _stack(settings, folder, packs, local, stack)
    return found if settings.detect.other_scripts == "pass" else Scripts(found)


def _stack(
    settings: Settings, folder: Path, packs: Path, local: LocalBackend | None, stack: AsyncExitStack | None
) -> Stack:
    detect = settings.detect
    rules = _scanner(packs, detect.deadline_ms)
    if not any((detect.presidio, detect.onnx, detect.http, detect.judge)):
        return Stack(rules)
    from gateway.detect.adapters.build import build_detectors

    tiers = build_detectors(
        folder, local, presidio=detect.presidio, onnx=detect.onnx, http=detect.http, judge=detect.judge
    )
    built = Stack(rules, tiers)
    if stack is not None:
        stack.push_async_callback(built.aclose)
    return built


def _scanner(packs: Path, deadline_ms: float) -> Scanner:
    """With all that it was installed with: one that has lost a list or its weights would find less and say nothing."""
    from gateway.detect.tagger import Tagger

    try:
        sealed.check()
        return Scanner.load(cache_dir=packs, deadline_ms=deadline_ms, tagger=Tagger.load())
    except Exception as error:
        what = (str(error).splitlines() or [""])[0]
        raise ConfigurationError(
            f"the detector's rules are missing or damaged ({type(error).__name__}: {what}): install slm-gateway again"
        ) from error


def build_detector(found: Worded, rules: Callable[[], OwnRules], stack: AsyncExitStack | None = None) -> Attachments:
    """With the words that the policy in force adds, and the text of files. `stack` closes it in the end."""
    detector = Attachments(OwnDetector(found, rules))
    if stack is not None:
        stack.push_async_callback(detector.aclose)
    return detector

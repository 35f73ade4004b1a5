"""The detectors as configured, one around the other: rules, optional tiers, the policy's own words, files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.core.own_rules import OwnRules
from gateway.core.ports import LocalBackend
from gateway.detect import Scanner
from gateway.detect.attachments import Attachments
from gateway.detect.own import OwnDetector
from gateway.detect.stack import Stack
from gateway.settings import Settings


def build_stack(
    settings: Settings, folder: Path, packs: Path, local: LocalBackend | None, stack: AsyncExitStack | None = None
) -> Stack:
    """What is found whatever the policy says. `stack` closes it in the end. Raises ConfigurationError."""
    detect = settings.detect
    rules = Scanner.load(cache_dir=packs, deadline_ms=detect.deadline_ms)
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


def build_detector(found: Stack, rules: Callable[[], OwnRules], stack: AsyncExitStack | None = None) -> Attachments:
    """With the words that the policy in force adds, and the text of files. `stack` closes it in the end."""
    detector = Attachments(OwnDetector(found, rules))
    if stack is not None:
        stack.push_async_callback(detector.aclose)
    return detector

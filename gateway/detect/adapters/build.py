"""Builds the optional tiers that the operator switched on, or says what is missing for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.core.ports import LocalBackend
from gateway.detect.adapters.http import HttpFinder
from gateway.detect.adapters.judge import JudgeFinder, grey
from gateway.detect.adapters.onnx_tokens import OnnxFinder
from gateway.detect.adapters.options import HttpOptions, JudgeOptions, OnnxOptions, PresidioOptions, Terms
from gateway.detect.adapters.presidio import PresidioFinder
from gateway.detect.tier import Finder, Tier


def build_detectors(
    folder: Path,
    local: LocalBackend | None = None,
    *,
    presidio: PresidioOptions | None = None,
    onnx: OnnxOptions | None = None,
    http: HttpOptions | None = None,
    judge: JudgeOptions | None = None,
) -> Sequence[Tier]:
    """The tiers in the order in which they are merged. Relative paths start at `folder`.

    Raises ConfigurationError for a library, a model or an engine that is not there.
    """
    tiers: list[Tier] = []
    if presidio is not None:
        tiers.append(_tier(PresidioFinder.load(presidio), presidio))
    if onnx is not None:
        tiers.append(_tier(OnnxFinder(folder / onnx.folder.expanduser(), onnx), onnx))
    if http is not None:
        tiers.append(_tier(HttpFinder(http, folder), http))
    if judge is not None:
        if local is None:
            raise ConfigurationError("detect.judge asks the local model, and local.engine is off: take one of them out")
        tiers.append(
            Tier(
                JudgeFinder(local, judge),
                deadline_s=judge.deadline_ms / 1000,
                required=judge.required,
                unless=judge.unless,
                only_if=grey,
                last=True,
            )
        )
    return tiers


def _tier(finder: Finder, terms: Terms) -> Tier:
    return Tier(finder, deadline_s=terms.deadline_ms / 1000, required=terms.required, unless=terms.unless)

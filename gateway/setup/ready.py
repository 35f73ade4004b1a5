"""What `gateway serve` still needs on this machine, brought here at the first start."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import KNOWN
from gateway.setup.engine import ensure_engine
from gateway.setup.model import ensure_model
from gateway.setup.screen import Progress, Report, silent


def ensure_ready(
    model: str, report: Report, progress: Progress = silent, *, environ: Mapping[str, str] | None = None
) -> None:
    """Engine and model, unless GATEWAY_SETUP=never. Raises ConfigurationError naming what to run.

    A model named by path or by a registered id is the operator's to bring: `catalogue.find` says what is wrong.
    """
    environ = os.environ if environ is None else environ
    never = environ.get("GATEWAY_SETUP") == "never"
    if importlib.util.find_spec("llama_cpp") is None:
        if never:
            raise ConfigurationError("llama-cpp-python is not installed; run `python -m gateway.setup --engine`")
        ensure_engine(report, progress, environ=environ)
        importlib.invalidate_caches()
    if model in KNOWN and not never:
        ensure_model(model, report, progress)

"""The transforms that permits may demand, by name."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.ports import Detector, LocalBackend, Transform
from gateway.transform import Pseudonymise, Rewrite, Strip


def build_transforms(detector: Detector, local: LocalBackend | None, secret: bytes) -> Mapping[str, Transform]:
    """Without a local model there is nobody to rewrite: what a rule lets out only rewritten then stays."""
    transforms: list[Transform] = [Pseudonymise(detector, secret), Strip(detector)]
    if local is not None:
        transforms.append(Rewrite(local, detector))
    return {transform.name: transform for transform in transforms}

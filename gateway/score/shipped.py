"""The router that ships: fitted by `python -m gateway.score.train`, kept as small numbers, read at the first use."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway.score.weights import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gateway.score.router import Router

FILE = "ensemble.npz"
USUAL = ("lexical", "meaning", "static")
MEANING = "meaning.marks"
STEPS = 127
"""An int8 of a place of length one."""


@cache
def shipped(*, meanings: bool) -> Router:
    """With the heads that need an encoder, or without them: they take 5 MB. Raises weights.Damaged."""
    return unpacked(load(FILE), meanings=meanings)


def packed(router: Router) -> dict[str, NDArray[Any]]:
    """The arrays of a router with every head. Places shrink to a byte per number, weights to half precision."""
    import numpy as np

    from gateway.score.heads import Length, Near, Smooth, Words

    found: dict[str, NDArray[Any]] = {"usual": np.array([router.usual[name] for name in USUAL])}
    found["formula"] = np.array(router.formula)
    for name, head in router.heads.items():
        found[f"{name}.numbers"] = np.array([head.mean, head.spread, head.worth])
        if isinstance(head, Smooth):
            small = np.round(head.marks * STEPS).astype(np.int8) if name != "lexical" else head.marks.astype(np.float16)
            found |= {f"{name}.marks": small, f"{name}.weights": head.weights, f"{name}.gamma": np.array(head.gamma)}
        elif isinstance(head, Near):
            found |= {f"{name}.gains": head.gains.astype(np.float16), f"{name}.count": np.array(head.count)}
        elif isinstance(head, Words):
            found |= {f"{name}.rare": head.rare.astype(np.float16), f"{name}.weights": head.weights.astype(np.float16)}
        elif not isinstance(head, Length):
            found[f"{name}.weights"] = head.weights
    return found


def unpacked(arrays: Mapping[str, NDArray[Any]], *, meanings: bool = True) -> Router:
    """The router of `packed`. Raises KeyError or ValueError for arrays that are none."""
    import numpy as np

    from gateway.score.heads import LINES, Head, Length, Line, Near, Smooth, Words
    from gateway.score.router import Router
    from gateway.score.smooth import squared
    from gateway.score.views import MEANT

    heads: dict[str, Head] = {}
    marks = {
        key: _places(array) for key, array in arrays.items() if key.endswith(".marks") and (meanings or key != MEANING)
    }
    names = [key.removesuffix(".numbers") for key in arrays if key.endswith(".numbers")]
    for name in [name for name in names if meanings or name not in MEANT]:
        mean, spread, worth = (float(number) for number in arrays[f"{name}.numbers"])
        if name == "length":
            heads[name] = Length(mean, spread, worth)
        elif name == "words":
            rare, weights = (arrays[f"{name}.{part}"].astype(np.float32) for part in ("rare", "weights"))
            heads[name] = Words(rare, weights, mean, spread, worth)
        elif name == "neighbours":
            gains = arrays[f"{name}.gains"].astype(np.float32)
            # Its places are those of `meaning`: the same landmarks.
            heads[name] = Near(marks[MEANING], gains, int(arrays[f"{name}.count"]), mean, spread, worth)
        elif name in LINES:
            heads[name] = Line(name, arrays[f"{name}.weights"], mean, spread, worth)
        else:
            own, gamma = marks[f"{name}.marks"], float(arrays[f"{name}.gamma"])
            heads[name] = Smooth(name, own, squared(own), arrays[f"{name}.weights"], gamma, mean, spread, worth)
    usual = dict(zip(USUAL, map(float, arrays["usual"]), strict=True))
    mean, spread = map(float, arrays["formula"])
    return Router(heads, {name: near for name, near in usual.items() if name in heads}, (mean, spread))


def _places(marks: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    found = marks.astype(np.float32)
    return found / STEPS if marks.dtype == np.int8 else found

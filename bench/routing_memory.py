"""Fits the gateway's router as it fits itself, reading every text once: suites ask about the same texts many times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from gateway.score.encoder import Encoder
from gateway.score.router import HEADS, Router, fit_views
from gateway.score.smooth import Array
from gateway.score.views import MEANT, Views, views

AT_ONCE = 2048
Rows: TypeAlias = tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...], int]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A fitted router that looks its texts up."""

    router: Router
    memory: Memory
    encoder: bool

    def gain(self, texts: Sequence[str]) -> Sequence[float]:
        found: list[float] = self.router.joined(self.memory.views(texts, encoder=self.encoder)).tolist()
        return found

    def parts(self, texts: Sequence[str]) -> Mapping[str, Sequence[float]]:
        said = self.router.said(self.memory.views(texts, encoder=self.encoder))
        return {name: each.tolist() for name, each in said.items()}


def _fast(whole: Router) -> Router:
    """Without the heads that need the encoder."""
    heads = {name: head for name, head in whole.heads.items() if name not in MEANT}
    return Router(heads, {name: usual for name, usual in whole.usual.items() if name in heads}, whole.formula)


@dataclass(slots=True)
class Memory:
    """What the heads look at, by text; nothing leaves the process. The encoder reads only where it is asked for."""

    encoder: bool
    reader: Encoder = field(default_factory=Encoder)
    _known: dict[str, int] = field(default_factory=dict)
    _parts: list[Views] = field(default_factory=list)
    _last: tuple[Rows, Router] | None = None

    def fit(
        self, texts: Sequence[str], weak: Sequence[float], strong: Sequence[float], *, encoder: bool, seed: int
    ) -> Remembered:
        """Heads are fitted each for itself, so one fit serves the fast ensemble and the whole one."""
        key = (tuple(texts), tuple(weak), tuple(strong), seed)
        if self._last is None or self._last[0] != key:
            gains = np.asarray(strong, dtype=np.float64) - np.asarray(weak, dtype=np.float64)
            self._last = key, fit_views(self.views(texts, encoder=self.encoder), gains, self._heads(), seed)
        whole = self._last[1]
        return Remembered(whole if encoder or not self.encoder else _fast(whole), self, encoder)

    def _heads(self) -> list[str]:
        return [name for name in HEADS if self.encoder or name not in MEANT]

    def views(self, texts: Sequence[str], *, encoder: bool) -> Views:
        """The same as `gateway.score.views.views` gives."""
        self._read([text for text in dict.fromkeys(texts) if text not in self._known])
        rows = [divmod(self._known[text], AT_ONCE) for text in texts]
        return Views(
            lexical=self._rows(rows, "lexical"),
            words=[self._parts[part].words[at] for part, at in rows],
            static=self._rows(rows, "static"),
            relations=self._rows(rows, "relations"),
            meaning=self._rows(rows, "meaning") if encoder else None,
        )

    def _read(self, new: Sequence[str]) -> None:
        for start in range(0, len(new), AT_ONCE):
            some = new[start : start + AT_ONCE]
            self._known |= {text: len(self._parts) * AT_ONCE + at for at, text in enumerate(some)}
            self._parts.append(views(some, self._heads(), self.reader))

    def _rows(self, rows: Sequence[tuple[int, int]], view: str) -> Array:
        return np.array([getattr(self._parts[part], view)[at] for part, at in rows])

"""Finds what a text says of a person's life or of the house's affairs. A word alone is none: it must be tied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.detect.clock import Clock
from gateway.detect.hits import Hit
from gateway.detect.topics import affairs, health, invented, lexicon, people
from gateway.detect.topics.lexicon import Lexicon, fold
from gateway.detect.topics.scene import Scene, read
from gateway.detect.topics.tokens import WORD, cut

WINDOW = 6000
"""Characters read together: a report is longer, but what ties a word to a person is not."""
OVERLAP = 600
KINDS = frozenset(
    {
        "health_fact",
        *people.SPECIAL,
        "minor",
        "person",
        "salary",
        "debt",
        "finances",
        "legal_privilege",
        "merger",
        "trade_secret",
    }
)
CATEGORIES = frozenset({"health", "special", "minor", "person", "financial", "legal", "confidential"})


class Topics:
    """The lexicons, ready to run. Shared by every request and thread."""

    def __init__(self, words: Lexicon) -> None:
        self._words = words
        self.digest = words.digest

    @classmethod
    def load(cls) -> Topics:
        return cls(lexicon.load())

    def search(self, text: str, clock: Clock, names: Sequence[tuple[int, int]] = ()) -> Iterator[list[Hit]]:
        """What stands in `text`, window by window. `names` are people that another detector has seen in it."""
        for low in range(0, max(len(text), 1), WINDOW):
            clock.check()
            begin = max(0, low - OVERLAP)
            window = text[begin : low + WINDOW + OVERLAP]
            inside = [
                (start - begin, end - begin) for start, end in names if begin <= start and end <= begin + len(window)
            ]
            yield list(self._window(window, begin, low, low + WINDOW, inside))

    def _window(self, window: str, begin: int, low: int, high: int, names: Sequence[tuple[int, int]]) -> Iterator[Hit]:
        folded = fold(window)
        every: list[str] = WORD.findall(folded)
        words = set(every)
        told = self._words.may_tell(every, words, window)
        if told is None:
            return
        tokens = cut(window, folded)
        scene = read(tokens, words, self._words, told, names)
        if scene is None:
            return
        if not begin and (real := invented.real_in(folded)) is not None:
            scene.keep(real)
        for fact in _facts(scene):
            start, end = begin + tokens.start(fact.first), begin + tokens.end(fact.last)
            if low <= start < high:
                said = " ".join(tokens.words[fact.first : fact.last + 1])
                value = hash((fact.kind, said))
                yield Hit(fact.kind, fact.category, fact.confidence, start, end, value, detector="topics")


def _facts(scene: Scene) -> Iterator[health.Fact]:
    yield from health.health(scene)
    yield from people.special(scene)
    yield from people.minors(scene)
    yield from people.names(scene)
    yield from affairs.money(scene)
    yield from affairs.law(scene)
    yield from affairs.house(scene)

"""How many steps a word problem takes: the longer it is and the more relations it states, the more can go wrong.

Among word problems in plain words nothing that was learnt on other tasks orders better than length does, and what they
state about each other (twice as many, the rest, more than) says something that length does not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

import numpy as np

from gateway.score.features import NAMES
from gateway.score.lexicon import DATA, lines_of
from gateway.score.smooth import Array

PER_LENGTH, PER_RELATION = 0.4, 0.7
"""What a spread of length and a whole ln of relations count, in z. Chosen by hand on LLMRouter's grade-school tasks, on
which four weak models agree."""
USUAL_LENGTH, SPREAD, MOST = 0.547, 0.051, 2.0
"""Of word problems, on the scale of the feature `length` (45 words), and the spreads beyond which it counts no more."""
USUAL_RELATIONS = 0.85
LONGEST = 0.7
"""Of the feature `length`, 130 words: what is longer is no word problem, or not only one."""
_PROBLEM, _LENGTH = NAMES.index("problem"), NAMES.index("length")
_OTHERWISE = [NAMES.index(cue) for cue in ("choices", "expert", "maths", "code")]
"""A question with choices, of a special field, a formula or a program is another kind of task."""


@cache
def words() -> frozenset[str]:
    """Read at the first use, not at import."""
    return frozenset(word for _, entries in lines_of(DATA / "relations.txt") for word in entries)


def relations(tokens: Iterable[str]) -> float:
    """ln(1 + words that relate one quantity to another)."""
    return math.log1p(sum(map(words().__contains__, tokens)))


def plain(lexical: Array) -> Array:
    """1 for a word problem in plain words, 0 for everything else."""
    other = np.add.reduce(lexical[..., _OTHERWISE], axis=-1)
    found: Array = (lexical[..., _PROBLEM] >= 1.0) & (other == 0.0) & (lexical[..., _LENGTH] < LONGEST)
    return found.astype(np.float32)


def steps(lexical: Array, stated: Array) -> Array:
    """In z: more or fewer than a usual word problem takes."""
    longer = (lexical[..., _LENGTH] - USUAL_LENGTH) / SPREAD
    bounded = np.minimum(np.maximum(longer, -MOST), MOST)
    found: Array = PER_LENGTH * bounded + PER_RELATION * (stated - USUAL_RELATIONS)
    return found

"""Texts for the model under measurement: each new from its first word, so that no prompt cache can help."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count

SYSTEM = "You are a helpful AI assistant."
"""Sent with every request: without one, each server would put a different text of its own before the question."""

_PLACES = (
    "harbour", "orchard", "library", "workshop", "railway station", "observatory", "market square", "lighthouse",
    "glass house", "mountain hut", "ferry", "bakery", "museum", "quarry", "theatre", "mill",
)  # fmt: skip
_PEOPLE = (
    "a gardener", "a retired pilot", "a watchmaker", "two cousins", "a night nurse", "a cartographer", "a baker",
    "a violin teacher", "an apprentice", "a beekeeper", "a young botanist", "a stubborn carpenter", "a translator",
)  # fmt: skip
_THINGS = (
    "an old compass", "a folded map", "a crate of lemons", "a silver bell", "a broken radio", "a jar of seeds",
    "a borrowed bicycle", "a letter without a stamp", "a painted door", "a box of keys", "a torn umbrella",
)  # fmt: skip
_DEEDS = (
    "waits for the rain to stop", "counts the steps to the tower", "repairs the clock above the gate",
    "argues about the price of copper", "follows a trail of blue chalk", "hides the last candle under the stairs",
    "reads the weather from the birds", "learns to walk without a sound", "writes every name into a green notebook",
    "trades stories for a warm supper", "measures the shadow of the bridge", "listens to the pipes in the wall",
)  # fmt: skip
_RULES = (
    "Answer in the tone of somebody who looks after the {place} and has time for every visitor.",
    "When a question is about {thing}, say first where it was found and only then what it is good for.",
    "Never promise what {person} could not keep within a single afternoon.",
    "If somebody {deed}, thank them kindly and offer the bench beside the {place}.",
    "Give distances in steps, weights in baskets, and times by the bell of the {place}.",
    "Whoever mentions {thing} is a friend of the house and may ask twice.",
)


def _words(dice: random.Random) -> dict[str, str]:
    return {
        "place": dice.choice(_PLACES),
        "person": dice.choice(_PEOPLE),
        "thing": dice.choice(_THINGS),
        "deed": dice.choice(_DEEDS),
    }


def stories(seed: int, sentences: int = 5) -> Iterator[str]:
    """Requests for a long answer; with five sentences about 220 tokens, the template's own included."""
    for number in count():
        dice = random.Random(f"{seed} {number}")
        lines = []
        for _ in range(sentences):
            word = _words(dice)
            lines.append(
                f"In the {word['place']} {word['person']} finds {word['thing']} and {word['deed']}, "
                f"while {dice.choice(_PEOPLE)} from the {dice.choice(_PLACES)} {dice.choice(_DEEDS)}."
            )
        yield (
            f"Tale {dice.randrange(10**6)} of the {dice.choice(_PLACES)}. {' '.join(lines)} "
            "Continue this tale in great detail, sentence after sentence."
        )


def handbooks(seed: int, rules: int = 21) -> Iterator[str]:
    """System prompts of about 400 tokens, no two alike."""
    for number in count():
        dice = random.Random(f"handbook {seed} {number}")
        lines = [dice.choice(_RULES).format(**_words(dice)) for _ in range(rules)]
        yield f"Handbook {dice.randrange(10**6)} of the {dice.choice(_PLACES)}. " + " ".join(lines)

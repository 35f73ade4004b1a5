"""Which texts of a vocabulary structure a chat, and finding them in what clients write, however many there are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import groupby

_MARKUP = re.compile(r"<[|｜].*>|<.*[|｜]>|<(?:start|end)_of_.*>", re.DOTALL)


def looks_like_control(text: str) -> bool:
    """Whether a token that its file does not call a control token must be one, as `<|START_OF_TURN_TOKEN|>`.

    Some files say "user defined" of those, as they do of HTML tags and runs of spaces.
    """
    return _MARKUP.fullmatch(text) is not None


def any_of(texts: Collection[str]) -> re.Pattern[str] | None:
    """A pattern for the longest of these at each place; None where there are none.

    Common beginnings are written once: some vocabularies have six thousand such texts, all with `<` in front, and
    trying one after the other at each `<` of a long message would take minutes.
    """
    wanted = sorted({text for text in texts if text})
    return re.compile(_tree(wanted, 0)) if wanted else None


def _tree(texts: list[str], at: int) -> str:
    """What follows the first `at` characters, which these sorted texts have in common."""
    ends = len(texts[0]) == at
    branches = list(_branches(texts[1:] if ends else texts, at))
    if not branches:
        return ""
    together = f"(?:{'|'.join(branches)})" if len(branches) > 1 or ends else branches[0]
    return together + "?" if ends else together


def _branches(texts: list[str], at: int) -> Iterator[str]:
    for _, group in groupby(texts, key=lambda text: text[at]):
        alike = list(group)
        end = at + 1
        while all(len(text) > end and text[end] == alike[0][end] for text in alike):
            end += 1
            if end == len(alike[0]):
                break
        yield re.escape(alike[0][at:end]) + _tree(alike, end)

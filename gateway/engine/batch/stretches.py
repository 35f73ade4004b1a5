"""A prompt cut where it goes on and on without a break, so that llama.cpp can tokenize it.

Many pre-tokenizers (Mistral's, DeepSeek's, that of gpt-oss) are run there by `std::regex`, which calls itself once per
character of a match: some 25,000 letters in a row overflow the stack and end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST = 4096
"""Characters in a row. No language has such words; what a cut changes is how a run of one sign is spelt in tokens."""
_STRETCH = re.compile(r"\S+|\s+")
_OPENS = ("<", "[")
"""How special tokens begin, `<|im_end|>` and `[INST]`; no cut goes through one."""
_LONGEST_SPECIAL = 64


def pieces(text: str) -> Iterator[str]:
    """Parts that add up to the text, with no stretch of words alone or white space alone longer than LONGEST."""
    begin = 0
    for stretch in _STRETCH.finditer(text) if len(text) > LONGEST else ():
        start, end = stretch.span()
        while end - start > LONGEST:
            start = _cut(text, start + LONGEST)
            yield text[begin:start]
            begin = start
    yield text[begin:]


def _cut(text: str, at: int) -> int:
    opened = max(text.rfind(sign, at - _LONGEST_SPECIAL, at) for sign in _OPENS)
    return opened if opened > 0 else at

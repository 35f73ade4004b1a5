"""Says which rules a text could possibly match, so that the others cost nothing.

Two gates with one answer: an automaton over all rules at once (hyperscan), and, where there is no wheel for it, the
words that each rule needs. Both may say yes in vain; neither may say no where a rule would match.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import tempfile
import threading
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from gateway.detect.rules import Rule

log = logging.getLogger(__name__)


class Gate(Protocol):
    name: str

    def fired(self, text: str) -> Sequence[int]:
        """Numbers of the patterns worth trying on `text`, in order."""
        ...


class Open:
    """Lets every rule through: what the other gates are compared with."""

    name = "open"

    def __init__(self, count: int) -> None:
        self._all = range(count)

    def fired(self, text: str) -> Sequence[int]:
        return self._all


class Words:
    """Without hyperscan: a rule is tried when one of its words, or enough digits, are there."""

    name = "words"

    def __init__(self, rules: Sequence[Rule], probes: Sequence[str]) -> None:
        by_word: dict[str, list[int]] = {}
        self._wordless = [number for number, rule in enumerate(rules) if not rule.literals]
        self._digits = [rule.digits for rule in rules]
        for number, rule in enumerate(rules):
            for word in rule.literals:
                by_word.setdefault(word, []).append(number)
        self._by_word = by_word
        self._probes = [(len(rules) + n, re.compile(probe)) for n, probe in enumerate(probes)]

    def fired(self, text: str) -> Sequence[int]:
        folded = lowered(text)
        digits = sum(map(str.isdigit, text))
        numbers = set(self._wordless)
        for word, rules in self._by_word.items():
            if word in folded:
                numbers.update(rules)
        needed = sorted(number for number in numbers if digits >= self._digits[number])
        return [*needed, *(number for number, probe in self._probes if probe.search(text))]


def lowered(text: str) -> str:
    """What `re.IGNORECASE` compares, character for character: lower case, the two letters that fold into ASCII too."""
    if text.isascii():
        return text.lower()
    return text.replace("İ", "i").lower().replace("ſ", "s").replace("\u212a", "k")


class Automaton:
    """All patterns in one hyperscan database, each reported at most once per text."""

    name = "hyperscan"

    def __init__(self, database: Any) -> None:
        import hyperscan

        self._database = database
        self._new_scratch = hyperscan.Scratch
        self._local = threading.local()

    def fired(self, text: str) -> Sequence[int]:
        try:
            scratch = self._local.scratch
        except AttributeError:  # one working memory per thread: two threads must not share it
            scratch = self._local.scratch = self._new_scratch(self._database)
        numbers: list[int] = []
        self._database.scan(text.encode(), match_event_handler=_note, context=numbers, scratch=scratch)
        numbers.sort()
        return numbers


def _note(number: int, start: int, end: int, flags: int, context: list[int]) -> None:
    context.append(number)


def automaton(patterns: Sequence[str], cache_dir: Path | None) -> Automaton:
    """The compiled patterns, from `cache_dir` where an earlier start left them there."""
    import hyperscan  # first, so that a machine without it says so

    key = hashlib.sha256("\0".join((metadata.version("hyperscan"), *patterns)).encode()).hexdigest()
    path = cache_dir / f"detect-{key[:16]}.hs" if cache_dir else None
    database = _read(path, key) if path else None
    if database is None:
        database = _compile(patterns)
        if path is not None:
            _write(path, key, hyperscan.dumpb(database))
    return Automaton(database)


def _compile(patterns: Sequence[str]) -> Any:
    import hyperscan

    # Prefilter mode lets hyperscan drop what it lacks (lookarounds), which can only make a pattern match more.
    flags = (
        hyperscan.HS_FLAG_PREFILTER
        | hyperscan.HS_FLAG_SINGLEMATCH
        | hyperscan.HS_FLAG_UTF8
        | hyperscan.HS_FLAG_ALLOWEMPTY
    )
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.encode() for pattern in patterns],
        ids=list(range(len(patterns))),
        flags=[flags] * len(patterns),
    )
    return database


def _read(path: Path, key: str) -> Any:
    """The cached database, or None. The digest comes first: hyperscan trusts what it is given to load."""
    import hyperscan

    try:
        with path.open("rb") as file:  # megabytes: read once, and never put together with anything
            digest, body = file.readline().removesuffix(b"\n"), file.read()
        if digest.decode("ascii") != _seal(key, body):
            return None
        database = hyperscan.loadb(body, hyperscan.HS_MODE_BLOCK)
        hyperscan.Scratch(database)  # fails for a database made for another kind of processor
    except (OSError, ValueError, hyperscan.HyperscanError):
        return None
    return database


def _write(path: Path, key: str, body: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_seal(key, body).encode() + b"\n" + body)
        Path(name).chmod(0o644)  # rules are no secret: an image built by root is run by somebody else
        Path(name).replace(path)
        for older in set(path.parent.glob(f"detect-*{path.suffix}")) - {path}:
            older.unlink(missing_ok=True)  # packs of earlier rules, five megabytes each
    except OSError as error:  # a read-only disk costs the next start a second, nothing more
        log.warning("compiled detector pack not cached in %s: %s", path.parent, error.strerror)


def _seal(key: str, body: bytes) -> str:
    digest = hashlib.sha256(key.encode())
    digest.update(body)
    return digest.hexdigest()

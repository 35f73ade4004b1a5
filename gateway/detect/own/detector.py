"""A detector that knows the operator's own rules beside the built-in ones. It never raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio.to_thread

from gateway.core.masking import OWN
from gateway.core.own_rules import OwnRules
from gateway.core.types import Finding, Json, Scan, Unreadable
from gateway.detect.clock import Clock, DeadlineError
from gateway.detect.merge import Merge
from gateway.detect.own.book import Book
from gateway.detect.walk import Text, TooManyError, walk
from gateway.detect.worded import Around, Worded, pack_of

_MEMO = "gateway.detect.own"
_ON_LOOP = 20_000
"""Up to so many characters are read without a thread: they take a few milliseconds."""
_NODES = 2000


class OwnDetector(Around):
    """`inner`, then what the policy in force adds: own findings beside its findings, and exceptions from both.

    The policy may be another one at the next request, so the rules are asked for at each.
    """

    def __init__(self, inner: Worded, rules: Callable[[], OwnRules], *, deadline_ms: float = 250.0) -> None:
        """`deadline_ms` is processor time for one document, on top of what `inner` takes."""
        super().__init__(inner)
        self._rules = rules
        self._deadline_ms = deadline_ms
        self._book: tuple[OwnRules, Book] | None = None

    @property
    def pack(self) -> str:
        return self._pack(self._rules())

    @property
    def kinds(self) -> frozenset[str]:
        """The words of the inner detector and of the rules in force."""
        return self._inner.kinds.union(rule.kind for rule in self._rules().rules)

    @property
    def categories(self) -> frozenset[str]:
        return self._inner.categories.union(rule.category for rule in self._rules().rules)

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan:
        memory = {} if seen is None else seen
        scan = await self._inner.scan(document, memory)
        try:
            rules = self._rules()
            if not rules.rules and not rules.exceptions:
                return scan
            clock = Clock(self._deadline_ms)
            try:
                return self._added(document, scan, rules, memory, clock, at_most=_NODES, characters=_ON_LOOP)
            except TooManyError:
                return await anyio.to_thread.run_sync(self._in_thread, document, scan, rules, memory)
        except DeadlineError:
            return _unread(scan, "deadline")
        except Exception:  # noqa: BLE001 - whatever it is, nobody has looked for what this house calls private
            return _unread(scan, "detector_failed")

    def _in_thread(self, document: Mapping[str, Json], scan: Scan, rules: OwnRules, seen: dict[Any, Any]) -> Scan:
        # The clock begins here: processor time is counted per thread.
        return self._added(document, scan, rules, seen, Clock(self._deadline_ms))

    def _added(
        self,
        document: Mapping[str, Json],
        scan: Scan,
        rules: OwnRules,
        seen: dict[Any, Any],
        clock: Clock,
        at_most: float = float("inf"),
        characters: float = float("inf"),
    ) -> Scan:
        book = self._compiled(rules)
        walked = walk(document, clock, at_most)
        if walked.characters > characters:
            raise TooManyError
        merge = Merge(book.exceptions.kept(scan.findings, walked.texts), walked.texts)
        own: list[Finding] = []
        if book.looks():
            own += [Merge.finding(OWN, path, span) for path, span in book.in_fields(walked.texts)]
            for text in walked.texts:
                key = (_MEMO, rules.digest, text.text)
                spans = seen.get(key)
                if spans is None:
                    spans = seen[key] = book.in_text(text.text, clock)
                own.extend(Merge.finding(OWN, text.path, span) for span in spans)
            merge.add(_ordered(book.exceptions.kept(own, walked.texts), walked.texts))
        # What the walk could not read the inner detector has said, if it could not read it either.
        return replace(scan, findings=merge.findings, pack=self._pack(rules), generic=scan.generic and not own)

    def _compiled(self, rules: OwnRules) -> Book:
        kept = self._book
        if kept is None or kept[0] is not rules:
            kept = self._book = (rules, Book(rules))
        return kept[1]

    def _pack(self, rules: OwnRules) -> str:
        if not rules.rules and not rules.exceptions:
            return self._inner.pack
        return pack_of(self._inner.pack, OWN, rules.digest)


def _ordered(findings: Sequence[Finding], texts: Sequence[Text]) -> list[Finding]:
    """As they stand, the wider first: what stands inside another of its kind is the same thing, seen again."""
    order = {text.path: number for number, text in enumerate(texts)}
    return sorted(findings, key=lambda each: (order[each.place.path], each.place.start, -each.place.end))


def _unread(scan: Scan, reason: str) -> Scan:
    unread = (*scan.unreadable, Unreadable("$", reason))
    return replace(scan, unreadable=tuple(dict.fromkeys(unread)), generic=False)

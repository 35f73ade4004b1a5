"""The detector: walks a document, reads every string every way, and says what is where. It never raises."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import anyio.lowlevel
import anyio.to_thread

from gateway.core.types import Finding, Json, Place, Scan, Unreadable
from gateway.detect import names as third
from gateway.detect.candidate import APART
from gateway.detect.clock import Clock, DeadlineError
from gateway.detect.hits import Hit, moved, settle
from gateway.detect.joined import Joint, beside, inside, joints, lefts, masked
from gateway.detect.names import SHIPPED, Names, Shipped
from gateway.detect.normalise import normalise
from gateway.detect.pack import PROVEN, Pack
from gateway.detect.topics import Topics
from gateway.detect.topics.topics import CATEGORIES, KINDS
from gateway.detect.verdicts import NOTHING, Verdict, Verdicts
from gateway.detect.views import build
from gateway.detect.walk import Text, TooManyError, Walk, walk

Locate: TypeAlias = Callable[[int, int], tuple[int, int]]

SHORTEST = 6
"""No rule matches less, so shorter strings are only looked at where they join others."""
_STEP = 10_000
"""Characters scanned between two looks at the event loop."""
_OFF_LOOP = 50_000
"""From this many characters on, a thread scans."""
_NODES = 2000
"""More nodes than this are walked in a thread: these take some 5 ms."""
_STRING = 250
"""What a string costs however short it is, in characters of a long one."""
_LEFT = 60
"""How far into a text what was said before it is context."""
_DIGIT = re.compile(r"\d")
_DEPTH = 3
"""Encodings inside encodings that are opened; what is encoded deeper cannot be read."""
_LABEL = 64
_MEMO = "gateway.detect"


@dataclass(slots=True)
class _Reader:
    """Reads one string in every way and collects what the rules say about each reading."""

    pack: Pack
    topics: Topics
    names: Names | None
    clock: Clock
    hits: list[Hit] = field(default_factory=list)
    """Hits in character-by-character readings, in code points of the raw string."""
    inside: list[Hit] = field(default_factory=list)
    """Hits inside encoded runs: each stands where its run stands."""
    reasons: set[str] = field(default_factory=set)

    def read(self, raw: str) -> Generator[int, None, Verdict]:
        yield from self._text(raw, "raw", lambda start, end: (start, end), 0, None)
        if not self.hits and not self.inside and not self.reasons:
            return NOTHING
        kept = settle(self.hits)
        for hit in dict.fromkeys(self.inside):
            if not any(hit.kind == other.kind and hit.start < other.end and other.start < hit.end for other in kept):
                kept.append(hit)
        return Verdict(tuple(kept), tuple(sorted(self.reasons)))

    def _text(
        self, text: str, view: str, locate: Locate, depth: int, run: tuple[int, int] | None
    ) -> Generator[int, None, None]:
        """A text, normalised. `run` is the encoded run it came out of."""
        again = False
        for reading in normalise(text, self.clock):
            if reading is None:
                yield 1000
                continue
            inner = _composed(reading.locate, locate)
            name = view if view != "raw" or reading.view == "raw" else reading.view
            yield from self._reading(reading.text, name, inner, depth, run, again=again)
            again = True  # the same words with a space for every hidden character: rules alone read them twice

    def _reading(
        self,
        text: str,
        view: str,
        locate: Locate,
        depth: int,
        run: tuple[int, int] | None,
        *,
        guess: str = "",
        again: bool = False,
    ) -> Generator[int, None, None]:
        probes: set[str] = set()
        hits: list[Hit] = []
        for found in self.pack.search(text, self.clock, guess=guess, proven=view == "marked"):
            hits.extend(found.hits)
            probes |= found.probes
            yield _STRING + min(len(text), 4000)
        if not guess and not again:
            yield from self._lives(text, hits)
            hits = third.joined(hits)
        if view == "marked":  # the cells of a table: what luck passes does not count
            hits = [hit for hit in hits if _proven(hit)]
        self._keep(hits, view, locate, run)
        if probes and not guess:
            yield from self._views(text, probes, view, locate, depth, run)

    def _lives(self, text: str, hits: list[Hit]) -> Generator[int, None, None]:
        """Tiers 2 and 3, on what was decoded as well: a name in a link's query or an escaped string is a name."""
        people: list[Hit] = []
        if self.names is not None:
            for seen in third.search(self.names, text, self.clock):
                people.extend(seen)
                yield _STRING + min(len(text), 4000)
        spans = [(hit.start, hit.end) for hit in people if hit.kind == "person"]
        for told in self.topics.search(text, self.clock, spans):
            hits.extend(told)
            yield min(len(text), 6000)
        hits.extend(people)

    def _keep(self, hits: list[Hit], view: str, locate: Locate, run: tuple[int, int] | None) -> None:
        if run is not None:
            self.inside.extend(moved(hit, *run, view) for hit in settle(hits))
        else:
            self.hits.extend(moved(hit, *locate(hit.start, hit.end), view) for hit in hits)

    def _views(
        self, text: str, probes: set[str], view: str, locate: Locate, depth: int, run: tuple[int, int] | None
    ) -> Generator[int, None, None]:
        self.clock.check()
        seen = build(text, probes, self.clock)
        if seen.opaque:
            self.reasons.add("encoded")
        if depth >= _DEPTH and (seen.runs or any(not guess for _, guess in seen.readings)):
            self.reasons.add("encoded")
            return
        for reading, guess in seen.readings:
            inner = _composed(reading.locate, locate)
            if guess:
                yield from self._reading(reading.text, reading.view, inner, depth + 1, run, guess=reading.view)
            else:
                yield from self._text(reading.text, reading.view, inner, depth + 1, run)
        for name, decoded, start, end in seen.runs:
            yield from self._text(decoded, name, locate, depth + 1, run or locate(start, end))


def _context(said: Mapping[str, str], text: Text) -> str:
    """What was said before a text that begins with something it could explain; else nothing."""
    left = said.get(text.path, "")
    return masked(left) if left and _DIGIT.search(text.text, 0, _LEFT) else ""


def _proven(hit: Hit) -> bool:
    return hit.confidence == 1 and hit.category in PROVEN


def _composed(inner: Locate, outer: Locate) -> Locate:
    def locate(start: int, end: int) -> tuple[int, int]:
        return outer(*inner(start, end))

    return locate


class Scanner:
    """Tiers 0 to 3: every string, every reading, every rule, within a deadline."""

    def __init__(
        self,
        pack: Pack,
        *,
        deadline_ms: float = 250.0,
        tagger: Names | None = None,
        verdicts: Verdicts | None = None,
    ) -> None:
        self._pack = pack
        self._topics = Topics.load()
        self._names = tagger
        self._deadline_ms = deadline_ms
        self._verdicts = Verdicts() if verdicts is None else verdicts
        parts = (pack.digest, self._topics.digest, tagger.digest if tagger is not None else "")
        self._digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @classmethod
    def load(
        cls,
        *,
        cache_dir: Path | None = None,
        deadline_ms: float = 250.0,
        use_hyperscan: bool = True,
        tagger: Names | Shipped | None = SHIPPED,
    ) -> Scanner:
        """The shipped rules, words and weights. `deadline_ms` is processor time for one document; `cache_dir` keeps the
        automaton; `tagger` is another one, or None for no names. ValueError where the weights are damaged."""
        names = third.shipped() if tagger == SHIPPED else tagger
        pack = Pack.load(cache_dir=cache_dir, use_hyperscan=use_hyperscan)
        return cls(pack, deadline_ms=deadline_ms, tagger=names)

    @property
    def pack(self) -> str:
        return self._digest

    @property
    def kinds(self) -> frozenset[str]:
        """Every word that a finding's `kind` may be."""
        return self._pack.kinds | KINDS | (third.KINDS if self._names is not None else frozenset())

    @property
    def categories(self) -> frozenset[str]:
        """Every word that a finding's `category` may be."""
        return self._pack.categories | CATEGORIES

    @property
    def contexts(self) -> frozenset[str]:
        """Every word that a finding's `near` may hold."""
        return self._pack.contexts

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan:
        """What is in `document`; what could not be read, or not in time, is in `unreadable`."""
        clock, memory = Clock(self._deadline_ms), {} if seen is None else seen
        try:
            try:
                walked = walk(document, clock, at_most=_NODES)
            except TooManyError:
                walked = None
            if walked is not None and walked.characters <= _OFF_LOOP:
                return await _interleaved(self._steps(document, walked, memory, clock), clock)
            clock.stop()
            return await anyio.to_thread.run_sync(self._whole, document, memory, clock)
        except DeadlineError:
            return Scan((), (Unreadable("$", "deadline"),), self.pack)
        except Exception:  # noqa: BLE001 - whatever it is, no one has read this document
            return self._failed()

    def scan_now(self, document: Mapping[str, Json]) -> Scan:
        """The same without an event loop."""
        try:
            return self._whole(document, {}, Clock(self._deadline_ms))
        except DeadlineError:
            return Scan((), (Unreadable("$", "deadline"),), self.pack)
        except Exception:  # noqa: BLE001 - the same answer as above
            return self._failed()

    def _whole(self, document: Mapping[str, Json], seen: dict[Any, Any], clock: Clock) -> Scan:
        clock.start()  # in this thread: processor time is counted per thread
        steps = self._steps(document, walk(document, clock), seen, clock)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                scan: Scan = done.value
                return scan

    def _failed(self) -> Scan:
        return Scan((), (Unreadable("$", "detector_failed"),), self.pack)

    def find_in_text(self, text: str) -> Scan:
        """What is in one text, at path `$.text`."""
        return self.scan_now({"text": text})

    def _steps(
        self, document: Mapping[str, Json], walked: Walk, seen: dict[Any, Any], clock: Clock
    ) -> Generator[int, None, Scan]:
        """The scan in pieces; yields how many characters each took."""
        findings = _Findings()
        unreadable = list(walked.unreadable)
        said = lefts(document)
        for number, text in enumerate(walked.texts):
            if number % 64 == 63 and clock.late:
                unreadable.append(Unreadable(text.path, "deadline"))
                break
            if len(text.text) < SHORTEST and not text.label:
                continue
            left = _context(said, text)
            key = (_MEMO, self.pack, text.text, text.label, left)
            memory = seen.get(key)
            if memory is NOTHING:
                continue
            try:
                if memory is None:
                    memory = seen[key] = yield from self._known(text, left, clock)
            except DeadlineError:
                unreadable.append(Unreadable(text.path, "deadline"))
                break
            except Exception:  # noqa: BLE001 - a rule that fails has not looked: its text counts as unread
                unreadable.append(Unreadable(text.path, "detector_failed"))
                continue
            if memory is not NOTHING:
                findings.add(text.path, memory.hits)
                unreadable.extend(Unreadable(text.path, reason) for reason in memory.reasons)
        try:
            for joint in (*joints(document), *beside((*walked.siblings, *inside(document)), clock)):
                yield from self._joined(joint, seen, clock, findings)
        except DeadlineError:
            unreadable.append(Unreadable("$.messages", "deadline"))
        except Exception:  # noqa: BLE001 - as above
            unreadable.append(Unreadable("$.messages", "detector_failed"))
        return Scan(findings.all(), tuple(dict.fromkeys(unreadable)), self.pack)

    def _known(self, text: Text, left: str, clock: Clock) -> Generator[int, None, Verdict]:
        """What an earlier request's same string in the same place came to, or a look at it."""
        name = self._verdicts.name(self.pack, text.label, left, text.text)
        verdict = self._verdicts.get(name)
        if verdict is None:
            verdict = yield from self._look(text, left, clock)
            self._verdicts.put(name, verdict)
        return verdict

    def _look(self, text: Text, left: str, clock: Clock) -> Generator[int, None, Verdict]:
        if text.label:
            return (yield from self._after(text.label[-_LABEL:].replace("_", " ") + ": ", text.text, clock))
        if left:
            return (yield from self._after(left + APART, text.text, clock, own=True))
        return (yield from _Reader(self._pack, self._topics, self._names, clock).read(text.text))

    def _after(self, before: str, text: str, clock: Clock, *, own: bool = False) -> Generator[int, None, Verdict]:
        """A text with its context in front: its key, where that is not the API's, or the end of what was said before.

        With `own`, only what stands in the text itself is told: the rest has been told where it stands.
        """
        memory = yield from _Reader(self._pack, self._topics, self._names, clock).read(before + text)
        size = len(before)
        hits = tuple(
            moved(hit, max(0, hit.start - size), hit.end - size, hit.view)
            for hit in memory.hits
            if hit.end > size and (hit.start >= size or not own)
        )
        return Verdict(hits, memory.reasons) if hits or memory.reasons else NOTHING

    def _joined(
        self, joint: Joint, seen: dict[Any, Any], clock: Clock, findings: _Findings
    ) -> Generator[int, None, None]:
        key = (_MEMO, self.pack, joint)
        hits = seen.get(key)
        if hits is None:
            hits = []
            for reading in normalise(joint.text, clock):
                if reading is None:
                    yield 1000
                    continue
                for found in self._pack.search(reading.text, clock, guess="joined", proven=joint.proven):
                    yield len(joint.text)
                    hits.extend(moved(hit, *reading.locate(hit.start, hit.end), "joined") for hit in found.hits)
            if joint.proven:
                hits = [hit for hit in hits if _proven(hit)]
            seen[key] = hits = tuple(hit for hit in settle(hits) if joint.crosses(hit.start, hit.end))
        for hit in hits:
            path, start, end = joint.place(hit.start, hit.end)
            findings.add(path, (moved(hit, start, end, "joined"),))


@dataclass(slots=True)
class _Findings:
    _found: dict[tuple[str, str, int], Finding] = field(default_factory=dict)
    _ids: dict[int, int] = field(default_factory=dict)

    def add(self, path: str, hits: tuple[Hit, ...]) -> None:
        for hit in hits:
            self._found.setdefault(
                (path, hit.kind, hit.start if hit.view != "joined" else -1 - hit.start),
                Finding(
                    detector=hit.detector,
                    kind=hit.kind,
                    category=hit.category,
                    confidence=hit.confidence,
                    place=Place(path, hit.start, hit.end, hit.view),
                    value_id=self._ids.setdefault(hit.value, len(self._ids) + 1),
                    near=hit.near,
                    reserved=hit.reserved,
                ),
            )

    def all(self) -> tuple[Finding, ...]:
        return tuple(self._found.values())


async def _interleaved(steps: Generator[int, None, Scan], clock: Clock) -> Scan:
    since = 0
    while True:
        try:
            since += next(steps)
        except StopIteration as done:
            scan: Scan = done.value
            return scan
        if since >= _STEP:
            since = 0
            clock.stop()
            await anyio.lowlevel.checkpoint()
            clock.start()

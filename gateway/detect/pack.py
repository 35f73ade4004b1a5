"""Searches one text with every rule: gate, then the exact rule, then its check.

A text is read in slices that overlap by the longest match, so that time is spent near what the gate saw, and a rule
never looks at more than one slice at once.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.detect import marks, numbers, phones, rules, words
from gateway.detect.candidate import Candidate, Check, Confirmed
from gateway.detect.clock import Clock
from gateway.detect.gate import Gate, Open, Words, automaton, lowered
from gateway.detect.hits import Hit
from gateway.detect.reserved import Reserved
from gateway.detect.rewritten import led, loose
from gateway.detect.rules import Rule, Rules
from gateway.detect.views import PROBES

SLICE = 4000
OVERLAP = 4200
PROVEN = frozenset({"financial", "identifier"})
"""Categories of numbers that can prove themselves: they have a check digit."""
_BEFORE, _AFTER = 60, 25
"""How far from a candidate a context word may stand, in characters."""
_LONGEST = 40
"""Letters of a context word that begins within reach, at most."""
_LOOKS = 12
"""Candidates of a slice that look for their words one by one."""
_REACH = 500
"""How far past a slice its last candidate may need context words."""


def checks() -> dict[str, Check]:
    return {**numbers.checks(), **phones.checks(), **words.checks(), **marks.checks()}


@dataclass(slots=True)
class Found:
    hits: list[Hit] = field(default_factory=list)
    probes: set[str] = field(default_factory=set)
    """Names of the views worth building."""


class Pack:
    """The rules, ready to run. Shared by every request and thread."""

    def __init__(self, packed: Rules, gate: Gate, known: Mapping[str, Check] | None = None) -> None:
        self.digest = packed.digest
        self.gate = gate
        self._rules = packed.rules
        self.kinds = frozenset(rule.kind for rule in packed.rules)
        self.categories = frozenset(rule.category for rule in packed.rules)
        self.contexts = frozenset(packed.context)
        self._checks = dict(known) if known is not None else checks()
        self._context = packed.context
        self._reserved = Reserved(packed.reserved)
        self._compiled: dict[int, re.Pattern[str]] = {}
        self._words: dict[str, re.Pattern[str]] = {}
        first = len(self._rules)
        self._probes = dict(enumerate(PROBES, first))
        self._lists = dict(enumerate(packed.context, first + len(PROBES)))
        self._allowed: dict[str, re.Pattern[str]] = {}
        self.reach = _BEFORE + 1 + max((len(word) for listed in packed.context.values() for word in listed), default=0)
        """How far before a candidate a context word may begin, with the character that must not be a letter."""
        missing = {rule.check for rule in self._rules if rule.check} - self._checks.keys()
        if missing:
            raise ValueError(f"rules name unknown checks {sorted(missing)}")

    @classmethod
    def load(cls, *, cache_dir: Path | None = None, use_hyperscan: bool = True) -> Pack:
        packed = rules.load()
        return cls(packed, gate_for(packed, cache_dir=cache_dir, use_hyperscan=use_hyperscan))

    def search(self, text: str, clock: Clock, *, guess: str = "", proven: bool = False) -> Iterator[Found]:
        """What is in `text`, slice by slice. In a view that guesses, `guess`, only rules that luck does not pass; with
        `proven`, only those of numbers that prove themselves."""
        for low in range(0, max(len(text), 1), SLICE):
            clock.check()
            found = Found()
            # The window reaches back as far as the words that say what a number is.
            window = text[max(0, low - self.reach) : low + SLICE + OVERLAP] if len(text) > SLICE + OVERLAP else text
            fired = self.gate.fired(window)
            if fired:
                found.probes.update(self._probes[number] for number in fired if number in self._probes)
                lists = frozenset(self._lists[n] for n in fired if n in self._lists)
                piece = _Slice(self, text, low, lists, guess)
                for number in fired:
                    if number >= len(self._rules):
                        break
                    rule = self._rules[number]
                    believed = not guess or rule.strong or rule.spaced
                    if believed and (not proven or rule.category in PROVEN) and piece.worth(rule):
                        found.hits.extend(piece.hits(number, rule, clock))
            yield found

    def pattern(self, number: int) -> re.Pattern[str]:
        try:
            return self._compiled[number]
        except KeyError:  # 280 patterns take a second to compile and few are ever needed
            return self._compiled.setdefault(number, re.compile(led(self._rules[number].pattern), re.ASCII))

    def context(self, name: str) -> re.Pattern[str]:
        if name not in self._words:
            listed = sorted(self._context[name], key=len, reverse=True)
            escaped = "|".join(map(_however_parted, listed))
            # On lower-case text and without a flag: `re` then skips by first letters, which is ten times as fast.
            self._words[name] = re.compile(rf"(?<![^\W_])(?:{escaped})(?![^\W_])")
        return self._words[name]

    def allows(self, rule: Rule, secret: str, match: str, line: str) -> bool:
        """Whether an allow-list says that this is no secret."""
        seen = {"secret": secret, "match": match, "line": line}
        for allow in rule.allow:
            text = seen[allow.target]
            if any(self._allow(regex).search(text) for regex in allow.regexes):
                return True
            lowered = secret.lower()
            if any(word in lowered for word in allow.stopwords):
                return True
        return False

    def _allow(self, regex: str) -> re.Pattern[str]:
        if regex not in self._allowed:
            self._allowed[regex] = re.compile(regex)
        return self._allowed[regex]

    def confirm(self, rule: Rule, candidate: Candidate) -> Sequence[Confirmed]:
        return tuple(self._checks[rule.check](candidate)) if rule.check else candidate.confirm()

    def hit(self, rule: Rule, confirmed: Confirmed, near: frozenset[str], text: str) -> Hit:
        return Hit(
            kind=rule.kind,
            category=rule.category,
            confidence=confirmed.confidence,
            start=confirmed.start,
            end=confirmed.end,
            value=hash((rule.kind, confirmed.value)),
            near=near,
            reserved=self._reserved(rule.kind, confirmed, text),
        )


def gate_for(packed: Rules, *, cache_dir: Path | None = None, use_hyperscan: bool = True) -> Gate:
    """The best gate this machine has. It numbers the rules, then the probes, then the lists of context words."""
    others = (*PROBES.values(), *map(_presence, packed.context.values()))
    if use_hyperscan:
        try:
            return automaton([*(loose(rule.gate) for rule in packed.rules), *others], cache_dir)
        except ImportError:
            pass  # no wheel for this machine: slower, and finds the same
    return Words(packed.rules, others)


def _presence(words: Sequence[str]) -> str:
    """Matches wherever one of the words stands, and sometimes elsewhere: other letters fold in too many ways."""
    return "(?i)" + "|".join(re.sub(r"[^ -~]", ".", _however_parted(word)) for word in words)


def _however_parted(word: str) -> str:
    """A field's name parts its words with `_` or `-`: "tax_id" says what "tax id" says."""
    return re.sub(r"(?:\\[ -]|_)", "[ _-]", re.escape(word))


def ungated(packed: Rules) -> Pack:
    """Every rule on every text: the measure for the gates."""
    return Pack(packed, Open(len(packed.rules) + len(PROBES) + len(packed.context)))


class _Slice:
    """One slice of a text while the rules go over it; remembers where its context words stand."""

    def __init__(self, pack: Pack, text: str, low: int, lists: frozenset[str], guess: str) -> None:
        self._pack = pack
        self._text = text
        self._guess = guess
        self._low = low
        self._high = min(len(text), low + SLICE)
        self._end = min(len(text), low + SLICE + OVERLAP)
        self._lists = lists
        """Lists of context words that the gate has seen a word of."""
        self._places: dict[str, tuple[list[int], list[int]]] = {}
        self._looks: dict[str, int] = {}
        self._begin = max(0, low - pack.reach)
        """Where the lower-case copy begins: it reaches back as far as a context word may stand."""
        self._lower = ""

    def worth(self, rule: Rule) -> bool:
        """Whether what a rule needs beside its match is there at all."""
        if rule.needs_context and self._lists.isdisjoint(rule.context):
            return False
        return not rule.literals or self._holds(rule.literals)

    def hits(self, number: int, rule: Rule, clock: Clock) -> Iterator[Hit]:
        if self._end - self._low > 1000:
            clock.check()
        pattern = self._pack.pattern(number)
        position, tries = self._low, 0
        end = min(self._end, self._high + rule.reach)
        while (match := pattern.search(self._text, position, end)) and match.start() < self._high:
            tries += 1
            if not tries % 16:
                clock.check()
            position = match.end() if rule.whole else match.start() + 1
            for hit in self._confirmed(rule, match):
                position = max(position, hit.end)
                yield hit

    def _holds(self, literals: tuple[str, ...]) -> bool:
        """Whether one of a rule's words is there: part of the rule, for vendors whose keys look like any digest."""
        folded = self._folded()
        return any(word in folded for word in literals)

    def _folded(self) -> str:
        if not self._lower:
            self._lower = lowered(self._text[self._begin : self._end])
        return self._lower

    def _confirmed(self, rule: Rule, match: re.Match[str]) -> Iterator[Hit]:
        start, end = match.span(_group(rule, match))
        near = frozenset([name for name in rule.context if name in self._lists and self._near(name, start, end)])
        if rule.needs_context and not near:
            return
        if rule.allow and self._allowed(rule, match, start, end):
            return
        candidate = Candidate(self._text, start, end, near, rule.entropy, rule.confidence, self._guess)
        for confirmed in self._pack.confirm(rule, candidate):
            yield self._pack.hit(rule, confirmed, near, self._text)

    def _allowed(self, rule: Rule, match: re.Match[str], start: int, end: int) -> bool:
        first, last = match.span()
        name = re.search(r"[\w.-]{0,50}$", self._text[max(0, first - 50) : first]) if rule.prefixed else None
        whole = (name.group() if name else "") + self._text[first:last]
        line_start = self._text.rfind("\n", max(0, first - 500), first) + 1 or max(0, first - 500)
        line_end = self._text.find("\n", last, last + 500)
        line = self._text[line_start : line_end if line_end >= 0 else last + 500]
        return self._pack.allows(rule, self._text[start:end], whole, line)

    def _words(self, name: str) -> tuple[list[int], list[int]]:
        if name not in self._lists:
            return _NOWHERE
        if name not in self._places:
            last = min(self._end, self._high + _REACH)
            words = self._pack.context(name).finditer(self._folded(), 0, last - self._begin)
            spans = [(match.start() + self._begin, match.end() + self._begin) for match in words]
            self._places[name] = ([start for start, _ in spans], [end for _, end in spans])
        return self._places[name]

    def _near(self, name: str, start: int, end: int) -> bool:
        """Whether a word of a list stands close by. A few candidates look around themselves; for many, the slice is
        read once."""
        looks = self._looks[name] = self._looks.get(name, 0) + 1
        if looks <= _LOOKS and name not in self._places:
            low = max(0, start - self._pack.reach - self._begin)
            last = min(len(self._folded()), end + _AFTER + _LONGEST - self._begin)
            for match in self._pack.context(name).finditer(self._folded(), low, last):
                if match.start() + self._begin >= end + _AFTER:
                    return False
                if match.end() + self._begin >= start - _BEFORE:
                    return True
            return False
        starts, ends = self._words(name)
        index = bisect_left(ends, max(0, start - _BEFORE))
        return index < len(starts) and starts[index] < end + _AFTER


_NOWHERE: tuple[list[int], list[int]] = ([], [])


def _group(rule: Rule, match: re.Match[str]) -> int:
    if rule.group is not None:
        return rule.group
    return next((number for number in range(1, len(match.groups()) + 1) if match[number]), 0)

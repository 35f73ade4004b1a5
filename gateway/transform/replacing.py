"""Replaces values in a request's body by placeholders: what was found, what is known from elsewhere, look-alikes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from gateway.core.errors import EgressDenied
from gateway.core.types import Finding, Json
from gateway.transform import sweep
from gateway.transform.jsontext import is_json, pieces, unescaped
from gateway.transform.located import Located, located
from gateway.transform.names import without_title
from gateway.transform.pattern import Pattern
from gateway.transform.people import PERSON, People
from gateway.transform.placeholders import Placeholders
from gateway.transform.places import Changes, Key, LostError, Spot, spots
from gateway.transform.words import EXACT, SAID, grouped, normal, plain, word_of

_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})


class Span(NamedTuple):
    """A stretch of a string and the placeholder that goes there."""

    start: int
    end: int
    name: str
    quoted: bool = False
    """It was a number in JSON: what takes its place is a string."""


@dataclass(slots=True)
class Replacing:
    """Changes one request's body, in as many rounds as it takes."""

    placeholders: Placeholders
    count: int = 0
    """Values replaced so far, each occurrence counted."""
    _people: People = field(init=False)
    _own: re.Pattern[str] = field(init=False)
    _sweep: sweep.Sweep = field(default_factory=sweep.Sweep)
    _swept: set[str] = field(default_factory=set)
    _rounds: int = 0

    def __post_init__(self) -> None:
        placeholders = self.placeholders
        self._people = People(placeholders)
        prefix, tag = placeholders.prefix, f"_{placeholders.tag}(?![A-Za-z0-9])" if placeholders.tag else r"(?!\d)"
        self._own = re.compile(rf"\[?({re.escape(prefix)}(?:[A-Z]+_)+\d+){tag}\]?")

    def replace(self, body: Mapping[str, Json], findings: Iterable[Finding]) -> dict[str, Json]:
        """A copy of `body` without the values found. Raises EgressDenied where something cannot be replaced."""
        try:
            found = located(body, findings)
            every = list(spots(body))
            order = {each.key: at for at, each in enumerate(every)}
            named: dict[Key, list[Span]] = {}
            for key in sorted(found, key=lambda key: order.get(key, len(order))):
                named[key] = self._named(found[key])
            self._learn()
            changes = Changes()
            for each in every:
                if not self._counts_numbers(found.get(each.key)):
                    self._change(changes, each, named.pop(each.key, []))
            for key, spans in named.items():
                self._change_odd(changes, found[key], spans)
            self._rounds += 1
            return changes.applied(body) if changes else dict(body)
        except LostError as error:
            raise EgressDenied("a value stands where it cannot be replaced, so the request stays") from error

    # -- naming --------------------------------------------------------------------------------------------------

    def _named(self, found: Located) -> list[Span]:
        """The stretches to replace in one string, each with its placeholder."""
        text = found.spot.text
        json_text = isinstance(found.node, str) and not found.spot.is_key and is_json(text)
        spans: list[Span] = []
        for start, end, finding in self._merged(text, found.findings):
            if not json_text:
                spans.append(self._span(text, start, end, finding, json_text=False, quoted=False))
                continue
            for piece in pieces(text, start, end):
                quoted = not piece.in_string
                spans.append(self._span(text, piece.start, piece.end, finding, json_text=True, quoted=quoted))
        return spans

    def _merged(self, text: str, findings: list[Finding]) -> list[tuple[int, int, Finding]]:
        """Findings without overlaps: those that share text become one, of the widest one's kind."""
        own = [match.span() for match in self._own.finditer(text)] if self._rounds else []
        merged: list[tuple[int, int, Finding]] = []
        for finding in sorted(findings, key=lambda each: (each.place.start, -each.place.end)):
            start, end = finding.place.start, min(finding.place.end, len(text))
            for first, last in own:  # a placeholder is taken as a whole or not at all
                if start < last and first < end:
                    start, end = min(start, first), max(end, last)
            if start < 0 or start >= end:
                raise LostError
            if merged and start < merged[-1][1]:
                left, right, widest = merged[-1]
                widest = finding if end - start > widest.place.end - widest.place.start else widest
                merged[-1] = (left, max(right, end), widest)
            else:
                merged.append((start, end, finding))
        return merged

    def _span(self, text: str, start: int, end: int, finding: Finding, *, json_text: bool, quoted: bool) -> Span:
        category, view = finding.category, finding.place.view
        if word_of(finding.kind, category, "") == PERSON and view == "raw" and not quoted:
            first, last = without_title(text[start:end])
            start, end = start + first, start + last
        said = unescaped(text[start:end]) if json_text else text[start:end]
        value = self._own.sub(self._expanded, said)
        own = self._own.fullmatch(said) if self._rounds else None
        if own is not None:  # a rule takes the placeholder's own word for a value: one that says less
            return Span(start, end, self.placeholders.name("VALUE", f"!{own[1]}", value), quoted)
        if finding.kind in SAID and not any(map(str.isdigit, value)):
            raise EgressDenied(f"what is said about {finding.kind} is no value to be replaced, so the request stays")
        spelling = normal(value, finding.kind, category, view)
        word = word_of(finding.kind, category, value)
        if word == PERSON and plain(value, view):
            name = self._people.name(value, spelling)
        else:
            name = self.placeholders.name(word, spelling, value)
        if name not in self._swept:
            self._swept.add(name)
            exact = category in EXACT or not plain(value, view)
            known = sweep.value(value, name, exact=exact, person=word == PERSON, compact=grouped(value, finding.kind))
            self._sweep.known.extend([known] if known else [])
        return Span(start, end, name, quoted)

    def _expanded(self, match: re.Match[str]) -> str:
        return self.placeholders.values.get(match[1], match[0])

    def _learn(self) -> None:
        """Look for the parts of names, too."""
        for word, said, number in self._people.parts():
            if (key := f"{number} {said}") not in self._swept:
                self._swept.add(key)
                self._sweep.known.append(sweep.part(word, said, number))

    # -- changing ------------------------------------------------------------------------------------------------

    def _change(self, changes: Changes, each: Spot, spans: list[Span]) -> None:
        text, json_text = each.text, None
        if not spans and "\\" in text and is_json(text):
            text, json_text = self._plainer(text), True
        spans = list(spans)
        taken = [(span.start, span.end) for span in spans]
        if self._rounds:
            taken += [match.span() for match in self._own.finditer(text)]
        else:
            for start, end, name in self._look_alikes(text):
                if _free(start, end, taken):
                    spans.append(Span(start, end, name))
                    taken.append((start, end))
                    self.count -= 1  # no value
        for hit in self._sweep.hits(text, taken):
            json_text = is_json(text) if json_text is None else json_text
            spans += self._swept_spans(text, hit, json_text)
        if spans:
            if each.steps[-1] in _BOUNDS and not each.is_key:
                raise LostError
            self.count += len(spans)
            changes.put(each, self._written(text, spans, each.plain))

    def _swept_spans(self, text: str, hit: sweep.Hit, json_text: bool) -> list[Span]:
        name = hit.known.name or self._part(hit.known)
        if not json_text:
            return [Span(hit.start, hit.end, name)]
        return [Span(piece.start, piece.end, name, not piece.in_string) for piece in pieces(text, hit.start, hit.end)]

    def _part(self, known: sweep.Known) -> str:
        assert known.part is not None
        word, said, number = known.part
        return self.placeholders.name(word, normal(said, "person", "person", "raw"), said, number)

    def _plainer(self, text: str) -> str:
        """JSON without needless escapes, where something known is spelled with them."""
        plain = orjson.dumps(orjson.loads(text)).decode()
        return plain if self._sweep.may_hit(plain) and not self._sweep.may_hit(text) else text

    def _look_alikes(self, text: str) -> list[tuple[int, int, str]]:
        """What the user wrote that would be taken for a placeholder on its way back, under names of its own."""
        tag = self.placeholders.tag
        if not tag or tag not in text.lower():
            return []
        told = []
        for match in Pattern(tag, self.placeholders.values).matches(text):
            said = text[match.start : match.end]
            told.append((match.start, match.end, self.placeholders.name("TEXT", "=" + said, said)))
        return told

    def _written(self, text: str, spans: list[Span], plain: bool) -> str:
        told: list[str] = []
        done = 0
        for span in sorted(spans):
            if span.start < done:
                raise LostError
            placeholder = self.placeholders.written(span.name, plain=plain)
            told += (text[done : span.start], f'"{placeholder}"' if span.quoted else placeholder)
            done = span.end
        return "".join((*told, text[done:]))

    @staticmethod
    def _counts_numbers(found: Located | None) -> bool:
        return found is not None and not isinstance(found.node, str)

    def _change_odd(self, changes: Changes, found: Located, spans: list[Span]) -> None:
        """A number, a row of numbers, or a string that is a word of the API: no text around it."""
        where, node = found.spot, found.node
        if isinstance(node, str):
            self._change(changes, where, spans)
            return
        if len(where.steps) < 2 or where.steps[-1] in _BOUNDS:
            raise LostError  # a parameter that has to stay a number
        if isinstance(node, list | tuple):
            at = 0
            for index, item in enumerate(node):
                end = at + len(str(item))
                if not _free(at, end, [(span.start, span.end) for span in spans]):
                    name = self.placeholders.name("NUMBER", f"={item}", str(item))
                    self._put(changes, Spot((*where.steps, index), str(item)), name)
                at = end + 1
        else:
            self._put(
                changes,
                where,
                self.placeholders.name("NUMBER", normal(where.text, "number", "identifier", "raw"), where.text),
            )

    def _put(self, changes: Changes, where: Spot, name: str) -> None:
        self.count += 1
        changes.put(where, self.placeholders.written(name, plain=False))


def _free(start: int, end: int, taken: Iterable[tuple[int, int]]) -> bool:
    return all(end <= first or last <= start for first, last in taken)

"""The operator's rules, ready to run: one pass for all words, one per pattern, one for all fields."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gateway.core.own_rules import OwnRule, OwnRules
from gateway.detect.clock import Clock
from gateway.detect.normalise import normalise
from gateway.detect.own.exceptions import Exceptions
from gateway.detect.own.fields import Fields
from gateway.detect.own.forms import Form
from gateway.detect.own.words import Words
from gateway.detect.tier import Span
from gateway.detect.walk import Text


class InText(NamedTuple):
    path: str
    span: Span


class Book:
    """Raises re.error or KeyError for rules that no policy has checked."""

    def __init__(self, rules: OwnRules) -> None:
        self.exceptions = Exceptions(rules.exceptions)
        self._words = Words((word, rule) for rule in rules.rules for word in rule.literals)
        self._forms = tuple(Form.of(rule) for rule in rules.rules if rule.pattern)
        self._fields = Fields(rules.rules)

    def looks(self) -> bool:
        """There is something to look for, beside exceptions."""
        return bool(self._words or self._forms or self._fields)

    def in_fields(self, texts: Sequence[Text]) -> Iterator[InText]:
        for text, rule in self._fields.inside(texts):
            yield InText(text.path, _span(0, len(text.text), rule))

    def in_text(self, text: str, clock: Clock) -> tuple[Span, ...]:
        """In order of place. Spans are in code points of `text`, whichever reading showed them."""
        found = {_span(start, end, rule) for start, end, rule in self._read(text, clock)}
        if not text.isascii():
            for reading in normalise(text, clock):
                if reading is not None:
                    for start, end, rule in self._read(reading.text, clock):
                        found.add(_span(*reading.locate(start, end), rule))
        return tuple(sorted(found))

    def _read(self, text: str, clock: Clock) -> Iterator[tuple[int, int, OwnRule]]:
        if self._words:
            yield from self._words.find(text, clock)
        for form in self._forms:
            for start, end in form.find(text, clock):
                yield start, end, form.rule
        if self._fields:
            yield from self._fields.written(text, clock)


def _span(start: int, end: int, rule: OwnRule) -> Span:
    return Span(start, end, rule.kind, rule.category, rule.confidence)

"""Finds what stands in the operator's own fields: in the request itself, and written out in its strings.

Tool calls carry JSON in strings and tools answer in all kinds of notations, so a field is also looked for as
`"name": "value"`, `name=value`, `name: value` and `<name>value</name>`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from gateway.core.masking import is_placeholder
from gateway.core.own_rules import OwnRule
from gateway.detect.clock import Clock
from gateway.detect.walk import Text

_PARTS = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_VALUE = re.compile(
    r"""\\{0,9}["']?\s{0,3}(?:
        [:=]\s{0,3}(?:
            \\{0,9}"(?P<double>[^"\\\n]{1,400})
          | \\{0,9}'(?P<single>[^'\\\n]{1,400})
          | [\[{](?P<many>[^\]}]{1,2000})
          | (?P<bare>[^\s"',;&<>{}\[\]()\\]{1,200})
        )
      | >(?P<element>[^<>]{1,400})<
    )""",
    re.VERBOSE,
)
_NOTHING = frozenset({"null", "none", "nil", "true", "false", "undefined", "string", "integer", "number", "n/a"})
_DEFINED = ("$.tools", "$.functions", "$.response_format")
"""Where a field's name stands because the form of something is described, not because somebody's value follows."""


class Fields:
    def __init__(self, rules: Iterable[OwnRule]) -> None:
        self._rules: dict[str, list[OwnRule]] = {}
        forms: dict[str, str] = {}
        for rule in rules:
            for name in rule.fields:
                parts = _PARTS.findall(_HUMP.sub(" ", name))
                key = "".join(parts).casefold()
                if key and rule not in self._rules.setdefault(key, []):
                    self._rules[key].append(rule)
                forms[key] = "[-_ .]?".join(map(re.escape, parts))
        alternatives = "|".join(sorted(forms.values(), key=len, reverse=True))
        self._name = re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_])", re.IGNORECASE) if forms else None

    def __bool__(self) -> bool:
        return self._name is not None

    def inside(self, texts: Sequence[Text]) -> Iterator[tuple[Text, OwnRule]]:
        """Texts that stand in such a field of the document itself, at any depth below it.

        The walk tells a key before what stands under it.
        """
        under: list[tuple[str, OwnRule]] = []
        for text in texts:
            under = [(start, rule) for start, rule in under if _below(text.path, start)]
            holder, key, number = text.path.rpartition("~key[")
            if not key or not number[:-1].isdigit():
                yield from ((text, rule) for _, rule in under if text.text.strip() and not is_placeholder(text.text))
            elif not _describes(holder):
                under += [(f"{holder}~value[{number}", rule) for rule in self._rules.get(_key(text.text), ())]

    def written(self, text: str, clock: Clock) -> Iterator[tuple[int, int, OwnRule]]:
        """Values of such fields that are written out in a text."""
        if self._name is None:
            return
        for match in self._name.finditer(text):
            clock.check()
            value = _VALUE.match(text, match.end())
            if value is None or value.lastgroup is None:
                continue
            start, end = value.span(value.lastgroup)
            said = text[start:end].strip()
            if said and said.casefold() not in _NOTHING and not is_placeholder(said):
                for rule in self._rules[_key(match.group())]:
                    yield start, end, rule


def _key(name: str) -> str:
    return "".join(_PARTS.findall(name)).casefold()


def _below(path: str, start: str) -> bool:
    return path == start or path.startswith((f"{start}.", f"{start}[", f"{start}~"))


def _describes(holder: str) -> bool:
    return holder.startswith(_DEFINED) and holder.endswith(".properties")

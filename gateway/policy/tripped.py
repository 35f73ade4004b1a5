"""What PyYAML tripped over, in the words of somebody who writes a policy: where to look, and what to do there.

No value is repeated: the settings are read by the same reader, and a key may stand in them.
"""

from __future__ import annotations

import re

import yaml

_PASTED = re.compile(r"(?:^|[:-])[ \t]*[\u00a0\u2000-\u200b\u202f\u3000]")
"""Where a space belongs, a sign that only looks like one: what copying out of a document or a web page leaves."""

_COLUMN = "this line does not begin in the same column as those it belongs to"
TAG = "a word that begins with ! means something else; put it in quotes"
_SAID = {
    "could not find expected ':'": "a colon and a space are missing after the name; write `name: value`",
    "found unexpected end of stream": "the quote that opens here is never closed",
    "mapping values are not allowed here": (
        "a colon cannot stand here; put text that holds one in quotes, and begin the lines of one block in one column"
    ),
    "sequence entries are not allowed here": "a list begins on a line of its own, below the name that it belongs to",
    "but found another document": "a second document begins here; remove the line of hyphens",
}
_AT_OPENING = frozenset({"could not find expected ':'", "found unexpected end of stream"})
"""What is found out later than where it was written: the place to look at is where it begins."""


def told(error: yaml.MarkedYAMLError, text: str) -> tuple[str, str]:
    """Line and column to look at, and a sentence about what stands there."""
    problem, mark, opening = error.problem or error.context or "not YAML", error.problem_mark, error.context_mark
    lines = text.splitlines()
    if (pasted := _pasted(lines, (opening, mark))) is not None:
        return pasted, "a sign that only looks like a space stands here; write ordinary spaces"
    if problem in _AT_OPENING and opening is not None:
        return _place(opening), _SAID[problem]
    if problem.startswith("expected ',' or") and opening is not None:
        sign = lines[opening.line][opening.column]
        return _place(opening), f"the {sign} that opens here is not closed, or a comma is missing after it"
    return _place(mark) if mark is not None else "1:1", _SAID.get(problem) or _here(problem, error, lines)


def _place(mark: yaml.Mark) -> str:
    return f"{mark.line + 1}:{mark.column + 1}"


def _pasted(lines: list[str], marks: tuple[yaml.Mark | None, ...]) -> str | None:
    """A sign that is no space, in the lines of these marks or just before them."""
    near = [number for mark in marks if mark is not None for number in (mark.line - 1, mark.line)]
    found = ((number, _PASTED.search(lines[number])) for number in near if 0 <= number < len(lines))
    return next((f"{number + 1}:{match.end()}" for number, match in found if match is not None), None)


def _here(problem: str, error: yaml.MarkedYAMLError, lines: list[str]) -> str:
    if "'\\t'" in problem:  # PyYAML shows the character it tripped over
        return "a tab stands here; indent with spaces, not tabs"
    if problem.startswith("found unknown escape character"):
        return "in double quotes a backslash means something else; use single quotes: 'KD-\\d{8}'"
    if "tag handle" in problem or "expected URI" in problem or "scanning a tag" in str(error.context):
        return TAG  # PyYAML shows what stands there: a password, perhaps
    if problem.endswith("cannot start any token"):
        return "nothing begins with this sign; put the text in quotes"
    if problem.startswith("expected the node content"):
        return "a value is missing here"
    if problem.startswith("expected <block end>"):
        return _out_of_place(error, lines)
    return problem


def _out_of_place(error: yaml.MarkedYAMLError, lines: list[str]) -> str:
    mark, opening = error.problem_mark, error.context_mark
    if mark is not None and mark.line < len(lines) and lines[mark.line][: mark.column].strip():
        return "something follows a closing quote or bracket; put the whole text in quotes, with other quotes inside"
    around = f" (the block around it began in line {opening.line + 1}, column {opening.column + 1})" if opening else ""
    return f"{_COLUMN}; indent it like them{around}"

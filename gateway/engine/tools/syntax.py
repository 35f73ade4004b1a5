"""The way one loaded model writes tool calls, as everything that needs it asks: prompt, grammar, parser."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.engine.tools.ask import ToolAsk
from gateway.engine.tools.family import Family, family_of
from gateway.engine.tools.gbnf import grammar_of, triggers_of
from gateway.engine.tools.parser import ToolParser

_INTRODUCTION = (
    "# Tools\n\nYou may call one or more functions to help with the user's request. "
    "These are the functions, each as a JSON object between <tools> and </tools>:\n<tools>\n"
)
_HOW = "\n</tools>\n\nTo call a function, answer with its name and its arguments as a JSON object, like this:\n"


class Syntax:
    def __init__(self, family: Family) -> None:
        self._family = family
        self.name = family.name
        self.native = family.native
        """Whether the template's own description of tools leads to calls that are read here."""
        self.markers = family.markers
        """Texts that must be seen in the answer even where they are control tokens."""

    @classmethod
    def of(cls, template: str) -> Syntax:
        """Chosen by the template's text."""
        return cls(family_of(template))

    def parser(self, ask: ToolAsk) -> ToolParser:
        return ToolParser(self._family, ask.allowed, parallel=ask.parallel)

    def gbnf(self, ask: ToolAsk) -> tuple[str, tuple[str, ...]]:
        """The grammar of this request's calls, and the patterns that put it in force; none where it always is.

        Raises Unsupported where a strict schema cannot be enforced.
        """
        return grammar_of(self._family, ask), () if ask.required else triggers_of(self._family)

    # Prompts: in words, for templates that have none

    def described(self, ask: ToolAsk) -> str:
        """The tools and how to call them, for a system message."""
        functions = "\n".join(json.dumps(function, ensure_ascii=False) for function in shown(ask))
        example = self._family.written([("<function name>", "<arguments>")])
        return f"{_INTRODUCTION}{functions}{_HOW}{example}"

    def written(self, calls: Sequence[Mapping[str, Any]]) -> str:
        """An assistant's earlier calls as this model would have written them."""
        functions = [call["function"] for call in calls]
        return self._family.written(
            [(one["name"], json.dumps(one["arguments"], ensure_ascii=False)) for one in functions]
        )

    def result(self, content: str) -> str:
        """What a tool returned, in a user's message."""
        return f"<tool_response>\n{content}\n</tool_response>"


def shown(ask: ToolAsk) -> list[dict[str, Any]]:
    """The tools in OpenAI's form, as templates expect them."""
    functions = []
    for tool in ask.tools:
        function: dict[str, Any] = {"name": tool["name"], "description": tool["description"]}
        function["parameters"] = tool["parameters"] or {"type": "object", "properties": {}}
        functions.append({"type": "function", "function": function})
    return functions

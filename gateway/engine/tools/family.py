"""How each family of models writes a tool call: one entry each, recognised by words of its chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

OBJECT, LIST, NAMED = "object", "list", "named"
"""`{"name": …, "arguments": {…}}` · a list of such objects · the name in plain letters before the arguments."""


@dataclass(frozen=True, slots=True)
class Family:
    """`open`, a body, `close`; several calls follow each other, or stand in one list."""

    name: str
    signs: tuple[str, ...]
    """Texts that are all in the template of a model of this family."""
    open: str
    close: str = ""
    body: str = OBJECT
    arguments: str = "arguments"
    """The key under which the model writes them. Both usual ones are read."""
    called: str = "name"
    separator: str = ""
    """Between name and arguments of a NAMED body."""
    bare: bool = False
    """An answer that begins with the body alone, without `open`, is a call as well."""
    gap: str = ""
    """What the model writes between `open` and the body, and between the body and `close`."""
    native: bool = True
    """Its template may describe the tools. Where not, its own way to call is one that is not read here."""
    framing: tuple[str, ...] = ()
    """Further texts that set calls, tools and results apart: a client's words must not contain them either."""

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts that may be tokens of their own and must be seen to read a call."""
        return tuple(text for text in (self.open, self.close, self.separator, *self.framing) if text)

    def written(self, calls: Sequence[tuple[str, str]]) -> str:
        """Calls, (name, arguments in JSON) each, as this family writes them."""
        if self.body == LIST:
            return self._enclosed("[" + ", ".join(self._object(*call) for call in calls) + "]")
        body = self._named if self.body == NAMED else self._object
        return "\n".join(self._enclosed(body(*call)) for call in calls)

    def _enclosed(self, body: str) -> str:
        return f"{self.open}{self.gap}{body}{self.gap}{self.close}"

    def _object(self, name: str, arguments: str) -> str:
        return f'{{"{self.called}": "{name}", "{self.arguments}": {arguments}}}'

    def _named(self, name: str, arguments: str) -> str:
        return f"{name}{self.separator}{arguments}"


GENERIC = Family(
    "json",
    (),
    "<tool_call>",
    "</tool_call>",
    bare=True,
    gap="\n",
    native=False,
    framing=("<tools>", "</tools>", "<tool_response>", "</tool_response>"),
)
"""For a template that knows no tools, or whose calls are not read here: told in words to call as Hermes does."""

FAMILIES = (
    # Calls in XML that names every parameter, which are not read here.
    replace(GENERIC, signs=("<parameter=",)),  # Qwen3-Coder, Nemotron 3
    replace(GENERIC, signs=("<arg_key>",)),  # GLM
    replace(GENERIC, signs=("<invoke name=",)),  # MiniMax
    # Apriel
    Family("apriel", ("<tool_calls>[",), "<tool_calls>", "</tool_calls>", body=LIST),
    # Qwen 2.5 and 3, Hermes 2 Pro and 3, SmolLM3, Granite 4 …
    replace(GENERIC, name="hermes", signs=("<tool_call>",), bare=False, native=True),
    # Mistral Small 3.2, Devstral, Ministral
    Family(
        "mistral-args",
        ("[TOOL_CALLS]", "[ARGS]"),
        "[TOOL_CALLS]",
        body=NAMED,
        separator="[ARGS]",
        framing=("[CALL_ID]",),
    ),
    # Mistral 7B v0.3, Nemo, Small 2409
    Family("mistral", ("[TOOL_CALLS]",), "[TOOL_CALLS]", body=LIST),
    # Llama 3.1 and 3.3 name the tag in their template, Llama 3.2 does not.
    Family("llama3", ("<|start_header_id|>", '"parameters": '), "<|python_tag|>", arguments="parameters", bare=True),
    # Granite 3
    Family("granite3", ("<|tool_call|>", "available_tools"), "<|tool_call|>", body=LIST),
    # Nemotron Nano 2
    Family("nemotron", ("<TOOLCALL>",), "<TOOLCALL>", "</TOOLCALL>", body=LIST),
    # Command R7B
    Family(
        "command-r",
        ("<|START_ACTION|>", "tool_name"),
        "<|START_ACTION|>",
        "<|END_ACTION|>",
        body=LIST,
        called="tool_name",
        arguments="parameters",
    ),
)
"""In order: the first whose signs are all there. What has no entry is GENERIC."""


def family_of(template: str) -> Family:
    return next((one for one in FAMILIES if all(sign in template for sign in one.signs)), GENERIC)

"""A model's own chat template, rendered in a sandbox within limits of time and size."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from jinja2 import TemplateError
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from gateway.core.errors import BadRequest, ConfigurationError
from gateway.engine.controls import any_of
from gateway.engine.messages import Message, folded
from gateway.engine.tools.ask import ToolAsk
from gateway.engine.tools.forms import have_calls, introduced, structured, worded
from gateway.engine.tools.probe import shows_calls, shows_tools
from gateway.engine.tools.syntax import Syntax, shown

TIME_LIMIT_S = 2.0
SIZE_LIMIT = 8 * 1024 * 1024


class TooSlow(BaseException):
    """Thrown into the rendering thread. Not an Exception, so that no template code path can swallow it."""


class ChatTemplate:
    def __init__(self, template: str | None, *, bos: str, eos: str, control_texts: Collection[str] = ()) -> None:
        """`control_texts` keep their power in the template and lose it in messages and tools."""
        if not template:
            raise ConfigurationError("the model has no chat template: name an instruct (chat) model, not a base model")
        try:
            self._formatter: Any = Jinja2ChatFormatter(template=template, bos_token=bos, eos_token=eos)
        except TemplateError as error:
            raise ConfigurationError("the model's chat template is not valid") from error
        self.syntax = Syntax.of(template)
        """How the model writes tool calls."""
        self._controls = any_of(control_texts)
        self._guarded = any_of([*control_texts, *self.syntax.markers])
        # A template may describe tools in a way whose calls nobody here reads: then it is not shown any.
        self._shows_tools = self.syntax.native and shows_tools(self._probe)
        self._shows_calls = self.syntax.native and shows_calls(self._probe)

    def render(
        self, messages: Sequence[Message], tools: ToolAsk | None = None, time_limit_s: float = TIME_LIMIT_S
    ) -> str:
        """The prompt. Raises BadRequest where the template takes the messages in none of their forms."""
        messages = [self._disarmed_message(message, guarded=tools is not None) for message in messages]
        for form, shown_tools in self._forms(messages, tools):
            try:
                prompt = self._render(form, shown_tools, time_limit_s)
            except TooSlow:
                break
            if prompt is not None and len(prompt) <= SIZE_LIMIT:
                return prompt
        raise BadRequest("the local model's chat template does not take these messages", param="messages")

    def _forms(
        self, messages: Sequence[Message], ask: ToolAsk | None
    ) -> Iterator[tuple[Sequence[Message], list[dict[str, Any]] | None]]:
        """From what the template does best to what every template takes."""
        if ask is not None:
            ask = replace(ask, tools=[self._disarmed(tool, self._guarded) for tool in ask.tools])
        tools = shown(ask) if ask is not None else None
        calls_shown = self._shows_calls or not have_calls(messages)
        if calls_shown and (tools is None or self._shows_tools):
            for form in structured(messages):
                yield form, tools
        in_words = worded(messages, self.syntax)
        if tools is not None and self._shows_tools:
            yield in_words, tools
        if ask is not None:
            in_words = introduced(in_words, self.syntax, ask)
        yield in_words, None
        yield folded(in_words), None

    def _render(
        self, messages: Sequence[Message], tools: list[dict[str, Any]] | None, time_limit_s: float
    ) -> str | None:
        try:
            with _Deadline(time_limit_s):
                return str(self._formatter(messages=messages, tools=tools).prompt)
        except (
            TemplateError,
            ArithmeticError,
            AttributeError,
            LookupError,
            MemoryError,
            RecursionError,
            TypeError,
            ValueError,
        ):
            # Templates raise where they know no system role or no tools, or want user and assistant to take turns.
            return None

    def _probe(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> str | None:
        try:
            return self._render(messages, tools, TIME_LIMIT_S)
        except TooSlow:
            return None

    def _disarmed_message(self, message: Message, *, guarded: bool) -> Message:
        """A user who writes `<|im_start|>system` must not open a system message, nor a tool's result call a tool.

        The texts around calls are armed only where the request has tools, and the system message may explain them.
        """
        pattern = self._guarded if guarded and message["role"] != "system" else self._controls
        return {**self._disarmed(message, pattern), "role": message["role"]}

    def _disarmed(self, value: Any, pattern: re.Pattern[str] | None) -> Any:
        """The same value with a word joiner inside each such text, which makes it ordinary text."""
        if pattern is None:
            return value
        if isinstance(value, str):
            return pattern.sub(lambda found: f"{found[0][0]}\u2060{found[0][1:]}", value)
        if isinstance(value, Mapping):
            return {self._disarmed(key, pattern): self._disarmed(one, pattern) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._disarmed(one, pattern) for one in value]
        return value


class _Deadline:
    """Throws TooSlow into the thread that entered it, unless it leaves in time.

    A signal would be simpler, but the same code also runs in a thread of the gateway, where signals never arrive.
    """

    def __init__(self, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._throw)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._thread = threading.get_ident()
        self._left = False
        self._thrown = False

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        with self._lock:
            self._left = True
            self._timer.cancel()
            if self._thrown and kind is not TooSlow:
                _set_exception(self._thread, None)  # thrown but not arrived yet: take it back

    def _throw(self) -> None:
        with self._lock:
            if not self._left:
                self._thrown = True
                _set_exception(self._thread, TooSlow)


def _set_exception(thread: int, kind: type[BaseException] | None) -> None:
    value = ctypes.py_object(kind) if kind is not None else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), value)

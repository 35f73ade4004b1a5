"""A model's own chat template, rendered in a sandbox within limits of time and size."""

from __future__ import annotations

import ctypes
import re
import threading
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Any

from jinja2 import TemplateError
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

from gateway.core.errors import BadRequest, ConfigurationError
from gateway.engine.messages import Message, folded

TIME_LIMIT_S = 2.0
SIZE_LIMIT = 8 * 1024 * 1024


class TooSlow(BaseException):
    """Thrown into the rendering thread. Not an Exception, so that no template code path can swallow it."""


class ChatTemplate:
    def __init__(self, template: str | None, *, bos: str, eos: str, control_texts: Collection[str] = ()) -> None:
        """`control_texts` keep their power in the template and lose it in messages."""
        if not template:
            raise ConfigurationError("the model has no chat template: name an instruct (chat) model, not a base model")
        try:
            self._formatter: Any = Jinja2ChatFormatter(template=template, bos_token=bos, eos_token=eos)
        except TemplateError as error:
            raise ConfigurationError("the model's chat template is not valid") from error
        longest_first = sorted(control_texts, key=len, reverse=True)
        self._controls = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def render(self, messages: Sequence[Message], time_limit_s: float = TIME_LIMIT_S) -> str:
        """The prompt. Raises BadRequest where the template takes neither the messages nor their folded form."""
        messages = [self._disarmed(message) for message in messages]
        for form in (messages, folded(messages)):
            try:
                with _Deadline(time_limit_s):
                    prompt = str(self._formatter(messages=form).prompt)
            except (TemplateError, ValueError, TypeError, AttributeError, MemoryError, OverflowError):
                # Templates raise where they know no system role or want user and assistant to take turns.
                continue
            except TooSlow:
                break
            if len(prompt) <= SIZE_LIMIT:
                return prompt
        raise BadRequest("the local model's chat template does not take these messages", param="messages")

    def _disarmed(self, message: Message) -> Message:
        """A user who writes `<|im_start|>system` must not open a system message: a word joiner inside makes it text."""
        if self._controls is None:
            return message
        content = self._controls.sub(lambda found: f"{found[0][0]}\u2060{found[0][1:]}", message["content"])
        return {**message, "content": content}


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

"""Exceptions and other people's log messages, reduced to what cannot hold a user's words."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from structlog.typing import EventDict, WrappedLogger

_FRAMES = 4
_CAUSES = 5


def scrub(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: an exception becomes its class and where it was raised.

    Messages of exceptions quote what they choke on, and tracebacks quote source lines and sometimes values.
    """
    event.pop("stack_info", None)
    raised = _raised(event.pop("exc_info", None))
    if raised is not None:
        event.update(described(raised))
    return event


def plain(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: values that are not JSON become the name of their class, for writers that use repr."""
    for name, value in event.items():
        if not isinstance(value, str | int | float | bool | list | tuple | dict | None):
            event[name] = word_for(value)
    return event


def word_for(value: object) -> str:
    """What stands for a value that JSON does not know. Never its str or repr."""
    return type(value).__name__


def described(error: BaseException) -> dict[str, Any]:
    """Class, place and causes of an error."""
    facts: dict[str, Any] = {"error": word_for(error)}
    if error.__traceback__ is not None:
        facts["where"] = _where(error.__traceback__)
    causes = _causes(error)
    if causes:
        facts["causes"] = causes
    return facts


def literal(record: logging.LogRecord) -> str | None:
    """The record's message if it is a constant in the source of whoever logged it, without its arguments.

    A constant was written by a programmer. Anything else, an f-string or `str(error)`, may hold a user's words.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if frame.f_lineno == record.lineno and code.co_name == record.funcName and code.co_filename == record.pathname:
            is_constant = isinstance(record.msg, str) and any(record.msg is constant for constant in code.co_consts)
            return record.msg if is_constant else None
        frame = frame.f_back
    return None  # handed over by another thread: nobody can say where the text came from


def _raised(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        return exc_info[1] if len(exc_info) > 1 and isinstance(exc_info[1], BaseException) else None
    return sys.exception() if exc_info else None


def _where(traceback: TracebackType) -> list[str]:
    """The innermost frames, outermost first: `folder/file.py:12 function`."""
    places = []
    step: TracebackType | None = traceback
    while step is not None:
        places.append(place(step.tb_frame.f_code.co_filename, step.tb_lineno, step.tb_frame.f_code.co_name))
        step = step.tb_next
    return places[-_FRAMES:]


def place(path: str, line: int, function: str) -> str:
    return f"{'/'.join(Path(path).parts[-2:])}:{line} {function}"


def _causes(error: BaseException) -> list[str]:
    """The classes of what led to it: the members of a group, then the chain behind it."""
    causes = []
    if isinstance(error, BaseExceptionGroup):
        causes += [word_for(member) for member in error.exceptions[:_CAUSES]]
    seen = {id(error)}
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    while behind is not None and id(behind) not in seen and len(seen) <= _CAUSES:
        seen.add(id(behind))
        causes.append(word_for(behind))
        behind = behind.__cause__ or (None if behind.__suppress_context__ else behind.__context__)
    return causes

"""One line per event, JSON or for a person, on one stream; the libraries' own logs join it without their words."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, BinaryIO, Literal

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from gateway.telemetry.scrub import literal, place, plain, scrub, word_for

_WITH_HANDLERS_OF_THEIR_OWN = (
    "LiteLLM",
    "LiteLLM Router",
    "LiteLLM Proxy",
    "uvicorn",
    "uvicorn.error",
    "uvicorn.access",
    "uvicorn.asgi",
)
"""Loggers that attach handlers when their library is imported, which may be long after this module has run."""


def configure_logging(
    level: str = "info",
    format: Literal["json", "console"] = "json",  # noqa: A002
    stream: BinaryIO | None = None,
) -> None:
    """Send every log event of this process to `stream` (standard error unless told otherwise).

    Events of the gateway from `level` up. Events of libraries from warning up, and of these only the logger, the
    place, the class of an exception, and the message if it is a constant in the library's source.
    """
    structlog.configure(
        processors=_processors(format),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(stream or sys.stderr.buffer),
        # A logger that is used often is bound once by its owner; caching would tie proxies to the first stream.
        cache_logger_on_first_use=False,
    )
    handler = _Joined()
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in _WITH_HANDLERS_OF_THEIR_OWN:
        logger = logging.getLogger(name)
        for earlier in [*logger.filters]:
            if isinstance(earlier, _Diverted):
                logger.removeFilter(earlier)
        logger.addFilter(_Diverted(handler))


def _processors(format: str) -> list[Processor]:  # noqa: A002
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        scrub,
    ]
    if format == "console":
        return [*first, plain, structlog.dev.ConsoleRenderer(colors=False), _encoded]
    return [*first, structlog.processors.JSONRenderer(serializer=_json)]


def _json(event: EventDict, **_: Any) -> bytes:
    try:
        return orjson.dumps(event, default=word_for)
    except TypeError as error:  # a lone surrogate, a number beyond 64 bits, a key that is no string
        return orjson.dumps({"event": "unwritable event", "level": "error", "error": word_for(error)})


def _encoded(_logger: WrappedLogger, _method: str, line: Any) -> bytes:
    encoded: bytes = line.encode(errors="replace")
    return encoded


class _Joined(logging.Handler):
    """Writes a library's record as an event of ours."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._log = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        write = self._log.error if record.levelno >= logging.ERROR else self._log.warning
        with suppress(Exception):  # logging never breaks what it reports on
            write(
                literal(record) or "library event",
                logger=record.name,
                at=place(record.pathname, record.lineno, record.funcName),
                exc_info=record.exc_info or _error_among(record),
            )


class _Diverted(logging.Filter):
    """Takes a record away from its logger's own handlers, which print messages as they are."""

    def __init__(self, handler: logging.Handler) -> None:
        super().__init__()
        self._handler = handler

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= self._handler.level:
            self._handler.handle(record)
        return False


def _error_among(record: logging.LogRecord) -> BaseException | None:
    """The exception in `log.error(error)` and in `log.error("failed: %s", error)`."""
    arguments = record.args if isinstance(record.args, tuple) else ()
    return next((item for item in (record.msg, *arguments) if isinstance(item, BaseException)), None)


@contextmanager
def report_crashes() -> Iterator[None]:
    """While inside, what Python would print with message and source line (an exception that nobody caught, in a
    thread or in a destructor too) is logged by class and place."""
    log = structlog.get_logger()

    def uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        log.critical("uncaught", exc_info=error.with_traceback(traceback))

    def in_thread(crash: Any) -> None:
        if crash.exc_value is not None and not issubclass(crash.exc_type, SystemExit):
            log.critical("uncaught in a thread", exc_info=crash.exc_value)

    def unraisable(crash: Any) -> None:
        if crash.exc_value is not None:
            log.error("uncaught in a destructor", exc_info=crash.exc_value)

    before = sys.excepthook, threading.excepthook, sys.unraisablehook
    sys.excepthook, threading.excepthook, sys.unraisablehook = uncaught, in_thread, unraisable
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = before

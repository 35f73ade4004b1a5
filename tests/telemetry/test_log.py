"""What gets into the log, and what never does."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
import structlog
import uvicorn

from gateway.telemetry import configure_logging, report_crashes

Lines = Callable[[], list[dict[str, Any]]]

SECRET = "PLANTED-iban-DE89370400440532013000"


def fail() -> None:
    raise ValueError(f"could not read {SECRET}")


def fail_with_a_cause() -> None:
    try:
        fail()
    except ValueError as error:
        raise RuntimeError(SECRET) from error


def fail_in_a_group() -> None:
    raise ExceptionGroup(SECRET, [KeyError(SECRET), OSError(SECRET)])


def caught(failure: Callable[[], None]) -> Exception:
    try:
        failure()
    except Exception as error:
        return error
    raise AssertionError


def through_structlog(failure: Callable[[], None]) -> None:
    try:
        failure()
    except Exception:
        structlog.get_logger().exception("failed")


def as_a_field(failure: Callable[[], None]) -> None:
    structlog.get_logger().warning("failed", error=caught(failure), odd={SECRET, object()})


def with_exc_info(failure: Callable[[], None]) -> None:
    structlog.get_logger().error("failed", exc_info=caught(failure), stack_info=True)


def through_stdlib(failure: Callable[[], None]) -> None:
    try:
        failure()
    except Exception:
        logging.getLogger("some.library").exception("failed")


def as_an_argument(failure: Callable[[], None]) -> None:
    logging.getLogger("some.library").error("failed: %s", caught(failure))


def as_the_message(failure: Callable[[], None]) -> None:
    logging.getLogger("some.library").error(caught(failure))


def in_an_f_string(failure: Callable[[], None]) -> None:
    logging.getLogger("some.library").error(f"failed: {caught(failure)}")  # noqa: G004


def in_the_arguments(_: Callable[[], None]) -> None:
    logging.getLogger("some.library").error("failed %s %r", SECRET, {"text": SECRET}, extra={"prompt": SECRET})


def from_the_event_loop(failure: Callable[[], None]) -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_exception_handler({"message": SECRET, "exception": caught(failure)})

    asyncio.run(main())


def uncaught(failure: Callable[[], None]) -> None:
    error = caught(failure)
    with report_crashes():
        sys.excepthook(type(error), error, error.__traceback__)


def uncaught_in_a_thread(failure: Callable[[], None]) -> None:
    with report_crashes():
        thread = threading.Thread(target=failure)
        thread.start()
        thread.join()


def uncaught_in_a_destructor(failure: Callable[[], None]) -> None:
    class Fragile:
        def __del__(self) -> None:
            failure()

    with report_crashes():
        Fragile()


WAYS = [
    through_structlog,
    as_a_field,
    with_exc_info,
    through_stdlib,
    as_an_argument,
    as_the_message,
    in_an_f_string,
    in_the_arguments,
    from_the_event_loop,
    uncaught,
    uncaught_in_a_thread,
    uncaught_in_a_destructor,
]


@pytest.mark.parametrize("format_", ["json", "console"])
@pytest.mark.parametrize("failure", [fail, fail_with_a_cause, fail_in_a_group], ids=lambda f: f.__name__)
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_secret_in_an_exception_reaches_the_log_on_no_way(
    way: Callable[[Callable[[], None]], None],
    failure: Callable[[], None],
    format_: Any,
    stream: io.BytesIO,
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logging("debug", format_, stream)
    way(failure)
    assert stream.getvalue().count(b"\n") == 1  # it was logged
    printed = capfd.readouterr()
    assert SECRET not in stream.getvalue().decode() + printed.out + printed.err


def test_an_exception_is_told_by_class_place_and_causes(lines: Lines) -> None:
    through_structlog(fail_with_a_cause)
    (line,) = lines()
    assert line["event"] == "failed"
    assert line["error"] == "RuntimeError"
    assert line["causes"] == ["ValueError"]
    assert line["where"][-1].startswith("telemetry/test_log.py:")
    assert line["where"][-1].endswith(" fail_with_a_cause")


def test_a_group_is_told_by_the_classes_of_its_members(lines: Lines) -> None:
    through_structlog(fail_in_a_group)
    assert lines()[0]["causes"] == ["KeyError", "OSError"]


def test_a_message_that_is_a_constant_in_the_source_is_kept_without_its_arguments(lines: Lines) -> None:
    logging.getLogger("some.library").warning("pool %s is full", SECRET)
    (line,) = lines()
    assert (line["event"], line["logger"], line["level"]) == ("pool %s is full", "some.library", "warning")
    assert line["at"].endswith("test_a_message_that_is_a_constant_in_the_source_is_kept_without_its_arguments")


def test_a_message_put_together_at_run_time_is_not_kept_even_if_nothing_was_put_in(lines: Lines) -> None:
    part = "is"
    logging.getLogger("some.library").warning(f"the pool {part} full")  # noqa: G004
    assert lines()[0]["event"] == "library event"


def test_a_record_from_another_thread_of_its_own_making_is_not_kept(lines: Lines) -> None:
    record = logging.LogRecord("some.library", logging.ERROR, "elsewhere.py", 1, SECRET, None, None)
    logging.getLogger().handle(record)
    assert lines()[0]["event"] == "library event"


# litellm is not among them: its adapter silences it for good where it is loaded.
@pytest.mark.parametrize("name", ["uvicorn.error", "httpx", "aiohttp.client", "redis", "asyncio"])
def test_libraries_are_heard_from_warning_up(name: str, lines: Lines) -> None:
    logger = logging.getLogger(name)
    logger.info("chatter")
    logger.warning("a warning")
    assert [(line["event"], line["logger"]) for line in lines()] == [("a warning", name)]


def test_a_library_that_attaches_its_own_handler_later_prints_nothing_there(lines: Lines) -> None:
    printed = io.StringIO()
    logger = logging.getLogger("LiteLLM")
    handler = logging.StreamHandler(printed)
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        logger.debug(SECRET)
        logger.error("broke on %s", SECRET)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    assert printed.getvalue() == ""
    assert [line["event"] for line in lines()] == ["broke on %s"]


@pytest.mark.anyio
async def test_a_real_server_tells_of_a_broken_application_without_its_words(
    lines: Lines, capfd: pytest.CaptureFixture[str]
) -> None:
    async def broken(_scope: Any, _receive: Any, _send: Any) -> None:
        fail()

    # uvicorn's own logging configuration on purpose: what it attaches must not print either
    server = uvicorn.Server(uvicorn.Config(broken, port=0, lifespan="off"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.serve)
        while not server.started:
            await anyio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/?q={SECRET}")).status_code == 500
        server.should_exit = True
    printed = capfd.readouterr()
    assert printed.out + printed.err == ""
    (line,) = lines()
    assert (line["event"], line["error"]) == ("Exception in ASGI application\n", "ValueError")
    assert SECRET not in str(line)


def test_configuring_twice_does_not_log_twice(stream: io.BytesIO) -> None:
    configure_logging("info", "json", stream)
    configure_logging("info", "json", stream)
    logging.getLogger("uvicorn.error").error("once")
    assert stream.getvalue().count(b"\n") == 1


def test_what_is_bound_to_the_context_is_in_every_event(lines: Lines) -> None:
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.get_logger().info("ours")
        logging.getLogger("some.library").warning("theirs")
    structlog.get_logger().info("after")
    assert [line.get("request_id") for line in lines()] == ["r1", "r1", None]


def test_the_level_is_the_least_that_is_logged(stream: io.BytesIO) -> None:
    configure_logging("warning", "json", stream)
    structlog.get_logger().info("no")
    structlog.get_logger().warning("yes")
    assert stream.getvalue().count(b"\n") == 1


def test_a_value_that_cannot_be_written_is_replaced_by_a_line_that_can(lines: Lines) -> None:
    structlog.get_logger().info("odd", text="\ud800" + SECRET)
    assert lines() == [{"event": "unwritable event", "level": "error", "error": "TypeError"}]


def test_a_closed_stream_does_not_break_the_library_that_logs(stream: io.BytesIO) -> None:
    configure_logging("info", "json", stream)
    stream.close()
    logging.getLogger("some.library").error("failed")


def test_a_person_can_read_the_console_format(stream: io.BytesIO) -> None:
    configure_logging("info", "console", stream)
    structlog.get_logger().info("started", port=8080)
    line = stream.getvalue().decode()
    assert "started" in line
    assert "port=8080" in line
    assert not line.startswith("{")

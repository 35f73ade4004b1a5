"""The process in which files are opened: `python -m gateway.detect.attachments.child FD`.

It opens none itself. For each file it makes a copy of itself with little memory, little processor time and no right
to write or to open much, which reads that one file and ends: a file that kills its reader kills nobody else's, and
what one file left in memory is gone before the next.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from gateway.detect.attachments.frames import receive, send
from gateway.detect.attachments.limits import Limits, Unread

_BROKEN = 9


def main(descriptor: int) -> None:
    _prepare()
    with socket.socket(fileno=descriptor) as connection:
        while (asked := receive(connection)) is not None:
            head, data = asked
            send(connection, _in_a_copy(head, data))


def _prepare() -> None:
    """What every copy needs is loaded once."""
    import pypdf
    import pypdf._codecs.adobe_glyphs  # noqa: F401

    logging.disable(logging.CRITICAL)  # the library's warnings quote the file


def _in_a_copy(head: dict[str, Any], data: bytes) -> dict[str, Any]:
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _read_and_end(theirs, head, data)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        late = os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGALRM, signal.SIGKILL}
        return {"reason": "deadline" if late else "malformed"}
    if status:
        return {"reason": "too_large" if os.WEXITSTATUS(status) != _BROKEN else "malformed"}
    answer: dict[str, Any] = json.loads(told)
    return answer


def _read_and_end(pipe: int, head: dict[str, Any], data: bytes) -> None:
    status = _BROKEN
    try:
        limits = Limits(**head["limits"])
        _confine(limits)
        try:
            answer: dict[str, Any] = {"texts": _read(head["kind"], data, limits)}
        except Unread as unread:
            answer = {"reason": unread.reason}
        with os.fdopen(pipe, "wb") as file:
            file.write(json.dumps(answer).encode("utf-8", "surrogatepass"))
        status = 0
    except MemoryError:
        status = 1
    except BaseException:  # noqa: BLE001 - a copy ends here, whatever came: the parent's stack is not its own
        status = _BROKEN
    finally:
        os._exit(status)


def _read(kind: str, data: bytes, limits: Limits) -> list[str]:
    if kind == "pdf":
        from gateway.detect.attachments.pdf import read_pdf

        return read_pdf(data, limits)
    from gateway.detect.attachments.docx import read_docx

    return read_docx(data, limits)


def _confine(limits: Limits) -> None:
    memory = limits.memory_mb * 1024 * 1024
    wanted = [
        (resource.RLIMIT_CPU, limits.cpu_s, limits.cpu_s + 1),
        (resource.RLIMIT_AS, memory, memory),
        (resource.RLIMIT_FSIZE, 0, 0),
        (resource.RLIMIT_NOFILE, 16, 16),
        (resource.RLIMIT_CORE, 0, 0),
    ]
    for what, soft, hard in wanted:
        with suppress(ValueError, OSError):  # not every system knows each of them
            resource.setrlimit(what, (soft, hard))
    signal.alarm(max(1, round(limits.wall_s)))


if __name__ == "__main__":
    main(int(sys.argv[1]))

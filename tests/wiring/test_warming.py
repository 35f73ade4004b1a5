"""Backends that need a while: who is not ready yet and why, and that a failure stays where it is."""

from __future__ import annotations

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.core.errors import BackendError
from gateway.wiring.warming import Warming
from tests.support.line import ScriptedRemote

pytestmark = pytest.mark.anyio


class Slow(ScriptedRemote):
    def __init__(self, error: Exception | None = None) -> None:
        super().__init__("vendor")
        self._error = error

    async def warm(self) -> None:
        if self._error is not None:
            raise self._error


async def test_a_backend_is_ready_once_it_is_warm_and_not_before() -> None:
    warming = Warming(["vendor"], structlog.get_logger())
    assert warming.problem("vendor") == "litellm is being imported"
    assert warming.problem("another") is None
    await warming.warm(Slow())
    assert warming.problem("vendor") is None


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (BackendError("litellm does not know model 'x/y'"), "litellm does not know model 'x/y'"),
        (ImportError("No module named 'secret-looking'"), "litellm cannot be imported (ImportError)"),
    ],
    ids=["ours", "the library's"],
)
async def test_what_fails_is_told_by_readiness_and_the_log_and_goes_no_further(error: Exception, says: str) -> None:
    with capture_logs() as logs:
        warming = Warming(["vendor"], structlog.get_logger())
        await warming.warm(Slow(error))
    assert warming.problem("vendor") == says
    assert [log["event"] for log in logs] == ["backend_not_ready"]

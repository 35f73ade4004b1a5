"""What is counted is kept in the audit folder and read at the next start; whatever goes wrong costs nothing else."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import structlog
from structlog.testing import capture_logs

from gateway.core.types import Zone
from gateway.settings import Settings
from gateway.wiring import open_gateway
from gateway.wiring.traffic import NAME, KeptTraffic
from tests.support.traffic import Asker

pytestmark = pytest.mark.anyio


def keeping(folder: Path, asker: Asker) -> KeptTraffic:
    return KeptTraffic(asker.traffic, folder, "scorer", lambda name: f"p{len(name)}", structlog.get_logger())


async def test_a_second_start_goes_on_with_what_the_first_counted(tmp_path: Path) -> None:
    first, second = Asker(), Asker()
    first.answered(Zone.REMOTE, tenant="default")
    first.answered(Zone.LOCAL, tenant="default")
    await keeping(tmp_path, first).save()
    keeping(tmp_path, second).restore(Settings())
    assert second.look(0.5, tenant="default").share == 0.5


async def test_nothing_is_written_where_nothing_was_counted(tmp_path: Path) -> None:
    asker = Asker()
    keeps = keeping(tmp_path, asker)
    await keeps.save()
    assert not (tmp_path / NAME).exists()
    asker.ask(0.5, tenant="default")
    await keeps.save()
    (tmp_path / NAME).unlink()
    await keeps.save()
    assert not (tmp_path / NAME).exists()


async def test_a_first_start_says_nothing_and_a_damaged_file_is_a_warning(tmp_path: Path) -> None:
    asker = Asker()
    with capture_logs() as logs:
        keeping(tmp_path, asker).restore(Settings())
        assert logs == []
        (tmp_path / NAME).write_text("{")
        keeping(tmp_path, asker).restore(Settings())
    assert [(each["event"], each["problem"]) for each in logs] == [("traffic_not_restored", "it is not JSON")]
    asker.ask(0.5, tenant="default")
    await keeping(tmp_path, asker).save()
    second = Asker()
    keeping(tmp_path, second).restore(Settings())
    assert [share.asked for share in second.traffic.shares()] == [1]


async def test_a_disk_that_takes_nothing_is_a_warning_and_not_one_a_minute(tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("no folder")
    asker = Asker()
    keeps = keeping(tmp_path / "audit", asker)
    with capture_logs() as logs:
        for _ in range(3):
            asker.ask(0.5, tenant="default")
            await keeps.save()
    assert [each["event"] for each in logs] == ["traffic_not_kept"]


async def test_a_gateway_that_is_started_again_knows_what_went_out_before(tmp_path: Path) -> None:
    large = {"name": "large", "zone": "remote", "wire": "canned", "model": "large"}
    settings = Settings(local={"engine": "canned"}, backends=[large])

    async def started(*asks: str, **more: bool) -> str:
        async with open_gateway(settings, tmp_path, **more) as gateway:
            transport = httpx.ASGITransport(app=gateway.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                for ask in asks:
                    body = {"model": "auto", "messages": [{"role": "user", "content": ask}]}
                    assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
                page = (await client.get("/metrics")).text.splitlines()
                return next((line for line in page if 'remote_share{family="all"' in line), "")

    assert await started() == ""
    hard = "Prove that the square root of 2 is irrational, then generalise to any prime."
    share = await started(hard, "Hello!", "Hello again!")
    assert share.endswith(f"}} {1 / 3}")
    assert await started() == share
    assert await started(hard, remembers=False) == share.replace(str(1 / 3), "1.0"), "it began with nothing"
    assert await started() == share, "and left nothing"

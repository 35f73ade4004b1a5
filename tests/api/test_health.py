"""Readiness: which parts count for which zone, and what a probe reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.api.errors import HTTPError
from gateway.api.health import Condition, Health
from gateway.core.types import Zone
from tests.api.conftest import settings
from tests.support.capture import CaptureServer
from tests.support.serving import Serving, serving


def health(**problems: str | None) -> Health:
    zones = {"audit": None, "local": Zone.LOCAL, "house": Zone.PRIVATE, "large": Zone.REMOTE}
    return Health(tuple(Condition(name, zone, lambda n=name: problems.get(n)) for name, zone in zones.items()))


# what is not ready → the status for all zones, local, private, remote
TABLE = {
    (): (200, 200, 200, 200),
    ("audit",): (503, 503, 503, 503),
    ("local",): (503, 503, 200, 200),
    ("house",): (503, 200, 503, 200),
    ("large",): (503, 200, 200, 503),
    ("local", "large"): (503, 503, 200, 503),
}


@pytest.mark.parametrize("broken", TABLE, ids=lambda names: " and ".join(names) or "nothing")
def test_a_zone_is_ready_when_all_that_it_needs_is(broken: tuple[str, ...]) -> None:
    checked = health(**dict.fromkeys(broken, "loading"))
    assert tuple(checked.ready(zone)[0] for zone in (None, "local", "private", "remote")) == TABLE[broken]


def test_the_body_names_each_part_its_zone_and_its_problem() -> None:
    status, body = health(local="loading: 3 of 7").ready(None)
    assert (status, body["status"]) == (503, "not ready")
    assert body["parts"] == {
        "audit": {"ready": True},
        "local": {"ready": False, "zone": "local", "problem": "loading: 3 of 7"},
        "house": {"ready": True, "zone": "private"},
        "large": {"ready": True, "zone": "remote"},
    }
    assert health(local="loading").ready("REMOTE")[1]["parts"].keys() == {"audit", "large"}


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(HTTPError) as caught:
        health().ready("mars")
    assert (caught.value.status, caught.value.param) == (400, "zone")


def test_a_probe_reads_what_serves_and_what_is_only_canned(gateway: Serving) -> None:
    answer = gateway.get("/readyz")
    assert answer.status_code == 200
    parts = answer.json()["parts"]
    assert {"audit", "policy", "cache", "taint", "local", "large"} <= parts.keys()
    assert parts["local"]["note"] == "canned answers, no model"
    assert parts["policy"]["name"] == "api"
    assert gateway.get("/readyz?zone=remote").json()["parts"].keys() == {"audit", "policy", "cache", "taint", "large"}
    assert gateway.get("/healthz").json() == {"status": "ok"}


def test_remote_traffic_is_served_while_the_local_model_is_not_there(
    shared_upstream: CaptureServer, upstream: CaptureServer, tmp_path: Path
) -> None:
    config = settings(shared_upstream, local={"model": "nowhere.gguf", "start_wait_s": 0})
    (tmp_path / "nowhere.gguf").write_bytes(b"GGUF and nothing more")
    with serving(tmp_path, config, ready="?zone=remote") as gateway:
        whole = gateway.get("/readyz")
        assert whole.status_code == 503
        assert whole.json()["parts"]["local"]["ready"] is False
        assert whole.json()["parts"]["local"]["problem"]
        assert gateway.ask("Why?", model="large").status_code == 200
        refused = gateway.ask("Why?", model="local")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "local_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert len(upstream.requests) == 1

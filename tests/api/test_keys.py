"""A gateway with keys: who gets in, whose records are whose, what pages may call; and when keys are demanded."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.api.auth import Auth, KnownKey
from gateway.api.errors import HTTPError
from gateway.core.types import Principal
from tests.api.conftest import settings
from tests.support.capture import CaptureServer
from tests.support.serving import Serving, serving

ALICE, BOB, SCRAPER = "sk-alice", "sk-bob", "sk-scraper"
POLICY = """\
name: keys
permit:
  - name: research-may
    zone: remote
    fallback: none
    when: {sensitivity: {at_most: internal}, tenant: {in: [research]}, role: {in: [analyst]}}
"""


def hashed(key: str) -> str:
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, shared_upstream: CaptureServer) -> Iterator[Serving]:
    """Keys for two tenants, no decision headers, the served model's name in the answer."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "policy.yaml").write_text(POLICY)
    keys = [
        {"name": "alice", "hash": hashed(ALICE), "tenant": "research", "roles": ["analyst"]},
        {"name": "bob", "hash": hashed(BOB), "tenant": "sales"},
        {"name": "scraper", "hash": hashed(SCRAPER), "tenant": "house", "roles": ["operator"]},
    ]
    config = settings(
        shared_upstream,
        auth={"mode": "keys", "keys": keys},
        policy={"path": "policy.yaml"},
        server={"headers": False, "echo_model": "served", "ping_s": 0},
    )
    with serving(folder, config, env={"GATEWAY_LOCAL": "canned"}) as it:
        yield it


def ask(gateway: Serving, key: str | None, **more: Any) -> Any:
    return gateway.ask("Why is the sky blue?", headers={"authorization": f"Bearer {key}"} if key else {}, **more)


def test_what_is_counted_of_a_tenant_is_for_its_own_keys_and_for_the_operators(guarded: Serving) -> None:
    ask(guarded, ALICE)
    ask(guarded, BOB)
    pages = [guarded.get("/metrics", headers={"authorization": f"Bearer {key}"}).text for key in (ALICE, BOB, SCRAPER)]
    told = [{name for name in ("research", "sales") if f'tenant="{name}"' in page} for page in pages]
    assert told == [{"research"}, {"sales"}, {"research", "sales"}]


WRONG = {
    "none": {},
    "empty": {"authorization": ""},
    "no token": {"authorization": "Bearer"},
    "an unknown key": {"authorization": "Bearer sk-eve"},
    "half a key": {"authorization": f"Bearer {ALICE[:-1]}"},
    "another scheme": {"authorization": f"Basic {ALICE}"},
    "no scheme": {"authorization": ALICE},
    "the hash instead of the key": {"authorization": f"Bearer {hashed(ALICE)}"},
    "the bare hash": {"authorization": f"Bearer {hashed(ALICE).removeprefix('sha256:')}"},
    "another header": {"api-key": ALICE},
}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models", "/v1/models/large", "/metrics"])
@pytest.mark.parametrize("case", WRONG)
def test_without_a_known_key_nothing_is_told(guarded: Serving, upstream: CaptureServer, case: str, path: str) -> None:
    answer = guarded.post({}, headers=WRONG[case]) if "chat" in path else guarded.get(path, headers=WRONG[case])
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "invalid_api_key"
    assert ALICE not in answer.text
    assert upstream.requests == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER  "])
def test_a_known_key_gets_in(guarded: Serving, scheme: str) -> None:
    assert guarded.get("/v1/models", headers={"authorization": f"{scheme} {ALICE}"}).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/openapi.json"])
def test_what_probes_and_tools_read_needs_no_key(guarded: Serving, path: str) -> None:
    assert guarded.get(path).status_code == 200


def test_tenant_and_roles_come_with_the_key(guarded: Serving, upstream: CaptureServer) -> None:
    assert ask(guarded, ALICE).json()["choices"][0]["message"]["content"] == "Hello."
    assert "[canned]" in ask(guarded, BOB).json()["choices"][0]["message"]["content"]
    assert "[canned]" in ask(guarded, BOB, user="alice", metadata={"tenant": "research"}).text
    assert len(upstream.requests) == 1


def test_records_of_tenants_can_be_told_apart_and_name_nobody(guarded: Serving, upstream: CaptureServer) -> None:
    tenants = []
    for key in (ALICE, BOB):
        records = guarded.of(ask(guarded, key).headers["x-request-id"])
        tenants.append({record["tenant"] for record in records})
    assert [len(names) for names in tenants] == [1, 1]
    assert tenants[0] != tenants[1]
    written = "".join(path.read_text() for path in guarded.audit.glob("*.jsonl"))
    assert not [word for word in (ALICE, BOB, '"alice"', '"bob"', '"research"', '"sales"') if word in written]


def test_keys_stand_nowhere_in_the_log(guarded: Serving) -> None:
    ask(guarded, ALICE)
    ask(guarded, "sk-eve-was-here")
    assert not [word for word in (ALICE, BOB, "sk-eve-was-here") if word in guarded.log()]


def test_with_keys_any_host_name_and_any_page_may_call(guarded: Serving) -> None:
    headers = {"host": "gateway.example", "origin": "https://any.example", "authorization": f"Bearer {BOB}"}
    answer = guarded.get("/v1/models", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "https://any.example"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("stream", [False, True])
def test_headers_that_tell_of_the_decision_can_be_switched_off(
    guarded: Serving, upstream: CaptureServer, stream: bool
) -> None:
    for key, model in ((ALICE, "auto"), (BOB, "local"), (BOB, "gpt-9")):
        answer = ask(guarded, key, model=model, stream=stream, user="u-1")
        assert not [name for name in answer.headers if name.startswith("x-gateway")]
        assert answer.headers["x-request-id"]


def test_the_served_model_can_be_told_instead_of_the_asked_one(guarded: Serving, upstream: CaptureServer) -> None:
    assert ask(guarded, ALICE).json()["model"] == "capture-1"
    assert ask(guarded, BOB).json()["model"] == "smollm2-135m-instruct"
    assert '"model":"capture-1"' in ask(guarded, ALICE, stream=True).text


def test_every_known_key_is_compared_whichever_matches() -> None:
    keys = [KnownKey(hashed(key).removeprefix("sha256:"), Principal(subject=key)) for key in ("one", "two", "three")]
    auth = Auth(keys)
    for key in ("one", "two", "three"):
        assert auth.identify({b"authorization": b"Bearer " + key.encode()}).subject == key
    with pytest.raises(HTTPError):
        auth.identify({b"authorization": b"Bearer four"})
    assert not auth.open
    assert Auth(None).identify({}) == Principal()


OPEN_TO_OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "every address": ({"server": {"host": "0.0.0.0"}}, "auth: none serves loopback addresses only"),
    "an address of this machine": ({"server": {"host": "192.0.2.1"}}, "auth: none serves loopback addresses only"),
    "a name": ({"server": {"host": "gateway.test"}}, "auth: none serves loopback addresses only"),
    "keys without keys": ({"auth": {"mode": "keys"}}, "auth.keys is empty"),
    "a key in clear": ({"auth": {"mode": "keys", "keys": [{"name": "a", "hash": "sk-clear"}]}}, "hash"),
    "every page without keys": ({"server": {"cors_origins": ["*"]}}, "cors_origins '*'"),
}


@pytest.mark.parametrize("case", OPEN_TO_OTHERS)
def test_a_gateway_that_others_could_use_without_a_key_does_not_start(tmp_path: Path, case: str) -> None:
    config, sentence = OPEN_TO_OTHERS[case]
    (tmp_path / "gateway.yaml").write_text(yaml.safe_dump(config))
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "serve", "--config", str(tmp_path / "gateway.yaml")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "sk-clear" not in done.stderr


def test_a_probe_without_a_key_reads_only_what_is_ready(guarded: Serving) -> None:
    parts = guarded.get("/readyz").json()["parts"]
    assert {"audit", "policy", "local", "large"} <= parts.keys()
    assert all(part == {"ready": True} for part in parts.values())
    whole = guarded.get("/readyz", headers={"authorization": f"Bearer {ALICE}"}).json()["parts"]
    assert whole["policy"]["digest"]
    assert whole["large"]["model"] == "capture-1"

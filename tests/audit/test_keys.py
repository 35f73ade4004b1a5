"""Where the keys live, who may read them, and what they make."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.keys import Keys
from gateway.core.errors import ConfigurationError


def test_keys_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    made = Keys.load(tmp_path / "keys", create=True)
    read = Keys.load(tmp_path / "keys")
    assert {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {
        "signing.pem": 0o600,
        "secret.key": 0o600,
    }
    assert made.public.fingerprint == read.public.fingerprint
    assert made.pseudonym("tenant", "acme") == read.pseudonym("tenant", "acme")


@pytest.mark.parametrize("name", ["signing.pem", "secret.key"])
@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_keys_that_others_can_read_or_write_are_refused(tmp_path: Path, name: str, mode: int) -> None:
    Keys.load(tmp_path / "keys", create=True)
    (tmp_path / "keys" / name).chmod(mode)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        Keys.load(tmp_path / "keys")


@pytest.mark.parametrize("inside", ["", "keys", "a/b"], ids=["the same", "inside", "deep inside"])
def test_keys_beside_the_log_are_refused(tmp_path: Path, inside: str) -> None:
    with pytest.raises(ConfigurationError, match="must not lie beside the log"):
        JsonlAudit.open(tmp_path / "audit", tmp_path / "audit" / inside)
    assert not list(tmp_path.iterdir())


def test_keys_inside_the_log_by_a_link_are_refused(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "keys").symlink_to(tmp_path / "audit")
    with pytest.raises(ConfigurationError, match="must not lie beside the log"):
        JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")


def test_a_log_whose_keys_are_lost_gets_no_new_ones(tmp_path: Path) -> None:
    JsonlAudit.open(tmp_path / "audit", tmp_path / "keys").close()
    shutil.rmtree(tmp_path / "keys")
    with pytest.raises(ConfigurationError, match=r"signing\.pem. is missing; put it back"):
        JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_a_log_of_other_keys_is_not_continued(tmp_path: Path) -> None:
    JsonlAudit.open(tmp_path / "audit", tmp_path / "keys").close()
    Keys.load(tmp_path / "other", create=True)
    with pytest.raises(ConfigurationError, match="not the public half"):
        JsonlAudit.open(tmp_path / "audit", tmp_path / "other")
    (tmp_path / "audit" / "public.pem").unlink()
    with pytest.raises(ConfigurationError, match="another key"):
        JsonlAudit.open(tmp_path / "audit", tmp_path / "other")


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda keys: (keys / "secret.key").write_bytes(b"not hexadecimal"), id="secret"),
        pytest.param(lambda keys: (keys / "secret.key").write_bytes(b"00"), id="short secret"),
        pytest.param(lambda keys: (keys / "signing.pem").write_bytes(b"not PEM"), id="signing"),
        pytest.param(lambda keys: (keys / "signing.pem").unlink(), id="missing"),
    ],
)
def test_damaged_keys_are_a_configuration_error(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    Keys.load(tmp_path / "keys", create=True)
    spoil(tmp_path / "keys")
    with pytest.raises(ConfigurationError, match=r"audit key.* begin a new log in another audit\.dir"):
        Keys.load(tmp_path / "keys")


def test_a_pseudonym_is_128_bits_and_depends_on_key_kind_and_name(keys: Keys, other_keys: Keys) -> None:
    pseudonyms = {
        keys.pseudonym("tenant", "acme"),
        keys.pseudonym("subject", "acme"),
        keys.pseudonym("tenant", "acme2"),
        other_keys.pseudonym("tenant", "acme"),
    }
    assert len(pseudonyms) == 4
    assert {len(pseudonym) for pseudonym in pseudonyms} == {32}
    assert keys.pseudonym("tenant", "\ud800")


def test_remembering_names_has_an_end(keys: Keys) -> None:
    first = keys.pseudonym("tenant", "0")
    for number in range(5000):
        keys.pseudonym("tenant", str(number))
    assert len(keys._pseudonyms) <= 4096
    assert keys.pseudonym("tenant", "0") == first


def test_the_fingerprint_is_the_one_that_openssl_users_compute(keys: Keys) -> None:
    der = base64.b64decode(b"".join(keys.public.pem.splitlines()[1:-1]))  # what `openssl pkey -outform DER` writes
    assert keys.public.fingerprint == "sha256:" + hashlib.sha256(der).hexdigest()

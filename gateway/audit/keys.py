"""The keys of the audit log: who may sign it, and how names and requests are hidden in it.

They live outside the audit directory. Whoever can write the log must not be able to sign it, and whoever reads a copy
must not be able to try out names. Two files:

    signing.pem    Ed25519 private key; its public half lies beside the log for verifiers
    secret.key     32 random bytes in hexadecimal; everything keyed is derived from them with HKDF
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.core.errors import ConfigurationError

SIGNING = "signing.pem"
SECRET = "secret.key"  # noqa: S105 - a file's name
_OPEN_TO_OTHERS = 0o037
"""Nobody but the owner writes, nobody but owner and group reads (a mounted Kubernetes secret belongs to the group)."""
_WAY_OUT = "put it back from your backup, or begin a new log in another audit.dir"
_REMEMBERED = 4096
_K = TypeVar("_K")
_V = TypeVar("_V")


class PublicKey:
    """What a verifier needs to know, and all it needs to know."""

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.fingerprint = "sha256:" + hashlib.sha256(der).hexdigest()

    @classmethod
    def from_pem(cls, pem: bytes) -> PublicKey:
        """Raises ConfigurationError for anything but an Ed25519 public key."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, TypeError):
            raise ConfigurationError("the public key is not a PEM file") from None
        if not isinstance(key, Ed25519PublicKey):
            raise ConfigurationError("the public key is not an Ed25519 key")
        return cls(key)

    def signed(self, message: bytes, signature: bytes) -> bool:
        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


class Keys:
    """Signs heads, and turns names and requests into keyed values."""

    def __init__(self, signing: Ed25519PrivateKey, secret: bytes) -> None:
        self._signing = signing
        self._secret = secret
        self._naming = self._derive(b"pseudonym")
        self._pseudonyms: dict[tuple[str, str], str] = {}
        self._tenants: dict[str, bytes] = {}
        self.public = PublicKey(signing.public_key())

    @classmethod
    def load(cls, directory: Path, *, create: bool = False) -> Keys:
        """Read both keys; with `create`, make those that are not there yet. Raises ConfigurationError."""
        try:
            if create:
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                _create(directory / SIGNING, _new_signing_key())
                _create(directory / SECRET, secrets.token_hex(32).encode() + b"\n")
            signing = serialization.load_pem_private_key(_read(directory / SIGNING), password=None)
            secret = bytes.fromhex(_read(directory / SECRET).decode("ascii").strip())
        except FileNotFoundError as error:
            raise ConfigurationError(f"audit key {error.filename!r} is missing; {_WAY_OUT}") from None
        except OSError as error:
            raise ConfigurationError(f"audit keys in {str(directory)!r}: {error.strerror}") from None
        except (ValueError, TypeError):
            raise ConfigurationError(f"audit keys in {str(directory)!r} are damaged; {_WAY_OUT}") from None
        if not isinstance(signing, Ed25519PrivateKey) or len(secret) < 32:
            raise ConfigurationError(f"audit keys in {str(directory)!r} are of the wrong kind; {_WAY_OUT}")
        return cls(signing, secret)

    def sign(self, message: bytes) -> bytes:
        return self._signing.sign(message)

    def pseudonym(self, kind: str, name: str) -> str:
        """A name as it stands in the log: 128 bits, the same for the same name, nothing without the key."""
        known = self._pseudonyms.get((kind, name))
        if known is None:
            keyed = hmac.digest(self._naming, kind.encode() + b"\0" + _utf8(name), "sha256")
            known = _remember(self._pseudonyms, (kind, name), keyed[:16].hex())
        return known

    def request_hmac(self, tenant: str, canonical: bytes) -> str:
        """Proves that a request someone presents later is the one recorded; keyed, so that it cannot be guessed."""
        key = self._tenants.get(tenant)
        if key is None:
            key = _remember(self._tenants, tenant, self._derive(b"request\0" + _utf8(tenant)))
        return hmac.digest(key, canonical, "sha256").hex()

    def _derive(self, purpose: bytes) -> bytes:
        info = b"slm-gateway audit v1\0" + purpose
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self._secret)


def apart(keys_dir: Path, audit_dir: Path) -> None:
    """Raise ConfigurationError when the keys would lie in the directory whose contents they prove."""
    keys, audit = keys_dir.resolve(), audit_dir.resolve()
    if keys == audit or audit in keys.parents:
        raise ConfigurationError(
            f"audit keys must not lie beside the log: {str(keys_dir)!r} is inside {str(audit_dir)!r}; "
            "name another directory for them"
        )


def _remember(memory: dict[_K, _V], key: _K, value: _V) -> _V:
    if len(memory) >= _REMEMBERED:  # names come with requests: keep what one busy gateway sees, not every name ever
        memory.clear()
    memory[key] = value
    return value


def _utf8(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _new_signing_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _create(path: Path, content: bytes) -> None:
    """Write a key file that nobody else can read at any moment, whole or not at all; leave one that exists alone."""
    if path.exists():
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: use its key
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path) -> bytes:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OPEN_TO_OTHERS:
        raise ConfigurationError(f"audit key {str(path)!r} is open to others (mode {mode:04o}); run: chmod 600 {path}")
    return path.read_bytes()

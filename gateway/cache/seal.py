"""Locks answers before they leave this process: one key per tenant, each value tied to its name."""

from __future__ import annotations

import os
from collections import OrderedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE_BYTES = 12
_CIPHERS_KEPT = 1024


class Seal:
    """AES-256-GCM under HKDF(secret, tenant). The name is bound in: a value moved to another name does not open.

    A random 96-bit nonce is safe for 2^32 values under one key, which is years of cache writes of one tenant.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._ciphers: OrderedDict[str, AESGCM] = OrderedDict()

    def close(self, value: bytes, *, tenant: str, name: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher(tenant).encrypt(nonce, value, name.encode())

    def open(self, sealed: bytes, *, tenant: str, name: str) -> bytes | None:
        """The value, or None for one that was altered, moved, or locked by another tenant or secret."""
        if len(sealed) <= _NONCE_BYTES:
            return None
        try:
            return self._cipher(tenant).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except InvalidTag:
            return None

    def _cipher(self, tenant: str) -> AESGCM:
        cipher = self._ciphers.get(tenant)
        if cipher is None:
            derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"slm-gateway cache\0" + tenant.encode())
            cipher = self._ciphers[tenant] = AESGCM(derivation.derive(self._secret))
            if len(self._ciphers) > _CIPHERS_KEPT:
                self._ciphers.popitem(last=False)
        return cipher

"""Who is asking: API keys by constant-time comparison of their hashes, or nobody in particular on loopback."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.api.errors import HTTPError
from gateway.core.types import Principal


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key's SHA-256 in hexadecimal and whom it stands for. Keys are random 256-bit strings: no salt is needed."""

    hash: str
    principal: Principal


class Auth:
    """`keys=None` admits everybody as the default principal; settings allow that on loopback alone."""

    def __init__(self, keys: Sequence[KnownKey] | None) -> None:
        self._keys = keys
        self._anyone = Principal()

    @property
    def open(self) -> bool:
        return self._keys is None

    def identify(self, headers: Mapping[bytes, bytes]) -> Principal:
        """The principal of a request, or HTTPError 401. Every known key is compared, whichever matches."""
        if self._keys is None:
            return self._anyone
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() != b"bearer" or not token.strip():
            raise HTTPError(401, "send an API key: Authorization: Bearer KEY", code="invalid_api_key")
        digest = hashlib.sha256(token.strip()).hexdigest()
        found: Principal | None = None
        for key in self._keys:
            if hmac.compare_digest(key.hash, digest):
                found = key.principal
        if found is None:
            raise HTTPError(401, "this API key is not known here; ask the operator for one", code="invalid_api_key")
        return found

    def knows(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether this caller may read more than any passer-by."""
        try:
            self.identify(headers)
        except HTTPError:
            return False
        return True

"""Whose certificates count: the system's store, SSL_CERT_FILE and a named CA. Verification is never off."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

from gateway.core.errors import ConfigurationError


def tls_context(
    ca_file: Path | None, *, system: bool = True, environment: Mapping[str, str] | None = None
) -> ssl.SSLContext:
    """With `system` the CA named is trusted beside the system's store; without, it alone is."""
    context = _system(os.environ if environment is None else environment) if system else _bare()
    if ca_file is not None:
        _trust(context, ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _system(environment: Mapping[str, str]) -> ssl.SSLContext:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # On Linux OpenSSL reads this variable by itself; the keychains of macOS and Windows do not know it.
    if extra := environment.get("SSL_CERT_FILE"):
        _trust(context, Path(extra))
    return context


def _bare() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies, and knows no CA yet


def _trust(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigurationError(f"cannot read certificates from {str(file)!r}") from error

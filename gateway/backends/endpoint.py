"""Where a backend may live: the checks on its address, made when the configuration loads and again when connecting."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.core.errors import ConfigurationError
from gateway.core.types import Zone

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Sequence[Network] = tuple(ipaddress.ip_network(text) for text in ("127.0.0.0/8", "::1/128"))
# `ipaddress.is_private` also says yes to documentation, benchmark and link-local ranges (169.254.169.254 hands out
# cloud credentials), so the list is written out.
PRIVATE: Sequence[Network] = (
    *LOOPBACK,
    *(ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
)


@dataclass(frozen=True, slots=True)
class Proxy:
    """A company proxy that a remote backend is reached through."""

    url: str
    user: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A backend's address after the checks, and how to get there."""

    url: str
    """Without a trailing slash, user or query."""
    host: str
    networks: Sequence[Network] | None
    """The networks its address must lie in, or None for anywhere."""
    ca_file: Path | None
    system_trust: bool
    """False where only the named CA counts: a private endpoint proves itself by that CA alone."""
    proxy: Proxy | None


def validate_endpoint(
    name: str,
    zone: Zone,
    base_url: str,
    *,
    plaintext: bool = False,
    ca_file: str | Path | None = None,
    proxy: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """Say how backend `name` may be reached, or raise ConfigurationError.

    `proxy` is a URL, 'direct' (ignore the environment) or None (HTTPS_PROXY and NO_PROXY count, for zone remote only).
    """
    scheme, host, url = _parse(name, base_url)
    ca = _ca(name, ca_file)
    if zone is Zone.PRIVATE:
        networks = _private(name, scheme, host, plaintext=plaintext, ca=ca)
        if proxy not in {None, "direct"}:
            raise ConfigurationError(f"backend {name!r}: zone private is reached directly; take out 'proxy'")
        return Endpoint(url, host, networks, ca, system_trust=ca is None, proxy=None)
    if scheme == "http":
        _loopback(name, host)
        return Endpoint(url, host, LOOPBACK, ca, system_trust=True, proxy=None)
    way = _proxy(name, host, proxy, os.environ if environment is None else environment)
    return Endpoint(url, host, None, ca, system_trust=True, proxy=way)


def inside(address: str, networks: Sequence[Network]) -> bool:
    """Whether a literal address lies in one of the networks; an IPv4 address in IPv6 clothes counts as IPv4."""
    parsed = literal(address.partition("%")[0])
    return parsed is not None and any(parsed in network for network in networks)


def literal(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _parse(name: str, base_url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigurationError(f"backend {name!r}: base_url must be an http(s) URL such as https://host/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigurationError(
            f"backend {name!r}: base_url holds a user, a query or a fragment; put the key in api_key_env"
        )
    return parts.scheme, host, base_url.rstrip("/")


def _ca(name: str, ca_file: str | Path | None) -> Path | None:
    if ca_file is None:
        return None
    path = Path(ca_file)
    if not path.is_file():
        raise ConfigurationError(f"backend {name!r}: ca_file {str(path)!r} is not a file")
    return path


def _private(name: str, scheme: str, host: str, *, plaintext: bool, ca: Path | None) -> Sequence[Network]:
    if literal(host) is not None and not inside(host, PRIVATE):
        raise ConfigurationError(f"backend {name!r}: {host} is a public address; zone private needs a private one")
    if plaintext or (scheme == "https" and ca is not None):
        return PRIVATE
    raise ConfigurationError(
        f"backend {name!r}: zone private needs https with a ca_file that names its CA, "
        "or a private address with 'plaintext: accepted'"
    )


def _loopback(name: str, host: str) -> None:
    if host != "localhost" and not inside(host, LOOPBACK):
        raise ConfigurationError(f"backend {name!r}: zone remote over plain http is for loopback only; use https")


def _proxy(name: str, host: str, option: str | None, environment: Mapping[str, str]) -> Proxy | None:
    if option == "direct":
        return None
    if option is not None:
        return _parse_proxy(name, "proxy", option)
    # Lower case wins, as in curl.
    lower = {key.lower(): value for key, value in environment.items() if key.lower().endswith("_proxy")}
    lower |= {key: value for key, value in environment.items() if key in lower}
    chosen = lower.get("https_proxy") or lower.get("all_proxy")
    if not chosen or _bypassed(host, lower.get("no_proxy", "")):
        return None
    return _parse_proxy(name, "HTTPS_PROXY", chosen)


def _bypassed(host: str, no_proxy: str) -> bool:
    """NO_PROXY as curl reads it: `*`, a name with all below it, an address or a network."""
    address = literal(host)
    for entry in (part.strip().lower() for part in no_proxy.split(",")):
        name = entry.partition(":")[0].lstrip(".") if entry.count(":") == 1 else entry.lstrip(".")
        if name and (name == "*" or host == name or host.endswith(f".{name}")):
            return True
        if address is not None and "/" in entry and _in_network(address, entry):
            return True
    return False


def _in_network(address: Address, text: str) -> bool:
    try:
        return address in ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False


def _parse_proxy(name: str, origin: str, text: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port or 80
    except ValueError:
        host, port, parts = None, 0, urlsplit("")
    if parts.scheme != "http" or not host:
        # The value may hold a password: name where it came from, not what it says.
        raise ConfigurationError(f"backend {name!r}: {origin} must be an http://host:port proxy")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return Proxy(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}", user, password)

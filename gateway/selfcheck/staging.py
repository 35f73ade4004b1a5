"""The operator's settings with everything replaced that would reach outside or be written where it does not belong."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.backends.canned import CannedLocal
from gateway.core.types import Json, Principal
from gateway.settings import Backend, Settings
from gateway.settings.sections import Audit, Auth, Cache
from gateway.wiring.backends import configured
from gateway.wiring.catalogue import planned_specs


@dataclass(frozen=True, slots=True)
class Who:
    """A caller of the gateway: one for each set of rights that the operator's keys give."""

    name: str
    principal: Principal
    token: str | None = field(default=None, repr=False)
    alike: int = 1
    """How many keys have the same rights."""


@dataclass(frozen=True, slots=True)
class Stage:
    settings: Settings
    who: tuple[Who, ...]
    local: CannedLocal | None
    """Says that it is none, with the abilities of the model that is configured; None = as the settings say."""
    backends: tuple[Backend, ...]
    notes: tuple[str, ...]


def staged(
    settings: Settings, folder: Path, temporary: Path, base_url: Callable[[int], str], *, with_model: bool
) -> Stage:
    """What to open. The policy, the detectors, the names and zones of the backends and their abilities stay."""
    backends = tuple(_played(backend, base_url(at)) for at, backend in enumerate(configured(settings)))
    who, auth = _who(settings.auth)
    local = None
    if settings.local.engine == "llama" and not with_model:
        local = CannedLocal(planned_specs(settings, folder)[0])
    notes = []
    detect = settings.detect
    if detect.judge is not None and not with_model:
        detect = detect.model_copy(update={"judge": None})
        notes.append("detect.judge is left out: it asks the local model (--with-model starts it)")
    if detect.http is not None:
        notes.append("detect.http is asked as always: it gets the planted values")
    server = settings.server.model_copy(
        update={"host": "127.0.0.1", "tls": None, "headers": True, "cors_origins": (), "ping_s": 0}
    )
    changed = {
        "server": server,
        "auth": auth,
        "backends": backends,
        "cache": Cache(),
        "taint": settings.taint.model_copy(update={"url": "memory://"}),
        "audit": Audit(dir=temporary / "audit"),
        "detect": detect,
        "policy": settings.policy.model_copy(update={"watch_s": 0}),
        "shadow": settings.shadow.model_copy(update={"mode": "off"}),  # what leaves is counted
    }
    return Stage(settings.model_copy(update=changed), who, local, backends, tuple(notes))


def _played(backend: Backend, base_url: str) -> Backend:
    """The same name, zone and abilities, reached on loopback and without the vendor's key."""
    reached: dict[str, Json] = {
        "wire": "openai",
        "base_url": base_url,
        "api_key_env": None,
        "api_key_file": None,
        "plaintext": "accepted",
        "ca_file": None,
        "proxy": None,
        "options": {},
    }
    return backend.model_copy(update=reached)


def _who(auth: Auth) -> tuple[tuple[Who, ...], Auth]:
    """Callers with the rights of the operator's keys, which are not known here: their hashes are of new ones."""
    if auth.mode == "none":
        return (Who("anyone", Principal()),), auth
    who: dict[Principal, Who] = {}
    keys = []
    for key in auth.keys:
        rights = Principal(key.tenant, "", key.roles, key.tags, key.public, key.purpose)
        if (known := who.get(rights)) is not None:
            who[rights] = Who(known.name, known.principal, known.token, known.alike + 1)
            continue
        token = secrets.token_urlsafe(24)
        who[rights] = Who(key.name, rights, token)
        keys.append(key.model_copy(update={"hash": "sha256:" + hashlib.sha256(token.encode()).hexdigest()}))
    return tuple(who.values()), auth.model_copy(update={"keys": tuple(keys)})

"""What is counted of each tenant, in a small file, so that a restart goes on where the gateway stopped.

It holds numbers. A tenant stands there by its pseudonym in the audit log, a score as three whole numbers. Where another
scorer or another calibration makes the scores now, those that are kept say nothing and are left out; what went out went
out whoever scored it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import orjson

from gateway.core.scoring import FAMILIES
from gateway.core.types import Json
from gateway.traffic.tenant import RECENT, Tenant
from gateway.traffic.window import Chances

FORMAT = "slm-gateway-traffic-1"
SCORES = 128
"""The newest of a family that are kept: enough to go on with, and 256 tenants of every family take seven megabytes."""
MOST_BYTES = 16 * 1_048_576
_WHOLE = 10_000
"""A chance is kept in ten-thousandths, as scorers say it: equal ones stay equal."""


class Damaged(ValueError):
    """The file is not what a gateway wrote."""


def numbers(tenant: Tenant) -> dict[str, Json]:
    """What a restart needs of it."""
    return {
        "went": [2 * FAMILIES.index(family) + out for family, out in tenant.recent],
        "scores": {
            family: [number for chances in window.newest(SCORES) for number in _whole(chances)]
            for family, window in tenant.windows.items()
        },
    }


def write(path: Path, scorer: str, tenants: Mapping[str, Json]) -> None:
    """Whole or not at all. `tenants` are `numbers` by pseudonym. Raises OSError."""
    told = {"format": FORMAT, "scorer": scorer, "families": FAMILIES, "tenants": tenants}
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(told))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path, scorer: str, names: Iterable[str], pseudonym: Callable[[str], str]) -> list[tuple[str, Tenant]]:
    """Those of these `names` that are kept, in the file's order. Raises Damaged, or OSError where it is not there."""
    if path.stat().st_size > MOST_BYTES:
        raise Damaged("it is too large")
    try:
        told = orjson.loads(path.read_bytes())
    except ValueError:
        raise Damaged("it is not JSON") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise Damaged(f"it is not in the format {FORMAT}")
    families, kept = told.get("families"), told.get("tenants")
    if not isinstance(families, list) or not isinstance(kept, dict):
        raise Damaged("it names no families, or no tenants")
    known = {pseudonym(name): name for name in names}
    same = told.get("scorer") == scorer
    return [(known[each], _tenant(its, families, scores=same)) for each, its in kept.items() if each in known]


def _tenant(kept: Json, families: Sequence[Json], *, scores: bool) -> Tenant:
    if not isinstance(kept, dict) or not isinstance(kept.get("scores"), dict):
        raise Damaged("a tenant has no scores")
    tenant = Tenant()
    for number, went in enumerate(_whole_numbers(kept.get("went"), RECENT, 2 * len(families))):
        request = f"\0{number}"  # no client's: theirs came in a header
        tenant.count(request, _family(families[went // 2]), None)
        tenant.went(request, bool(went % 2))
    for family, its in kept["scores"].items() if scores else ():
        whole = _whole_numbers(its, 3 * SCORES, 2 * _WHOLE + 1)
        for gain, loss, remote in zip(whole[::3], whole[1::3], whole[2::3], strict=False):
            tenant.score(_family(family), Chances(gain / _WHOLE, loss / _WHOLE - 1, remote / _WHOLE))
    return tenant


def _whole(chances: Chances) -> tuple[int, int, int]:
    return round(_WHOLE * chances.gain), round(_WHOLE * (chances.loss + 1)), round(_WHOLE * chances.remote)


def _whole_numbers(given: Json, most: int, below: int) -> list[int]:
    if not isinstance(given, list) or len(given) > most:
        raise Damaged("there are too many numbers, or none")
    if not all(type(each) is int and 0 <= each < below for each in given):
        raise Damaged("a number is none that was written")
    return given


def _family(name: Json) -> str:
    return name if name in FAMILIES else "other"

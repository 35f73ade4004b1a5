"""What is counted survives a restart, as numbers in a file that is small, and that may be damaged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.scoring import FAMILIES, Standing
from gateway.core.types import Zone
from gateway.traffic import RollingTraffic, kept
from gateway.traffic.rolling import LEAST
from gateway.traffic.tenant import RECENT
from gateway.traffic.window import MOST
from tests.support.traffic import Asker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "traffic.json"


def pseudonym(name: str) -> str:
    return f"p-{len(name)}"


def write(asker: Asker, path: Path, scorer: str = "s") -> None:
    told = {pseudonym(name): kept.numbers(tenant) for name, tenant in asker.traffic.tenants}
    kept.write(path, scorer, told)


def restored(path: Path, *names: str, scorer: str = "s") -> Asker:
    traffic = RollingTraffic()
    for name, tenant in kept.read(path, scorer, names, pseudonym):
        traffic.tenants.put(name, tenant)
    return Asker(traffic)


def busy(tenant: str = "a", requests: int = 100) -> Asker:
    asker, random = Asker(), Random(3)
    for number in range(requests):
        zone = Zone.REMOTE if number % 4 == 0 else Zone.LOCAL
        asker.answered(zone, tenant=tenant, family="code" if number % 3 else "maths", gain=round(random.random(), 4))
    return asker


def test_ranks_qualities_and_shares_are_what_they_were(path: Path) -> None:
    before = busy()
    write(before, path)
    after = restored(path, "a")
    for family in ("code", "maths"):
        for gain in (0.1, 0.55, 0.9):
            was, now = before.look(gain, family=family), after.look(gain, family=family)
            assert (now.share, now.rank, now.quality) == (was.share, was.rank, pytest.approx(was.quality))
    assert after.traffic.shares() == before.traffic.shares()


def test_equal_scores_stay_equal(path: Path) -> None:
    asker = Asker()
    asker.feed([0.55] * LEAST)
    write(asker, path)
    after = restored(path, "a")
    assert 0 < (after.look(0.55).rank or 0.0) < 1
    assert (after.look(0.5499).rank, after.look(0.5501).rank) == (0, 1)


def test_what_is_counted_afterwards_pushes_the_oldest_out(path: Path) -> None:
    asker = Asker()
    for _ in range(RECENT):
        asker.answered(Zone.REMOTE)
    write(asker, path)
    after = restored(path, "a")
    assert after.look(0.5).share == 1
    for _ in range(RECENT // 2):
        after.answered(Zone.LOCAL)
    assert after.look(0.5).share == 0.5


def test_scores_of_another_scorer_say_nothing_and_what_went_out_went_out(path: Path) -> None:
    before = busy()
    write(before, path, scorer="one")
    assert restored(path, "a", scorer="two").look(0.9) == Standing(share=before.look(0.9).share)


def test_who_is_not_known_any_more_is_forgotten_and_nobody_gets_anothers_numbers(path: Path) -> None:
    write(busy("abc"), path)
    assert restored(path, "a").look(0.9, tenant="a") == Standing(share=0.0)
    assert restored(path, "a", "xyz").look(0.9, tenant="xyz").rank is not None


def test_the_file_holds_numbers_and_no_names_but_those_of_families(path: Path) -> None:
    write(busy("tenant-with-a-name"), path)
    words = set(re.findall(r"[a-z][a-z-]+", path.read_text()))
    assert words <= {
        *FAMILIES,
        "format",
        "slm-gateway-traffic-",
        "scorer",
        "families",
        "tenants",
        "went",
        "scores",
        "p-",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_is_bounded_whatever_was_asked(path: Path) -> None:
    asker, random = Asker(), Random(5)
    for family in FAMILIES:
        asker.feed([random.random() for _ in range(MOST)], family=family)
    write(asker, path)
    assert path.stat().st_size < 32_000, "256 of these are read again"
    assert len(json.loads(path.read_text())["tenants"][pseudonym("a")]["scores"]["maths"]) == 3 * kept.SCORES


def test_the_newest_scores_are_the_ones_that_are_kept(path: Path) -> None:
    asker = Asker()
    asker.feed([0.9] * (MOST + 40))
    asker.feed([0.1] * kept.SCORES)
    write(asker, path)
    assert restored(path, "a").look(0.5).rank == 1


DAMAGED = {
    "nothing": b"",
    "half of it": b'{"format":"slm-gateway-traffic-1","scorer":"s","fam',
    "a list": b"[]",
    "another format": b'{"format":"slm-gateway-traffic-0"}',
    "no tenants": b'{"format":"slm-gateway-traffic-1","families":[]}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_told_from_one_that_is_not_there(content: bytes, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(kept.Damaged):
        restored(path, "a")
    path.unlink()
    with pytest.raises(FileNotFoundError):
        restored(path, "a")


WRONG: dict[str, Any] = {
    "a tenant that is none": 7,
    "no scores": {"went": []},
    "scores that are none": {"went": [], "scores": []},
    "a family that is none": {"went": [2 * len(FAMILIES)], "scores": {}},
    "a number below nothing": {"went": [-1], "scores": {}},
    "a gain above one": {"went": [], "scores": {"maths": [20_001, 0, 0]}},
    "truth": {"went": [True], "scores": {}},
    "text": {"went": "0101", "scores": {}},
    "too much": {"went": [0] * (RECENT + 1), "scores": {}},
    "far too much": {"went": [], "scores": {"maths": [0] * (3 * kept.SCORES + 1)}},
}


@pytest.mark.parametrize("tenant", WRONG.values(), ids=WRONG)
def test_one_wrong_number_and_nothing_of_it_is_believed(tenant: Any, path: Path) -> None:
    kept.write(path, "s", {pseudonym("a"): tenant})
    with pytest.raises(kept.Damaged):
        restored(path, "a")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
)


@given(st.fixed_dictionaries({"went": json_values, "scores": json_values | st.dictionaries(st.text(), json_values)}))
def test_whatever_stands_there_is_read_or_is_damaged(
    tmp_path_factory: pytest.TempPathFactory, tenant: dict[str, Any]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(
        json.dumps(
            {"format": kept.FORMAT, "scorer": "s", "families": list(FAMILIES), "tenants": {pseudonym("a"): tenant}}
        )
    )
    try:
        standing = restored(path, "a").look(0.5)
    except kept.Damaged:
        return
    assert 0 <= (standing.share or 0.0) <= 1

"""Numbers in a file: they survive a crash, a stranger's line and a restart, and never grow without end."""

from __future__ import annotations

import json
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.shadow import ledger as module
from gateway.shadow.agreement import agreement
from gateway.shadow.ledger import Ledger, Row, read

NOON = 1_790_000_000.0 // 86_400 * 86_400 + 43_200
ROW = Row(NOON, "chat", "en", "small", "d1", "large", "d2", 0.4, 0.5, 0.25)


def test_what_was_added_is_read_back_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "var" / "shadow.jsonl"
    ledger = Ledger(path, clock=lambda: NOON)
    ledger.add(ROW)
    ledger.add(replace(ROW, agreement=None))
    assert list(read(path)) == [ROW, replace(ROW, agreement=None)]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_spent_is_counted_from_midnight_and_after_a_restart_too(tmp_path: Path) -> None:
    path, now = tmp_path / "shadow.jsonl", [NOON]
    Ledger(path, clock=lambda: now[0]).add(ROW)
    ledger = Ledger(path, clock=lambda: now[0])
    assert ledger.spent_today() == 0.25
    ledger.add(ROW)
    assert ledger.spent_today() == 0.5
    now[0] += 86_400
    assert ledger.spent_today() == 0.0


def test_a_line_that_is_cut_or_not_ours_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    Ledger(path).add(ROW)
    odd = b'{"at": 1}\n[1]\nnope\n\xff\n' + path.read_bytes().replace(b"0.25", b'"much"') + path.read_bytes()[:-20]
    with path.open("ab") as file:
        file.write(odd)
    assert list(read(path)) == [ROW]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param({"tenant": 7}, id="a number for a tenant"),
        pytest.param({"more": "what is this"}, id="a field more"),
        pytest.param({"family": ["chat"]}, id="a list for a family"),
        pytest.param({"language": 7}, id="a number for a language"),
        pytest.param({"local_digest": None}, id="no model"),
        pytest.param({"agreement": "much"}, id="a word for an agreement"),
        pytest.param({"gain": {}}, id="an object for a gain"),
    ],
)
def test_a_line_that_was_changed_is_passed_over(tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "shadow.jsonl"
    Ledger(path).add(ROW)
    with path.open("a") as file:
        file.write(json.dumps(asdict(ROW) | damage) + "\n")
    assert list(read(path)) == [ROW]


def test_a_line_from_before_tenants_were_written_down_counts(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    path.write_text(json.dumps({name: value for name, value in asdict(ROW).items() if name != "tenant"}) + "\n")
    assert list(read(path)) == [ROW]


def test_what_is_spent_after_a_crash_does_not_go_under_with_the_line_that_it_cut(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    Ledger(path, clock=lambda: NOON).add(ROW)
    path.write_bytes(path.read_bytes()[:-20])
    Ledger(path, clock=lambda: NOON).add(ROW)
    assert Ledger(path, clock=lambda: NOON).spent_today() == 0.25


def test_a_file_that_grew_too_large_is_put_aside_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    path = tmp_path / "shadow.jsonl"
    ledger = Ledger(path, clock=lambda: NOON)
    for _ in range(30):
        ledger.add(ROW)
    assert path.stat().st_size < 1500
    assert path.with_name("shadow.jsonl.1").stat().st_size < 1500
    assert 4 < len(list(read(path))) < 15


def test_a_disk_that_takes_nothing_does_not_give_the_money_back(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path, clock=lambda: NOON)  # a folder: nothing can be appended to it
    with pytest.raises(OSError, match="directory"):
        ledger.add(ROW)
    assert ledger.spent_today() == 0.25


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("Paris.", "paris", 1.0),
        ("  The ANSWER is 42! ", "the answer is 42", 1.0),
        ("ﬁne", "fine", 1.0),
        ("a b c d", "a b c d e f", 0.8),
        ("a b", "b a", 0.99),
        ("yes", "no", 0.0),
        ("yes", "", 0.0),
        ("!", "?", 1.0),
        ("東京です", "東京", 2 * 2 / 6),
        ("no no no", "no", 0.5),
    ],
)
def test_agreement_is_one_for_the_same_words_and_their_f1_otherwise(one: str, other: str, expected: float) -> None:
    assert agreement(one, other) == pytest.approx(expected)
    assert agreement(other, one) == pytest.approx(expected)

"""Whatever is done to a log, verifying says what and where."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.audit.keys import Keys
from gateway.audit.log import Log
from gateway.audit.record import Members, encode
from gateway.audit.verify import verify
from gateway.core.errors import ConfigurationError

Evidence = Any  # the class lives in conftest.py, which is not imported

NEXT = encode(Members("2026-01-01T00:00:00.000Z", "decided", "next", None, None, None, {}))


def test_an_untouched_log_verifies_with_its_own_key_and_says_so(evidence: Evidence) -> None:
    verification = verify(evidence.directory)
    assert (verification.ok, verification.records, verification.problem) == (True, 20, None)
    assert verification.exit_code == 0
    assert "20 records" in str(verification)
    assert "the log's own key" in str(verification)


def test_a_copy_verifies_elsewhere_with_a_pinned_key(evidence: Evidence, tmp_path: Path) -> None:
    copy = shutil.copytree(evidence.directory, tmp_path / "copy")
    (copy / "public.pem").unlink()
    verification = verify(copy, evidence.keys.public.pem)
    assert verification.ok
    assert "the key given" in str(verification)


def flip(old: bytes, new: bytes) -> Callable[[list[bytes], int], None]:
    def edit(raw: list[bytes], index: int) -> None:
        assert old in raw[index]
        raw[index] = raw[index].replace(old, new, 1)

    return edit


def delete(raw: list[bytes], index: int) -> None:
    del raw[index]


def swap(raw: list[bytes], index: int) -> None:
    raw[index], raw[index + 1] = raw[index + 1], raw[index]


def double(raw: list[bytes], index: int) -> None:
    raw.insert(index, raw[index])


def cut_mid_line(evidence: Evidence) -> None:
    last = evidence.segments()[-1]
    last.write_bytes(last.read_bytes()[:-20])


def cut_at_line(evidence: Evidence) -> None:
    last = evidence.segments()[-1]
    evidence.rewrite(last, evidence.raw(last)[:-1])


def remove_segment(index: int) -> Callable[[Evidence], None]:
    return lambda evidence: evidence.segments()[index].unlink()


def move_far(evidence: Evidence) -> None:
    """Record 3 goes into the last segment."""
    segment, index = evidence.place(3)
    raw = evidence.raw(segment)
    moved = raw.pop(index)
    evidence.rewrite(segment, raw)
    last = evidence.segments()[-1]
    evidence.rewrite(last, [moved, *evidence.raw(last)])


def repeat_far(evidence: Evidence) -> None:
    segment, index = evidence.place(3)
    last = evidence.segments()[-1]
    evidence.rewrite(last, [*evidence.raw(last), evidence.raw(segment)[index]])


def half_a_record(evidence: Evidence) -> None:
    with evidence.segments()[-1].open("ab") as file:
        file.write(b'{"v":1,"seq":21,"ts":"2026')


def edit_head(evidence: Evidence) -> None:
    evidence.head.write_bytes(evidence.head.read_bytes().replace(b'"seq":20', b'"seq":19'))


def empty_head(evidence: Evidence) -> None:
    evidence.head.write_bytes(b"")


def older_head(evidence: Evidence) -> None:
    old = evidence.head.read_bytes()
    log = Log.open(evidence.directory, evidence.keys, segment_bytes=1800)
    log.append([NEXT])
    log.close()
    evidence.head.write_bytes(old)


def on(seq: int, edit: Callable[[list[bytes], int], None]) -> Callable[[Evidence], None]:
    return lambda evidence: evidence.change(seq, edit)


TAMPERING: dict[str, tuple[Callable[[Evidence], None], str, int | None]] = {
    "a fact of the first record": (on(1, flip(b'"schema":1', b'"schema":2')), "altered", 1),
    "the key in the first record": (on(1, flip(b"sha256:", b"sha265:")), "altered", 1),
    "a fact in the middle": (on(7, flip(b'"zone":"local"', b'"zone":"cloud"')), "altered", 7),
    "a fact of the last record": (on(20, flip(b'"zone":"local"', b'"zone":"cloud"')), "altered", 20),
    "a fact of the last record but one": (on(19, flip(b'"zone":"local"', b'"zone":"cloud"')), "altered", 19),
    "a number upwards": (on(7, flip(b'"seq":7', b'"seq":8')), "altered", 7),
    "a number downwards": (on(7, flip(b'"seq":7', b'"seq":3')), "altered", 7),
    "a prev": (on(7, flip(b'"prev":"', b'"prev":"0')), "altered", 7),
    "the last prev": (on(20, flip(b'"prev":"', b'"prev":"0')), "altered", 20),
    "a line that is no JSON": (on(7, flip(b'{"v"', b'["v"')), "altered", 7),
    "an empty line": (on(7, lambda raw, index: raw.insert(index, b"")), "altered", 7),
    "first line deleted": (on(1, delete), "missing", 1),
    "line deleted": (on(7, delete), "missing", 7),
    "first line of a segment deleted": (
        lambda e: e.rewrite(e.segments()[1], e.raw(e.segments()[1])[1:]),
        "missing",
        None,
    ),
    "first segment gone": (remove_segment(0), "missing", 1),
    "middle segment gone": (remove_segment(1), "missing", None),
    "last segment gone": (remove_segment(-1), "cut_off", None),
    "lines swapped": (on(7, swap), "reordered", 7),
    "first lines swapped": (on(1, swap), "reordered", 1),
    "line moved far": (move_far, "reordered", 3),
    "line doubled": (on(7, double), "repeated", 7),
    "last line doubled": (on(20, double), "repeated", 20),
    "old line repeated at the end": (repeat_far, "repeated", 3),
    "cut in the last line": (cut_mid_line, "cut_off", 20),
    "last line gone": (cut_at_line, "cut_off", 20),
    "half a record appended": (half_a_record, "cut_off", 21),
    "record forged at the end": (lambda e: e.forge(), "unsigned", 21),
    "older head": (older_head, "unsigned", 21),
    "head edited": (edit_head, "bad_signature", None),
    "head emptied": (empty_head, "bad_signature", None),
    "head gone": (lambda e: e.head.unlink(), "no_head", None),
}


@pytest.mark.parametrize(("tamper", "kind", "sequence"), TAMPERING.values(), ids=TAMPERING.keys())
def test_tampering_is_named(
    evidence: Evidence, tamper: Callable[[Evidence], None], kind: str, sequence: int | None
) -> None:
    tamper(evidence)
    verification = verify(evidence.directory, evidence.keys.public.pem)
    assert not verification.ok
    assert verification.exit_code == 1
    assert verification.kind == kind, verification.problem
    if sequence is not None:
        assert verification.sequence == sequence, verification.problem
        assert str(sequence) in (verification.problem or "") or kind in {"unsigned", "cut_off"}
    assert str(verification).startswith(f"{kind}: ")


def test_a_missing_segment_is_told_with_its_neighbours(evidence: Evidence) -> None:
    gone, after = evidence.segments()[1:3]
    gone.unlink()
    verification = verify(evidence.directory)
    assert verification.sequence == int(gone.stem)
    assert verification.problem is not None
    assert f"records {int(gone.stem)} to {int(after.stem) - 1} are missing" in verification.problem


def test_a_log_rewritten_and_signed_with_another_key_fails_under_the_real_one(
    evidence: Evidence, other_keys: Keys
) -> None:
    evidence.forge()
    evidence.sign(other_keys)
    verification = verify(evidence.directory, evidence.keys.public.pem)
    assert verification.kind == "bad_signature"


def test_replacing_the_public_key_too_still_contradicts_the_first_record(evidence: Evidence, other_keys: Keys) -> None:
    evidence.forge()
    evidence.sign(other_keys)
    (evidence.directory / "public.pem").write_bytes(other_keys.public.pem)
    verification = verify(evidence.directory)
    assert verification.kind == "wrong_key"
    assert evidence.keys.public.fingerprint in (verification.problem or "")


def test_verifying_with_a_stranger_s_key_says_that_the_key_is_wrong(evidence: Evidence, other_keys: Keys) -> None:
    assert verify(evidence.directory, other_keys.public.pem).kind == "wrong_key"


def test_a_log_and_head_rolled_back_together_show_only_against_a_checkpoint(evidence: Evidence, tmp_path: Path) -> None:
    before = shutil.copytree(evidence.directory, tmp_path / "before")
    log = Log.open(evidence.directory, evidence.keys, segment_bytes=1800)
    log.append([NEXT])
    log.close()
    checkpoint = evidence.head.read_bytes()
    assert verify(evidence.directory, checkpoint=checkpoint).ok
    assert verify(before).ok  # the limit that docs/audit.md names
    rolled_back = verify(before, checkpoint=checkpoint)
    assert (rolled_back.kind, rolled_back.sequence) == ("rolled_back", 21)


def test_a_log_that_went_another_way_since_a_checkpoint_is_named(evidence: Evidence, tmp_path: Path) -> None:
    twin = shutil.copytree(evidence.directory, tmp_path / "twin")
    for directory, event in ((evidence.directory, "decided"), (twin, "outcome")):
        log = Log.open(directory, evidence.keys, segment_bytes=1800)
        log.append([encode(Members("2026-01-01T00:00:00.000Z", event, "next", None, None, None, {}))])
        log.close()
    other = verify(twin, checkpoint=evidence.head.read_bytes())
    assert (other.kind, other.sequence) == ("rolled_back", 21)


def test_a_checkpoint_of_another_log_is_refused(evidence: Evidence, other_keys: Keys, tmp_path: Path) -> None:
    Log.open(tmp_path / "else", other_keys, segment_bytes=1800).close()
    with pytest.raises(ConfigurationError, match="checkpoint"):
        verify(evidence.directory, checkpoint=(tmp_path / "else" / "head").read_bytes())


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        pytest.param(lambda path: None, "not a directory", id="no directory"),
        pytest.param(lambda path: path.mkdir(), "neither segments nor a head", id="empty directory"),
    ],
)
def test_a_place_without_a_log_is_a_configuration_error(
    tmp_path: Path, prepare: Callable[[Path], None], says: str
) -> None:
    prepare(tmp_path / "audit")
    with pytest.raises(ConfigurationError, match=says):
        verify(tmp_path / "audit")


@pytest.mark.parametrize("pem", [b"", b"no key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_file_that_is_no_public_key_is_a_configuration_error(evidence: Evidence, pem: bytes) -> None:
    with pytest.raises(ConfigurationError, match="public key"):
        verify(evidence.directory, pem)


@settings(max_examples=80)
@given(data=st.data())
def test_any_byte_changed_in_any_segment_is_found_in_the_right_record(evidence: Evidence, data: st.DataObject) -> None:
    segment = data.draw(st.sampled_from(evidence.segments()))
    whole = segment.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    seq = int(segment.stem) + whole[:at].count(b"\n")
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(evidence.directory, Path(folder) / "audit")
        (copy / segment.name).write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        verification = verify(copy)
    assert not verification.ok
    assert verification.sequence == seq, (verification.problem, seq)


@settings(max_examples=40)
@given(data=st.data())
def test_any_byte_changed_in_the_head_is_found(evidence: Evidence, data: st.DataObject) -> None:
    whole = evidence.head.read_bytes()
    at = data.draw(st.integers(0, len(whole.rstrip()) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != whole[at]))
    with tempfile.TemporaryDirectory() as folder:
        copy = shutil.copytree(evidence.directory, Path(folder) / "audit")
        (copy / "head").write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        assert not verify(copy).ok

"""The file in force: a good change takes over, a bad one changes nothing."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from gateway.core.errors import ConfigurationError
from gateway.policy.cases import CATALOGUE
from gateway.policy.doubts import Vocabulary
from gateway.policy.source import FilePolicySource
from tests.support.waiting import PATIENCE_S


def write(path: Path, text: str) -> None:
    """As editors and `mv` do it: another file under the same name."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    write(path, "name: first\n")
    return path


def test_a_bad_file_at_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        FilePolicySource(tmp_path / "gone.yaml", CATALOGUE)


def test_a_good_change_takes_over(path: Path) -> None:
    source = FilePolicySource(path, CATALOGUE)
    started = source.loaded_at
    assert not source.changed()
    write(path, "name: second\n")
    assert source.changed()
    assert source.reload()
    assert (source.current().name, source.error) == ("second", None)
    assert not source.changed()
    assert source.loaded_at >= started


@pytest.mark.parametrize("text", ["name: second\nmode: monitor\n", "name: [", ""], ids=["mistake", "syntax", "empty"])
def test_a_bad_change_keeps_the_policy_and_says_why(text: str, path: Path) -> None:
    source = FilePolicySource(path, CATALOGUE)
    before = source.current()
    write(path, text)
    assert not source.reload()
    assert source.current() is before
    assert source.error is not None
    assert str(path) in source.error
    assert not source.changed(), "a file that failed is not tried again until it changes"
    write(path, "name: third\n")
    assert source.reload()
    assert source.error is None


def test_a_file_that_disappears_keeps_the_policy(path: Path) -> None:
    source = FilePolicySource(path, CATALOGUE)
    path.unlink()
    assert source.changed()
    assert not source.reload()
    assert source.current().name == "first"
    assert "cannot be read" in (source.error or "")


def test_another_way_to_write_the_same_is_no_change(path: Path) -> None:
    source = FilePolicySource(path, CATALOGUE)
    write(path, "# comment\nname: first\n")
    assert source.changed()
    assert not source.reload()


@pytest.mark.anyio
async def test_watching_reloads_and_tells_once_per_change(path: Path) -> None:
    source = FilePolicySource(path, CATALOGUE)
    told: list[tuple[str, bool]] = []

    async def until(count: int) -> None:
        with anyio.fail_after(PATIENCE_S):
            while len(told) < count:
                await anyio.sleep(0.005)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(source.watch, 0.005, lambda digest, error: told.append((digest, error is None)))
        first = source.current().digest
        write(path, "name: second\n")
        await until(1)
        second = source.current().digest
        write(path, "name: [\n")
        await until(2)
        write(path, "name: second\n# mended\n")
        await until(3)
        tasks.cancel_scope.cancel()
    assert first != second
    assert told == [(second, True), (second, False), (second, True)]


def test_words_that_no_detector_says_are_told_at_every_load(path: Path) -> None:
    source = FilePolicySource(path, CATALOGUE, Vocabulary(kinds=frozenset({"email"})))
    assert source.current().warnings == ()
    write(path, "name: second\nforbid: [{name: in, zone: remote, when: {kinds: [e-mail]}}]\n")
    assert source.reload()
    assert source.current().warnings == ("forbid 'in': no detector finds kind 'e-mail'; did you mean 'email'?",)

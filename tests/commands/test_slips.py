"""Commands used as somebody uses them who has not read the manual: each says what to do instead."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.command import call


@pytest.mark.parametrize("command", ["inspect", "score", "explain"])
def test_a_file_named_as_an_argument_is_told_to_come_from_stdin(tmp_path: Path, command: str) -> None:
    (tmp_path / "letter.txt").write_text("hello")
    result = call(tmp_path, command, "letter.txt")
    assert result.code == 2
    assert f"a text comes from stdin: gateway {command} < FILE" in result.err


@pytest.mark.parametrize("given", ["", " \n"], ids=["nothing", "blanks"])
@pytest.mark.parametrize("command", ["inspect", "score", "explain"])
def test_nothing_on_stdin_is_no_request(tmp_path: Path, command: str, given: str) -> None:
    result = call(tmp_path, command, stdin=given)
    assert result.code == 2
    assert "there is no text: give it on stdin" in result.sentence


@pytest.mark.parametrize("share", ["30%", "30", "-1", "nan"])
def test_a_share_that_is_none_is_told_with_an_example(tmp_path: Path, share: str) -> None:
    result = call(tmp_path, "explain", f"--rank={share}", stdin="hello")
    assert result.code == 2
    assert f"{share!r} is no share: write a number from 0 to 1, 0.3 for 30 per cent" in result.err


def test_a_configuration_checked_as_a_policy_is_told_apart(tmp_path: Path) -> None:
    assert call(tmp_path, "init").code == 0
    result = call(tmp_path, "check", "gateway.yaml")
    assert result.code == 2
    assert "gateway.yaml is a configuration and no policy" in result.sentence


def test_a_policy_given_as_the_configuration_is_told_apart(tmp_path: Path) -> None:
    assert call(tmp_path, "init", "--policy", "default").code == 0
    result = call(tmp_path, "explain", "--config", "my-policy.yaml", stdin="hello")
    assert result.code == 2
    assert "is a policy; a configuration names it: policy: {path: my-policy.yaml}" in result.sentence


def test_a_policy_may_be_named_by_its_file_alone(tmp_path: Path) -> None:
    (tmp_path / "house.yaml").write_text("name: house\nlevels:\n  email: restricted\n")
    (tmp_path / "gateway.yaml").write_text("policy: house.yaml\n")
    result = call(tmp_path, "inspect", "--jsonl", stdin='{"id": 1, "text": "mail mario@northwind.test"}\n')
    assert result.rows[0]["sensitivity"] == "restricted"


def test_who_types_the_text_is_told_how_to_end_it(tmp_path: Path) -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, b"hello\n\x04")
    result = subprocess.run(
        [sys.executable, "-m", "gateway", "inspect"], stdin=terminal, capture_output=True, cwd=tmp_path, timeout=60
    )
    os.close(keyboard)
    os.close(terminal)
    assert b"end it with Ctrl-D" in result.stderr
    assert b'"sensitivity": "internal"' in result.stdout

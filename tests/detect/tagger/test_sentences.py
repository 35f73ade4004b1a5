"""Sentences of everyday work in five languages: who is found, and what is left alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gateway.detect.tagger import Tagger

_MARK = re.compile("⟨([^⟩]*)⟩|⟪([^⟫]*)⟫")


def _rows() -> list[tuple[str, str]]:
    said = yaml.safe_load(Path(__file__).with_name("sentences.yaml").read_text("utf-8"))
    return [(language, text) for language, texts in said.items() for text in texts]


def _read(marked: str) -> tuple[str, list[tuple[int, int, str]]]:
    text, last, wanted = "", 0, []
    for mark in _MARK.finditer(marked):
        text += marked[last : mark.start()]
        value, last = mark[1] or mark[2], mark.end()
        wanted.append((len(text), len(text) + len(value), "person" if mark[1] else "postal_address"))
        text += value
    return text + marked[last:], wanted


@pytest.mark.parametrize(("language", "marked"), _rows(), ids=[f"{lang}-{text[:40]}" for lang, text in _rows()])
def test_names_and_addresses_are_found_whole_and_nothing_else_is(tagger: Tagger, language: str, marked: str) -> None:
    text, wanted = _read(marked)
    assert [span[:3] for span in tagger.spans(text)] == wanted

"""Reads the head of a GGUF file: what it says of itself and which tensors it claims to hold.

llama.cpp reads it again when it loads the file; but a value of the wrong type ends the whole process there, and every
other mistake is the same NULL. So the head is read here first, within bounds, for a sentence that names the mistake.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

MAX_ENTRIES = 100_000
"""Of values and of tensors: the largest models have a few thousand."""
_MAX_NAME = 512
_MAX_LIST = 1024
"""The longest list kept. Vocabularies have a quarter of a million words and are passed over."""
_ROOM = 8 << 20
"""Bytes of texts and lists kept in all, whatever the file holds; further ones are passed over."""
_ITEM = 64
"""What an item of a list is counted as."""
UINT32, FLOAT32, STRING, ARRAY = 4, 6, 8, 9
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


class NotGGUF(ValueError):
    """The file is no GGUF file, or its head is damaged."""


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    shape: tuple[int, ...]
    kind: int
    """ggml's number for the type of its elements: 0 = F32, 1 = F16 …"""
    offset: int = 0
    """Where its data begin, counted from the end of the head."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Head:
    values: dict[str, Any]
    """By key: str, bool, int or float; a tuple for a list; None for what is longer than anybody here needs."""
    kinds: dict[str, int]
    """By key: GGUF's number for the type of the value."""
    tensors: tuple[Tensor, ...]
    size: int = 0
    """Bytes of the head, padding included: here the data begin."""


def read_head(path: Path) -> Head:
    """Raises NotGGUF or OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _Reader(file, size).head()
        except UnicodeDecodeError:
            raise NotGGUF("a name in its head is not UTF-8") from None


class _Reader:
    """Nothing that the file claims is believed before as many bytes as that are known to be there."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._left = size
        self._room = _ROOM

    def head(self) -> Head:
        total = self._left
        if self._left < 4 or self._take(4) != b"GGUF":
            raise NotGGUF("it is no GGUF file")
        if (version := self._number("I")) not in (2, 3):
            raise NotGGUF(f"it has GGUF version {version}, not 2 or 3")
        tensors, values = self._entries(), self._entries()
        told: dict[str, Any] = {}
        kinds: dict[str, int] = {}
        for _ in range(values):
            key, kind = self._name(), self._number("I")
            told[key], kinds[key] = self._value(kind), kind
        listed = tuple(self._tensor() for _ in range(tensors))
        alignment = told.get("general.alignment", 32)
        if kinds.get("general.alignment", UINT32) != UINT32 or alignment < 8 or alignment & (alignment - 1):
            raise NotGGUF("its alignment is no power of two")
        return Head(told, kinds, listed, -(-(total - self._left) // alignment) * alignment)

    def _tensor(self) -> Tensor:
        name, dimensions = self._name(), self._number("I")
        if not 1 <= dimensions <= 4:
            raise NotGGUF("a tensor in it has no possible shape")
        shape = tuple(self._number("Q") for _ in range(dimensions))
        return Tensor(name, shape, self._number("I"), self._number("Q"))

    def _value(self, kind: int) -> Any:
        if kind == STRING:
            return self._text()
        if kind == ARRAY:
            return self._list(self._number("I"), self._number("Q"))
        return self._number(_code(kind))

    def _list(self, kind: int, count: int) -> Any:
        if kind == ARRAY:
            raise NotGGUF("it holds a list of lists")
        if count <= _MAX_LIST and self._keeps(count * _ITEM):
            return tuple(self._value(kind) for _ in range(count))
        if kind != STRING:
            self._pass(count * struct.calcsize(f"<{_code(kind)}"))
            return None
        if count > self._left // 8:
            raise _cut()
        for _ in range(count):
            self._pass(self._number("Q"))
        return None

    def _entries(self) -> int:
        if (count := self._number("Q")) > MAX_ENTRIES:
            raise NotGGUF("it claims to hold more than any file of its kind")
        return int(count)

    def _name(self) -> str:
        if (size := self._number("Q")) > _MAX_NAME:
            raise NotGGUF("a name in its head is too long")
        return self._take(size).decode()

    def _text(self) -> str | None:
        size = self._number("Q")
        if size <= self._left and self._keeps(size):
            return self._take(size).decode("utf-8", "replace")
        self._pass(size)
        return None

    def _keeps(self, size: int) -> bool:
        if size > self._room:
            return False
        self._room -= size
        return True

    def _number(self, code: str) -> Any:
        (number,) = struct.unpack(f"<{code}", self._take(struct.calcsize(f"<{code}")))
        return number

    def _take(self, size: int) -> bytes:
        self._count(size)
        taken = self._file.read(size)
        if len(taken) < size:
            raise _cut()
        return taken

    def _pass(self, size: int) -> None:
        self._count(size)
        self._file.seek(size, 1)

    def _count(self, size: int) -> None:
        if size > self._left:
            raise _cut()
        self._left -= size


def _code(kind: int) -> str:
    if kind not in _SCALARS:
        raise NotGGUF("it holds a value of an unknown type")
    return _SCALARS[kind]


def _cut() -> NotGGUF:
    return NotGGUF("it ends in the middle of its head")

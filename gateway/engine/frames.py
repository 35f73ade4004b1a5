"""Frames between gateway and engine: four bytes of length, then one JSON object."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

LENGTH = 4
LIMIT = 64 * 1024 * 1024
"""No frame is longer: a request body is limited long before, so more means a broken peer."""

Frame = dict[str, Any]


class BrokenFrame(Exception):
    """The peer wrote something that is not a frame."""


def encode(frame: Mapping[str, Any]) -> bytes:
    body = orjson.dumps(frame)
    return len(body).to_bytes(LENGTH, "big") + body


class Frames:
    """Cuts a byte stream into frames, however it was chunked."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Frame, int]]:
        """Each frame that is whole now, and how many bytes it was."""
        self._buffer += data
        while len(self._buffer) >= LENGTH:
            size = int.from_bytes(self._buffer[:LENGTH], "big")
            if size > LIMIT:
                raise BrokenFrame(f"a frame of {size} bytes")
            if len(self._buffer) < LENGTH + size:
                return
            body = bytes(self._buffer[LENGTH : LENGTH + size])
            del self._buffer[: LENGTH + size]
            yield _parsed(body), size


def _parsed(body: bytes) -> Frame:
    try:
        frame = orjson.loads(body)
    except ValueError as error:
        raise BrokenFrame("not JSON") from error
    if not isinstance(frame, dict):
        raise BrokenFrame("not an object")
    return frame


def read_frames(connection: socket.socket) -> Iterator[Frame]:
    """Blocking: frames until the peer goes away."""
    frames = Frames()
    while data := _receive(connection):
        for frame, _ in frames.feed(data):
            yield frame


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except ConnectionError:
        return b""

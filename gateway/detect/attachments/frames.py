"""Frames between the gateway and the process that opens files: a head in JSON and bytes."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_SIZES = struct.Struct(">II")


def send(connection: socket.socket, head: dict[str, Any], data: bytes = b"") -> None:
    written = json.dumps(head).encode()
    connection.sendall(_SIZES.pack(len(written), len(data)) + written)
    connection.sendall(data)


def receive(connection: socket.socket) -> tuple[dict[str, Any], bytes] | None:
    """None when the other side has closed."""
    sizes = _exactly(connection, _SIZES.size)
    if sizes is None:
        return None
    size, more = _SIZES.unpack(sizes)
    head, data = _exactly(connection, size), _exactly(connection, more)
    return None if head is None or data is None else (json.loads(head), data)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    read = bytearray()
    while len(read) < size:
        piece = connection.recv(min(1 << 20, size - len(read)))
        if not piece:
            return None
        read += piece
    return bytes(read)

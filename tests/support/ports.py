"""Ports of loopback for servers that are started by tests, several of which run at once."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port where nobody listens, for a server that will, or to find nobody there.

    It stays ours while the block lasts: a bound socket keeps the system from giving the port to somebody else, also
    while the server is not up yet or down for a while. On Linux a server may listen there all the same, as long as the
    socket that holds the port does not; elsewhere it may not, and the port is free until the server takes it.
    """
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        if sys.platform != "linux":
            holder.close()
        yield port

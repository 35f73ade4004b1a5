"""`gateway serve`: check the port, set up what is missing, run the gateway until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import gc
import math
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from gateway.core.errors import ConfigurationError
from gateway.settings import Settings, load_settings

if TYPE_CHECKING:
    import uvicorn

CUT_S = 2.0
"""How long requests that were cut may take to leave their records."""


def run(args: argparse.Namespace) -> int:
    config = config_file(args.config)
    settings, folder = load_settings(config, host=args.host, port=args.port)
    listener = listen(settings.server.host, settings.server.port)
    try:
        _check_certificate(settings, folder)
        _set_up(settings)
        from gateway.telemetry import configure_logging, report_crashes

        configure_logging(settings.log.level, settings.log.format)
        with report_crashes():
            anyio.run(_serve, settings, folder, listener, args.quiet, backend_options={"use_uvloop": _has_uvloop()})
    finally:
        listener.close()
    return 0


def config_file(named: Path | None) -> Path | None:
    """The file named, or ./gateway.yaml when there is one."""
    if named is not None:
        return named
    here = Path("gateway.yaml")
    return here if here.is_file() else None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, or one sentence that says who is in the way."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host!r}: {error.strerror}; set server.host or --host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"port {port} on {host} is not to be had ({error.strerror}): "
            "stop the program that has it, or choose another with --port"
        ) from None
    return listener


def _check_certificate(settings: Settings, folder: Path) -> None:
    if (tls := settings.server.tls) is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder / tls.cert, folder / tls.key)
    except ssl.SSLError:
        raise ConfigurationError(
            "server.tls: cert and key must be PEM files that belong together, the key without a passphrase"
        ) from None
    except OSError as error:
        raise ConfigurationError(f"server.tls: cannot read cert or key: {error.strerror}") from None


def _set_up(settings: Settings) -> None:
    """Build the engine and fetch the default model when they are missing: once, with progress, before serving."""
    if settings.local.engine == "llama":
        from gateway.setup.ready import ensure_ready
        from gateway.setup.screen import Screen

        screen = Screen(sys.stderr)
        ensure_ready(settings.local.model, screen.report, screen.progress)


def _settle_memory() -> None:
    """What stands now stands for good: keep the collector from walking through it while requests are served.

    Requests leave few cycles behind, so it may also come less often (measured: a tenth of the time per request).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def _has_uvloop() -> bool:
    try:
        import uvloop  # noqa: F401
    except ImportError:  # Windows, or a Python it has no wheel for: the standard loop does
        return False
    return True


async def _serve(settings: Settings, folder: Path, listener: socket.socket, quiet: bool) -> None:
    import uvicorn

    from gateway.api.protocol import protocol
    from gateway.wiring import open_gateway

    tls = settings.server.tls
    async with open_gateway(settings, folder) as gateway:
        _settle_memory()
        server = _server(
            uvicorn.Config(
                gateway.app,
                http=protocol(write_timeout_s=settings.server.write_timeout_s),
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                proxy_headers=False,  # nothing here asks where a request came from
                date_header=False,
                timeout_graceful_shutdown=max(1, math.ceil(settings.server.drain_s)),
                ssl_certfile=folder / tls.cert if tls else None,
                ssl_keyfile=str(folder / tls.key) if tls else None,
            )
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_obey_signals, server, gateway.reload_policy)
            if not quiet:
                from gateway.commands.banner import banner

                print(banner(settings, gateway, listener.getsockname()[1]), file=sys.stderr, flush=True)
            await server.serve(sockets=[listener])
            await _cut_all(server.server_state.tasks)
            tasks.cancel_scope.cancel()


def _server(config: uvicorn.Config) -> uvicorn.Server:
    import uvicorn

    class Server(uvicorn.Server):
        """uvicorn raises a signal again once it has stopped, which would end the process before the audit log is
        closed; here signals only ask it to stop."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Server(config)


def _cut(requests: set[asyncio.Task[None]]) -> None:
    """Cancel what still runs, but not what is ending already: a second cancel would reach into its last record."""
    for request in list(requests):
        if not request.cancelling():
            request.cancel()


async def _cut_all(requests: set[asyncio.Task[None]]) -> None:
    """Nothing runs any more when the audit log closes: uvicorn does not wait for what it cuts, nor cuts all."""
    _cut(requests)
    if requests:
        await asyncio.wait(list(requests), timeout=CUT_S)


async def _obey_signals(server: uvicorn.Server, reload: Callable[[], None]) -> None:
    """SIGTERM or SIGINT: finish what runs; once more: now. SIGHUP: look at the policy file."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async for number in signals:
            if number == signal.SIGHUP:
                reload()
            elif not server.should_exit:
                server.should_exit = True
            else:
                server.force_exit = True
                _cut(server.server_state.tasks)  # newer Pythons wait for connections, so these have to go first

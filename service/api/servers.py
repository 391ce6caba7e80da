"""The two listeners: sockets bound before anything starts, uvicorn on top, bounded in connections and time."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.errors import ConfigurationError

HEADER_TIMEOUT_S = 10.0
KEEP_ALIVE_S = 75
BACKLOG = 2048


def bind(host: str, port: int, setting: str) -> socket.socket:
    """A listening address, taken before the journal is opened; raises ConfigurationError naming the setting."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"{host}:{port} is taken by another program: stop it, or set FILLPATH_{setting.upper()} to a free port"
            ) from None
        raise ConfigurationError(f"cannot listen on {host}:{port} (server.{setting}): {error.strerror}") from None
    return listener


def address_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _BoundedProtocol(HttpToolsProtocol):
    """uvicorn bounds idle connections only after their first answer; this one bounds the first request's headers too.

    A sender that connects and says nothing, or a header now and then, would hold its connection for ever.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._header_timer = self.loop.call_later(HEADER_TIMEOUT_S, self._close_if_silent)

    def _close_if_silent(self) -> None:
        # uvicorn declares these as always set; before the first request there is no cycle.
        cycle: object | None = self.cycle
        if cycle is None:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._header_timer.cancel()
        super().connection_lost(exc)


class _Server(uvicorn.Server):
    """Signals are the service's business, not the server's: there are two of these."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Servers:
    """Serves applications on bound sockets until `stop`."""

    def __init__(self, *, max_connections: int, shutdown_timeout: float) -> None:
        self._max_connections = max_connections
        self._shutdown_timeout = shutdown_timeout
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self, app: ASGIApp, listener: socket.socket) -> None:
        """Return when the socket is being served."""
        config = uvicorn.Config(
            app,
            http=_BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=self._max_connections,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=max(1, int(self._shutdown_timeout)),
            backlog=BACKLOG,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name=f"server {address_of(listener)}")
        self._servers.append(server)
        self._tasks.append(task)
        while not server.started:
            if task.done():
                await task
                return
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Take no new connection, finish what is being answered within the bound."""
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

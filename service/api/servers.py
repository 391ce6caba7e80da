"""The two listeners: sockets bound before anything starts, uvicorn on top, stopped within a bound."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from service.api.connections import Connection, Room
from service.core.refusals import DenialReason
from service.errors import ConfigurationError

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


class _Server(uvicorn.Server):
    """Signals are the service's business, not the server's: there are two of these."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Servers:
    """Serves applications on bound sockets until `stop`; `refused` hears what is refused before an application."""

    def __init__(
        self,
        *,
        max_connections: int,
        body_timeout: float,
        shutdown_timeout: float,
        refused: Callable[[DenialReason], None],
    ) -> None:
        self._max_connections = max_connections
        self._body_timeout = body_timeout
        self._refused = refused
        self._shutdown_timeout = shutdown_timeout
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self, app: ASGIApp, listener: socket.socket) -> None:
        """Return when the socket is being served."""
        room = Room(self._max_connections, self._body_timeout, self._refused)
        config = uvicorn.Config(
            app,
            http=functools.partial(Connection, room=room),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
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

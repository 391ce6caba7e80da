"""Nothing leaves this machine: every connection and every name looked up in this process is seen before it happens."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

NOWHERE = "nowhere.invalid"
"""A name that has no address, for the fault of that name (RFC 2606 reserves `.invalid`)."""

_LOCAL = frozenset({None, "", "localhost"})


class _Fence:
    """An audit hook cannot be removed again, so that there is one, which looks only while it is asked to."""

    def __init__(self) -> None:
        self.attempts: list[str] | None = None
        self._installed = False

    def install(self) -> None:
        if not self._installed:
            sys.addaudithook(self._see)
            self._installed = True

    def _see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.attempts is None:
            return
        if event == "socket.getaddrinfo":
            self._let_pass(arguments[0])
        elif event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple):
            self._let_pass(arguments[1][0])

    def _let_pass(self, host: Any) -> None:
        if host == NOWHERE:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host in _LOCAL or _is_loopback(str(host)):
            return
        assert self.attempts is not None, "it looks only while it is asked to"
        self.attempts.append(str(host))
        raise PermissionError(f"a connection to {host} was stopped; expected loopback addresses only")


_fence = _Fence()


@contextmanager
def fenced() -> Iterator[list[str]]:
    """Inside the block, whatever would leave loopback is stopped; the hosts that were tried are in the list.

    Not nested, and for one event loop at a time: the list is the process's.
    """
    _fence.install()
    attempts: list[str] = []
    _fence.attempts = attempts
    try:
        yield attempts
    finally:
        _fence.attempts = None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False

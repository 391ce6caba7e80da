"""Clients that hold connections: silent, dripping, half-open, never reading, or reset while they are answered."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

_HEALTH = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
_HEAD = b"POST /webhook/signed HTTP/1.1\r\nHost: a\r\n"
_PAUSE_S = 0.3
_RESET = struct.pack("ii", 1, 0)

Hold = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Slow:
    """`count` connections at a time for `seconds`, each opened again when it ends."""

    def __init__(self, port: int, count: int, seed: int) -> None:
        self._port = port
        self._count = count
        self._chance = random.Random(seed)  # noqa: S311 - the same again is what is wanted
        self.opened = 0
        self.refused = 0
        self._until = 0.0

    async def run(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        kinds: tuple[Hold, ...] = (_silent, _drip_head, _drip_body, _never_reads, _half_open, _reset, _vanishes, _idle)
        tasks = [asyncio.create_task(self._hold(kinds[number % len(kinds)])) for number in range(self._count)]
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hold(self, kind: Hold) -> None:
        while time.monotonic() < self._until:
            try:
                address = f"127.200.2.{self._chance.randrange(1, 255)}"
                async with asyncio.timeout(10):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
            except (OSError, TimeoutError):
                self.refused += 1
                await asyncio.sleep(_PAUSE_S)
                continue
            self.opened += 1
            try:
                with suppress(OSError):
                    await kind(reader, writer)
            finally:
                writer.transport.abort()
            # One after the other: a flood of new connections alone is a matter for the firewall.
            await asyncio.sleep(_PAUSE_S)


async def _silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drip_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    while not reader.at_eof():
        writer.write(b"x-a: b\r\n")
        await writer.drain()
        await asyncio.sleep(_PAUSE_S)


async def _drip_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD + b"Content-Length: 10000\r\n\r\n")
    while not reader.at_eof():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(_PAUSE_S)


async def _never_reads(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    assert isinstance(writer.transport, asyncio.ReadTransport), "a socket's"
    writer.transport.pause_reading()
    while True:
        writer.write(_HEALTH * 32)
        await writer.drain()
        await asyncio.sleep(_PAUSE_S)


async def _half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    writer.write_eof()
    await reader.read()
    await asyncio.sleep(_PAUSE_S)


async def _reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.write(_HEAD + b"Content-Length: 5\r\n\r\n{")
    await writer.drain()
    await asyncio.sleep(_PAUSE_S)


async def _vanishes(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    body = b'{"symbol": "BTC/USDT"}'
    writer.write((_HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body) * 40)
    await writer.drain()
    await asyncio.sleep(_PAUSE_S / 30)


async def _idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEALTH)
    await reader.read()

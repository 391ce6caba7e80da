"""Senders that go on until they are told to stop, and some that send their bodies slowly."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from service.cli.signing import SignedRequest

_STOPS_WITHIN_S = 60.0


@contextmanager
def again_and_again(act: Callable[[], object], *, every: float) -> Iterator[None]:
    """`act` at once and then every so many seconds, in a thread of its own; what it raises is raised at the end."""
    end, failed = threading.Event(), list[Exception]()

    def run() -> None:
        try:
            act()
            while not end.wait(every):
                act()
        except Exception as error:  # noqa: BLE001 - raised where the thread is joined
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join(_STOPS_WITHIN_S)
    if failed:
        raise failed[0]


@contextmanager
def slowly(url: str, make: Callable[[], SignedRequest], *, connections: int, seconds: float) -> Iterator[None]:
    """So many senders, each of whose bodies arrives so long after its head; one request after another.

    They begin one by one: else they would all be answered at once, and none be in flight for a moment.
    """
    loop = asyncio.new_event_loop()
    tasks = [
        loop.create_task(_send_slowly(url, make, seconds, number * seconds / connections))
        for number in range(connections)
    ]
    thread = threading.Thread(target=loop.run_until_complete, args=(_all(tasks),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        for task in tasks:
            loop.call_soon_threadsafe(task.cancel)
        thread.join(_STOPS_WITHIN_S)
        loop.close()


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _send_slowly(url: str, make: Callable[[], SignedRequest], seconds: float, after: float) -> None:
    address = urlsplit(url)
    await asyncio.sleep(after)
    while True:
        # One that the service ends early comes again, as a sender does.
        with contextlib.suppress(OSError):
            await _send_once(str(address.hostname), address.port or 80, address.path, make(), seconds)


async def _send_once(host: str, port: int, path: str, request: SignedRequest, seconds: float) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        headers = request.headers | {"Host": f"{host}:{port}", "Content-Length": str(len(request.body))}
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        await asyncio.sleep(seconds)
        writer.write(request.body)
        await reader.readline()
    finally:
        writer.close()

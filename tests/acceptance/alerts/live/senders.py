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
    """So many senders at once, each of whose bodies arrives so long after its head; one request after another."""
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(_send_slowly(url, make, seconds)) for _ in range(connections)]
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


async def _send_slowly(url: str, make: Callable[[], SignedRequest], seconds: float) -> None:
    address = urlsplit(url)
    while True:
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            request = make()
            headers = request.headers | {"Host": address.netloc, "Content-Length": str(len(request.body))}
            lines = [f"POST {address.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
            writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
            await asyncio.sleep(seconds)
            writer.write(request.body)
            await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # a service that was ended has closed it already
                await writer.wait_closed()

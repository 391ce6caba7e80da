"""Simulated exchanges in a thread of this process, each with its port and with what can be wrong with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from tests.simulator.binance import BinanceSpot
from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint, Fault, status_before
from tests.simulator.server import Simulator

T = TypeVar("T")

_ANSWERED_WITHIN_S = 30.0
_ORDERS: tuple[Endpoint, ...] = ("look_up", "open_orders", "orders", "trades")
_READS: tuple[Endpoint, ...] = (*_ORDERS, "balances", "time", "ticker", "markets")

SILENT: Mapping[Endpoint, Fault] = dict.fromkeys(_ORDERS, status_before(503))
"""No question about orders is answered with anything but a gateway's page."""

DEAF: Mapping[Endpoint, Fault] = dict.fromkeys(_READS, status_before(503))
"""No question at all is."""


class Venues:
    """One simulated Binance spot for each name."""

    def __init__(self, names: Iterable[str]) -> None:
        self._simulators = {name: Simulator(BinanceSpot()) for name in names}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="venues", daemon=True)

    def start(self) -> None:
        self._thread.start()
        for simulator in self._simulators.values():
            self._await(simulator.start())

    def close(self) -> None:
        for simulator in self._simulators.values():
            self._await(simulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWERED_WITHIN_S)
        self._loop.close()

    def url(self, name: str) -> str:
        return self._simulators[name].base_url

    @contextmanager
    def failing(self, name: str, faults: Mapping[Endpoint, Fault]) -> Iterator[None]:
        """Every request to these endpoints meets the fault, until it is mended."""
        schedule = self._simulators[name].schedule
        mixes: dict[str, tuple[Fault]] = {endpoint: (fault,) for endpoint, fault in faults.items()}
        self._call(lambda: schedule.random(1.0, endpoints=list(faults), mixes=mixes))
        try:
            yield
        finally:
            self._call(schedule.clear)

    @contextmanager
    def clock_off(self, name: str, milliseconds: int) -> Iterator[None]:
        schedule = self._simulators[name].schedule
        self._call(lambda: setattr(schedule, "skew_ms", milliseconds))
        try:
            yield
        finally:
            self._call(schedule.clear)

    @contextmanager
    def away(self, name: str) -> Iterator[None]:
        """Connections are refused."""
        self._await(self._simulators[name].stop())
        try:
            yield
        finally:
            self._await(self._simulators[name].start())

    def at(self, name: str, act: Callable[[Engine], T]) -> T:
        """Something done to the exchange's own book."""
        return self._call(lambda: act(self._simulators[name].engine))

    def _call(self, act: Callable[[], T]) -> T:
        async def called() -> T:
            return act()

        return self._await(called())

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWERED_WITHIN_S)

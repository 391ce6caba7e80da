"""Money under way: what orders between sizing and outcome will take, so that no balance is spent twice.

A balance read at time t shows every order whose outcome was known at t, and maybe later ones. So an order subtracts
what is reserved now and what was released after the read began: at worst too careful, never too bold.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal

from service.clock import Clock
from service.core.markets import Balance
from service.exchanges.protocol import ExchangeUnavailable


class Snapshot:
    """Balances of an account as read from `begun_ns` (monotonic) on."""

    __slots__ = ("balances", "begun_ns")

    def __init__(self, balances: Mapping[str, Balance], begun_ns: int) -> None:
        self.balances = balances
        self.begun_ns = begun_ns


class AccountFunds:
    """Reservations and shared balance reads of one account."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._reserved: dict[str, tuple[str, Decimal]] = {}
        self._released: deque[tuple[int, str, Decimal]] = deque()
        self._sharing: list[asyncio.Future[Snapshot]] | None = None
        self._reading = asyncio.Lock()
        self._freed = asyncio.Event()

    async def snapshot(self, fetch: Callable[[], Awaitable[Mapping[str, Balance]]]) -> Snapshot:
        """Balances read after this call began; all who wait for the next read share it."""
        if self._sharing is not None:
            # One for each: cancelling one who waits must not end the read for the others.
            mine: asyncio.Future[Snapshot] = asyncio.get_running_loop().create_future()
            self._sharing.append(mine)
            return await mine
        sharing = self._sharing = []
        try:
            async with self._reading:
                self._sharing = None
                snapshot = await self._read(fetch)
        except BaseException as error:  # those who share the read must learn of its end, cancellation included
            if self._sharing is sharing:
                self._sharing = None
            failure = error if isinstance(error, Exception) else ExchangeUnavailable("the read was given up")
            for future in _waiting(sharing):
                future.set_exception(failure)
            raise
        for future in _waiting(sharing):
            future.set_result(snapshot)
        return snapshot

    async def _read(self, fetch: Callable[[], Awaitable[Mapping[str, Balance]]]) -> Snapshot:
        begun_ns = self._clock.monotonic_ns()
        while self._released and self._released[0][0] < begun_ns - _KEEP_RELEASED_NS:
            self._released.popleft()
        return Snapshot(await fetch(), begun_ns)

    def reserved(self, snapshot: Snapshot) -> Mapping[str, Decimal]:
        """By currency: what `snapshot` does not show yet."""
        amounts: dict[str, Decimal] = {}
        for currency, amount in self._reserved.values():
            amounts[currency] = amounts.get(currency, _ZERO) + amount
        for released_ns, currency, amount in reversed(self._released):
            if released_ns < snapshot.begun_ns:
                break
            amounts[currency] = amounts.get(currency, _ZERO) + amount
        return amounts

    def released_since(self, snapshot: Snapshot) -> bool:
        """Whether a fresh read could show more than `snapshot`."""
        return bool(self._released) and self._released[-1][0] >= snapshot.begun_ns

    async def freed(self, snapshot: Snapshot, within: float) -> None:
        """Until a reservation that lowers `snapshot` is released, `within` seconds at most."""
        if self.released_since(snapshot) or not self._reserved:
            return
        self._freed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._freed.wait(), within)

    def reserve(self, order_id: str, currency: str, amount: Decimal) -> None:
        self._reserved[order_id] = (currency, amount)

    def release(self, order_id: str) -> None:
        """The order's outcome is known: from now on balances show it."""
        entry = self._reserved.pop(order_id, None)
        if entry is not None:
            self._released.append((self._clock.monotonic_ns(), *entry))
            self._freed.set()


def _waiting(futures: Iterable[asyncio.Future[Snapshot]]) -> Iterable[asyncio.Future[Snapshot]]:
    """Those whose tasks were not cancelled meanwhile."""
    return (future for future in futures if not future.done())


_ZERO = Decimal(0)
_KEEP_RELEASED_NS = 60_000_000_000
"""Longer than any balance read is allowed to take."""

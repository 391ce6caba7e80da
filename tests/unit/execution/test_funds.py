"""No balance is spent twice, however reads and outcomes cross."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from service.core.markets import Balance
from service.exchanges.protocol import ExchangeUnavailable
from service.execution.funds import AccountFunds


class ManualClock:
    def __init__(self) -> None:
        self.ns = 0

    def now_ns(self) -> int:
        return self.ns

    def monotonic_ns(self) -> int:
        self.ns += 1
        return self.ns


async def _read():
    return {"USDT": Balance(Decimal(100))}


async def test_what_is_reserved_is_not_free() -> None:
    funds = AccountFunds(ManualClock())
    funds.reserve("a", "USDT", Decimal(30))
    funds.reserve("b", "USDT", Decimal(20))

    assert funds.reserved(await funds.snapshot(_read)) == {"USDT": Decimal(50)}


async def test_what_was_released_after_a_read_began_still_counts_against_that_read() -> None:
    funds = AccountFunds(ManualClock())
    funds.reserve("a", "USDT", Decimal(30))

    async def crossing():
        funds.release("a")
        return {"USDT": Balance(Decimal(100))}

    snapshot = await funds.snapshot(crossing)

    assert funds.reserved(snapshot) == {"USDT": Decimal(30)}
    assert funds.released_since(snapshot)
    fresh = await funds.snapshot(_read)
    assert funds.reserved(fresh) == {}
    assert not funds.released_since(fresh)


async def test_those_who_ask_during_a_read_share_the_next_one() -> None:
    funds = AccountFunds(ManualClock())
    gate, reads = asyncio.Event(), 0

    async def slow():
        nonlocal reads
        reads += 1
        await gate.wait()
        return {}

    first = asyncio.create_task(funds.snapshot(slow))
    await asyncio.sleep(0)
    others = [asyncio.create_task(funds.snapshot(slow)) for _ in range(5)]
    await asyncio.sleep(0)
    gate.set()
    snapshots = await asyncio.gather(first, *others)

    assert reads == 2
    assert len({id(snapshot) for snapshot in snapshots[1:]}) == 1


async def test_one_who_waits_no_longer_ends_the_read_for_nobody_else() -> None:
    funds = AccountFunds(ManualClock())
    gate = asyncio.Event()

    async def held():
        await gate.wait()
        return {}

    first = asyncio.create_task(funds.snapshot(held))
    await asyncio.sleep(0)
    reader, impatient, patient = (asyncio.create_task(funds.snapshot(_read)) for _ in range(3))
    await asyncio.sleep(0)
    impatient.cancel()
    gate.set()
    await first

    assert (await patient) is (await reader)
    assert impatient.cancelled()


async def test_a_failed_read_fails_all_who_share_it_and_not_the_next() -> None:
    funds = AccountFunds(ManualClock())
    gate = asyncio.Event()

    async def held():
        await gate.wait()
        return {}

    async def failing():
        raise ExchangeUnavailable("no answer")

    first = asyncio.create_task(funds.snapshot(held))
    await asyncio.sleep(0)
    others = [asyncio.create_task(funds.snapshot(failing)) for _ in range(3)]
    await asyncio.sleep(0)
    gate.set()
    await first
    results = await asyncio.gather(*others, return_exceptions=True)

    assert [type(result) for result in results] == [ExchangeUnavailable] * 3
    assert (await funds.snapshot(_read)).balances == {"USDT": Balance(Decimal(100))}


@pytest.mark.parametrize("release_twice", [False, True])
async def test_a_release_counts_once(release_twice: bool) -> None:
    funds = AccountFunds(ManualClock())
    funds.reserve("a", "USDT", Decimal(1))
    funds.release("a")
    if release_twice:
        funds.release("a")

    assert funds.reserved(await funds.snapshot(_read)) == {}

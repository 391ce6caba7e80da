import asyncio
import contextlib
import os
import signal
import sqlite3
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from service.clock import SystemClock
from service.core.markets import Balance
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import Accepted, Found, InDoubt, NotExecuted, NotFound
from service.exchanges.paper import PaperExchange, PaperSettings
from service.exchanges.paper.books import Books, BooksUnusable
from service.exchanges.protocol import ExchangeUnavailable, OrderRequest
from tests.unit.exchanges.exchange_contract import ExchangeContract, Place, ref_of
from tests.unit.exchanges.paper_lab import ACCOUNT, BTC, ManualPrices, settings


def market_buy(client_order_id: str = "c1", quantity: str = "1") -> OrderRequest:
    return OrderRequest(
        account=ACCOUNT,
        client_order_id=client_order_id,
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        quantity=Decimal(quantity),
    )


@contextlib.asynccontextmanager
async def running(path: Path, clock=None, prices=None, **changes):
    exchange = PaperExchange("paper", settings(**changes), path, clock or SystemClock(), prices)
    await exchange.start()
    try:
        yield exchange
    finally:
        await exchange.close()


async def until(condition, within=5.0):
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.002)


@pytest.fixture
def books(tmp_path):
    return tmp_path / "books.sqlite"


class TestPaperExchange(ExchangeContract):
    @pytest.fixture
    async def exchange(self, books):
        exchange = PaperExchange("paper", PaperSettings(tick_interval=3600), books, SystemClock())
        await exchange.start()
        yield exchange
        await exchange.close()

    @pytest.fixture
    def place(self):
        return Place("paper-1", BTC)


async def test_a_request_on_the_wire_lands_although_its_caller_gave_up(books):
    async with running(books, latency=0.02) as exchange:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(exchange.create_order(market_buy()), 0.001)
        assert (await exchange.fetch_balances(ACCOUNT)) != {}
        assert isinstance(await exchange.look_up(ref_of(market_buy())), Found)


async def test_latency_passes_half_before_and_half_after_the_execution(books):
    async with running(books, latency=0.04) as exchange:
        sent_ns = time.time_ns()
        outcome = await exchange.create_order(market_buy())
        answered_ns = time.time_ns()
        assert outcome.report.ts_event_ns - sent_ns >= 19_000_000
        assert answered_ns - outcome.report.ts_event_ns >= 19_000_000


async def test_a_request_older_than_its_validity_is_not_executed(books):
    class LateClock(SystemClock):
        late_ns = 0

        def monotonic_ns(self) -> int:
            return super().monotonic_ns() + self.late_ns

    clock = LateClock()
    async with running(books, clock=clock) as exchange:
        sending = asyncio.create_task(exchange.create_order(market_buy()))
        await asyncio.sleep(0)
        clock.late_ns = exchange.rules.request_validity_ns
        assert await sending == NotExecuted(cause="clock_skew")
        assert isinstance(await exchange.look_up(ref_of(market_buy())), NotFound)


async def test_close_answers_what_was_executed_and_never_executes_the_rest(books):
    async with running(books, latency=0.1) as exchange:
        executed = asyncio.create_task(exchange.create_order(market_buy("executed")))
        await until(lambda: exchange._engine.balances(ACCOUNT).get("BTC"))
        lost = asyncio.create_task(exchange.create_order(market_buy("lost")))
        await asyncio.sleep(0)
        await exchange.close()
        assert isinstance(await executed, Accepted)
        assert isinstance(await lost, NotExecuted)
    async with running(books) as exchange:
        assert isinstance(await exchange.look_up(ref_of(market_buy("executed"))), Found)
        assert isinstance(await exchange.look_up(ref_of(market_buy("lost"))), NotFound)


async def test_prices_move_by_themselves_and_fill_what_rests(books):
    prices = ManualPrices()
    async with running(books, prices=prices, tick_interval=0.005) as exchange:
        request = OrderRequest(
            account=ACCOUNT,
            client_order_id="rest",
            symbol=BTC,
            side=Side.BUY,
            order_type=OrderType.LIMIT,
            quantity=Decimal(1),
            price=Decimal(99),
        )
        await exchange.create_order(request)
        prices.mids[BTC] = Decimal(98)
        await until(lambda: exchange.quote(BTC).ask < 99)
        found = await exchange.look_up(ref_of(request))
        assert found.report.status is OrderStatus.FILLED


async def test_a_quote_is_known_to_be_of_now(books):
    async with running(books) as exchange:
        assert time.time_ns() - exchange.quote(BTC).ts_ns < 1_000_000_000


async def test_failing_books_leave_the_order_in_doubt_and_memory_untouched(books, monkeypatch, caplog):
    async with running(books) as exchange:
        with monkeypatch.context() as patch:
            patch.setattr(exchange._books, "write", _disk_full)
            assert isinstance(await exchange.create_order(market_buy()), InDoubt)
            exchange.tick()
        assert await exchange.fetch_balances(ACCOUNT) == {"USDT": Balance(free=Decimal(1000))}
        assert isinstance(await exchange.look_up(ref_of(market_buy())), NotFound)
        assert "prices stand still" in caplog.text


def _disk_full(changes):
    raise sqlite3.OperationalError("database or disk is full")


def test_a_failed_write_leaves_nothing_behind(books):
    opened = Books(books)
    opened._db.execute("CREATE TRIGGER full BEFORE INSERT ON balances BEGIN SELECT raise(ABORT, 'full'); END")
    opened.close()
    exchange = PaperExchange("paper", settings(), books, SystemClock())
    with pytest.raises(ExchangeUnavailable, match="full"):
        asyncio.run(exchange.start())
    opened = Books(books)
    assert opened.load().accounts == frozenset()
    opened.close()


async def test_two_processes_cannot_use_the_same_books(books):
    async with running(books):
        with pytest.raises(ExchangeUnavailable, match="another process"):
            await PaperExchange("paper", settings(), books, SystemClock()).start()


def test_books_of_a_newer_version_are_left_alone(books):
    with contextlib.closing(sqlite3.connect(books)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(BooksUnusable, match="version 99"):
        Books(books)


async def test_a_missing_folder_is_named(tmp_path):
    exchange = PaperExchange("paper", settings(), tmp_path / "nowhere" / "books.sqlite", SystemClock())
    with pytest.raises(ExchangeUnavailable, match="nowhere"):
        await exchange.start()


_CHILD = """
import asyncio, sys
from decimal import Decimal
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.unit.exchanges.test_paper_exchange import market_buy, running
AT_ONCE = int(sys.argv[3])

async def main():
    async with running(Path(sys.argv[1]), latency=0.0, starting_balances={"USDT": Decimal(10**9)}) as exchange:
        async def send(first):
            for number in range(first, 1_000_000, AT_ONCE):
                outcome = await exchange.create_order(market_buy(f"c{number}", "0.001"))
                print(f"c{number}", type(outcome).__name__, flush=True)

        await asyncio.gather(*(send(first) for first in range(AT_ONCE)))

asyncio.run(main())
"""


@pytest.mark.parametrize("at_once", [1, 16])
async def test_what_was_answered_before_a_kill_is_in_the_books(books, at_once):
    command = [sys.executable, "-c", _CHILD, str(books), str(Path(__file__).parents[3]), str(at_once)]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    lines = [await asyncio.wait_for(child.stdout.readline(), 30) for _ in range(300)]
    os.kill(child.pid, signal.SIGKILL)
    lines += (await child.stdout.read()).splitlines(keepends=True)
    await child.wait()
    answered = [line.split()[0].decode() for line in lines if line.endswith(b" Accepted\n")]
    assert len(answered) >= 300
    async with running(books) as exchange:
        found = [await exchange.look_up(ref_of(market_buy(order))) for order in answered]
        assert all(isinstance(answer, Found) for answer in found)
        fills = await exchange.fills_since(ACCOUNT, list(exchange.markets), 0)
        spent = sum((fill.quantity * fill.price for fill in fills), Decimal(0))
        assert (await exchange.fetch_balances(ACCOUNT))["USDT"].total == 10**9 - spent

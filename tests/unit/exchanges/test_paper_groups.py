"""Requests that arrive together: decided one after another, written as one, and as if each had come alone."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import re
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from service.clock import SystemClock
from service.core.markets import Balance
from service.core.orders import OrderStatus, OrderType, Side
from service.core.outcomes import Accepted, Found, InDoubt, NotFound, Refused, RejectReason
from service.exchanges.paper import PaperExchange, PartialFills
from service.exchanges.paper.books import _SQL
from service.exchanges.protocol import OrderRef, OrderRequest
from service.statements import statements
from tests.support.disks import no_file_may_grow_beyond
from tests.unit.exchanges.exchange_contract import ref_of
from tests.unit.exchanges.paper_lab import ACCOUNT, BTC, Lab, settings

ACCOUNTS = (ACCOUNT, "paper-2")
NOW_NS = 1_000
IDS = [f"id-{number}" for number in range(12)]

quantities = st.integers(1, 12_000).map(lambda steps: Decimal(steps) / 1000)
prices = st.integers(8_000, 12_000).map(lambda ticks: Decimal(ticks) / 100)
requests = st.builds(
    OrderRequest,
    account=st.sampled_from([*ACCOUNTS, "nobody"]),
    client_order_id=st.sampled_from(IDS),
    symbol=st.sampled_from([BTC, "ETH/USDT", "NO/MARKET"]),
    side=st.sampled_from(Side),
    order_type=st.sampled_from(OrderType),
    quantity=quantities,
    price=st.none() | prices,
    stop_price=st.none() | prices,
)
refs = st.builds(
    OrderRef,
    account=st.sampled_from(ACCOUNTS),
    symbol=st.just(BTC),
    order_type=st.just(OrderType.LIMIT),
    client_order_id=st.sampled_from(IDS),
)


def buy(client_order_id: str, quantity: str = "0.01", price: str | None = None) -> OrderRequest:
    return OrderRequest(
        account=ACCOUNT,
        client_order_id=client_order_id,
        symbol=BTC,
        side=Side.BUY,
        order_type=OrderType.MARKET if price is None else OrderType.LIMIT,
        quantity=Decimal(quantity),
        price=None if price is None else Decimal(price),
    )


@contextlib.contextmanager
def lab(earlier: list[OrderRequest] | None = None) -> Iterator[Lab]:
    """Restarted after `earlier`, so that the ids of finished orders stand in the books only."""
    with tempfile.TemporaryDirectory() as folder:
        opened = Lab(Path(folder) / "books.sqlite", accounts=ACCOUNTS, partial_fills=PartialFills(probability=0.5))
        for request in earlier or []:
            opened.engine.place([request], 1)
        opened.books._db.execute("UPDATE books SET id = 'books'")  # drawn by chance for each file
        opened.restart()
        yield opened
        opened.close()


def everything(opened: Lab) -> tuple[object, ...]:
    """What is in memory and what is in the file."""
    memory = opened.engine._memory
    read = opened.books._db.execute
    tables = ("accounts", "balances", "orders", "fills", "prices")
    rows = [read(f"SELECT * FROM {table}").fetchall() for table in tables]
    return rows, *map(copy.deepcopy, (memory.balances, memory.open, memory.resting, memory.finished, memory.number))


@hypothesis_settings(max_examples=15, deadline=None)
@given(earlier=st.lists(requests, max_size=6), group=st.lists(requests, min_size=1, max_size=20))
def test_a_group_of_orders_equals_the_same_orders_one_by_one(earlier, group):
    with lab(earlier) as together, lab(earlier) as alone:
        answers = together.engine.place(group, NOW_NS)
        assert answers == [answer for request in group for answer in alone.engine.place([request], NOW_NS)]
        assert everything(together) == everything(alone)


@hypothesis_settings(max_examples=15, deadline=None)
@given(earlier=st.lists(requests, max_size=12), group=st.lists(refs, min_size=1, max_size=12))
def test_a_group_of_cancels_equals_the_same_cancels_one_by_one(earlier, group):
    with lab(earlier) as together, lab(earlier) as alone:
        answers = together.engine.cancel(group, NOW_NS)
        assert answers == [answer for ref in group for answer in alone.engine.cancel([ref], NOW_NS)]
        assert everything(together) == everything(alone)


def test_a_used_id_is_refused_wherever_in_the_group_it_stands_and_whatever_else_is_wrong_with_it():
    with lab([buy("before"), buy("resting", price="90")]) as opened:
        before = everything(opened)
        answers = opened.engine.place([buy("before", "1e6"), buy("resting"), buy("fresh"), buy("fresh", "1e6")], NOW_NS)
        assert [getattr(answer, "reason", None) for answer in answers] == [
            *[RejectReason.DUPLICATE_CLIENT_ORDER_ID] * 2,
            None,
            RejectReason.DUPLICATE_CLIENT_ORDER_ID,
        ]
        assert len(everything(opened)[0][2]) == len(before[0][2]) + 1


def test_used_ids_are_found_by_their_index(tmp_path):
    opened = Lab(tmp_path / "books.sqlite")
    sql, values = statements(_SQL["used"], [(ACCOUNT, name) for name in IDS[:8]])[0]
    plan = [row[-1] for row in opened.books._db.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    assert any(step.startswith("SEARCH orders USING COVERING INDEX") for step in plan)
    assert not any(step.startswith("SCAN orders") for step in plan)
    opened.close()


def test_a_group_that_is_refused_as_a_whole_writes_nothing():
    with lab() as opened:
        written = opened.books._db.total_changes
        answers = opened.engine.place([buy("dear", "1000"), buy("none", "0")], NOW_NS)
        assert all(isinstance(answer, Refused) for answer in answers)
        assert opened.books._db.total_changes == written


@pytest.mark.parametrize("room", [0, 4_096, 9_000])
def test_a_commit_that_fails_leaves_memory_and_file_as_before(room):
    with lab([buy("before"), buy("resting", price="90")]) as opened:
        group = [buy(f"c{number}", "0.01", None if number % 2 else "90") for number in range(100)]
        before = everything(opened)
        log = opened.path.with_name("books.sqlite-wal")
        with no_file_may_grow_beyond(log.stat().st_size + room), pytest.raises(sqlite3.OperationalError):
            opened.engine.place(group, NOW_NS)
        assert everything(opened) == before
        opened.restart()
        assert everything(opened)[0] == before[0]
        assert all(isinstance(answer, Accepted) for answer in opened.engine.place(group, NOW_NS))


@contextlib.asynccontextmanager
async def running(path: Path, **changes: object) -> AsyncIterator[PaperExchange]:
    exchange = PaperExchange("paper", settings(**changes), path, SystemClock())
    await exchange.start()
    yield exchange
    await exchange.close()


async def test_orders_that_arrive_together_are_one_transaction_of_few_statements(tmp_path):
    async with running(tmp_path / "books.sqlite", latency=0.0) as exchange:
        executed: list[str] = []
        exchange._books._db.set_trace_callback(lambda sql: executed.append(re.sub("(?m)^--.*\n", "", sql)))
        outcomes = await asyncio.gather(*(exchange.create_order(buy(f"c{number}")) for number in range(64)))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
        verbs = [re.match(r"\w+", statement)[0] for statement in executed]
        assert verbs == ["WITH", "BEGIN", "INSERT", "INSERT", "INSERT", "COMMIT"]


async def test_one_request_that_cannot_be_written_does_not_touch_the_others(tmp_path):
    async with running(tmp_path / "books.sqlite", latency=0.004) as exchange:
        exchange._books._db.execute(
            "CREATE TEMP TRIGGER fault BEFORE INSERT ON orders WHEN new.client_order_id = 'faulty' "
            "BEGIN SELECT raise(ABORT, 'disk I/O error'); END"
        )
        names = ["first", "faulty", "last"]
        outcomes = await asyncio.gather(*(exchange.create_order(buy(name)) for name in names))
        assert [type(outcome) for outcome in outcomes] == [Accepted, InDoubt, Accepted]
        found = [await exchange.look_up(ref_of(buy(name))) for name in names]
        assert [type(answer) for answer in found] == [Found, NotFound, Found]
        assert (await exchange.fetch_balances(ACCOUNT))["BTC"].total == Decimal("0.02") * Decimal("0.999")


async def test_no_order_of_a_group_is_answered_where_the_disk_takes_none(tmp_path):
    path = tmp_path / "books.sqlite"
    async with running(path, latency=0.004) as exchange:
        with no_file_may_grow_beyond(path.with_name("books.sqlite-wal").stat().st_size):
            outcomes = await asyncio.gather(*(exchange.create_order(buy(f"c{number}")) for number in range(8)))
        assert all(isinstance(outcome, InDoubt) for outcome in outcomes)
        assert await exchange.fetch_balances(ACCOUNT) == {"USDT": Balance(free=Decimal(1000))}
        outcomes = await asyncio.gather(*(exchange.create_order(buy(f"c{number}")) for number in range(8)))
        assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    async with running(path) as exchange:
        assert len(await exchange.fills_since(ACCOUNT, [BTC], 0)) == 8


async def test_two_cancels_of_one_order_that_arrive_together_cancel_it_once(tmp_path):
    async with running(tmp_path / "books.sqlite", latency=0.004) as exchange:
        await exchange.create_order(buy("rest", price="90"))
        first, second = await asyncio.gather(*(exchange.cancel_order(ref_of(buy("rest"))) for _ in range(2)))
        assert first.status is OrderStatus.CANCELED
        assert isinstance(second, Refused)

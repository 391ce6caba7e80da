"""A journal of an older version is opened, and nothing in it is lost or asked for again."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from decimal import Decimal

import msgspec
import pytest

from service.core.orders import Action, OrderStatus, Side, Sizing, SizingMethod
from service.journal import database, reads, rows
from service.journal.protocol import HaltLevel, JournalConflict, JournalUnavailable, OrderQuery
from service.journal.queries import SQL
from service.journal.sqlite import SqliteJournal
from tests.unit.journal.examples import EVENT, a_fill, an_order, its_answer, moved

VERSION_1 = "5c642f44c39c2eae198badb2c0e704c649f463ff0df7259abdb807b50b3aafdb"
FULL = an_order(
    action=Action.PLACE,
    sizing=Sizing(
        method=SizingMethod.VOLATILITY_ADJUSTED,
        value=Decimal("1.50"),
        stop=Decimal(1),
        atr=Decimal("2E+3"),
        atr_multiple=Decimal(3),
    ),
    parent_id="p",
    reduce_only=True,
    price=Decimal("65000.10"),
    stop_price=Decimal(4),
    confidence=Decimal("0.90"),
    tag="tag",
    comment="comment",
    alert_ts_ns=1,
    max_age_ns=2,
    max_drift_bps=Decimal(5),
    arrival_price=Decimal(6),
    status=OrderStatus.PARTIALLY_FILLED,
    updated_ns=3,
    version=4,
    side=Side.SELL,
    quantity=Decimal("7.0"),
    adjusted_from=Decimal(8),
    filled_qty=Decimal("0.50"),
    average_price=Decimal(9),
    exchange_order_id="X-1",
    reason="reason",
    detail="detail",
    attempts=2,
    submitted_ns=10,
    cancel_requested=True,
    outcome_counted=True,
    last_span_id="d" * 16,
)


def columns_of(connection, table):
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def insert(connection, table, values):
    """By name, as far as the table of that version knows the name."""
    known = {name: values[name] for name in columns_of(connection, table)}
    marks = ", ".join("?" * len(known))
    connection.execute(f"INSERT INTO {table} ({', '.join(known)}) VALUES ({marks})", list(known.values()))


def values_of(order):
    """All columns of an order, by name."""
    plain = msgspec.to_builtins(msgspec.structs.asdict(order))
    sizing = {f"sizing_{name}": value for name, value in plain["sizing"].items()}
    flags = {name: int(plain[name]) for name in rows._FLAGS}
    return plain | sizing | plain["trace"] | flags


def make_version_1(path, orders=(), fills=()):
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(SQL.migrations[0])
        connection.execute("BEGIN")
        for order in orders:
            insert(connection, "orders", values_of(order))
            first = rows.transition_row(rows.first_transition(order))
            connection.execute("INSERT INTO transitions VALUES (?, ?, ?, ?, ?, ?, ?, ?)", first)
            answer = rows.answer_row(its_answer(order))
            connection.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", answer)
        for order, fill in fills:
            row = rows.fill_row(order, fill)
            connection.execute("INSERT INTO fills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("INSERT INTO halts VALUES ('main', 1)")
        connection.execute("INSERT INTO anomalies VALUES ('nobody', 1, 'kind', 'detail')")
        connection.execute("INSERT INTO audit VALUES (9, 'login', '::1', 'refused', 'd', NULL)")
        connection.execute("COMMIT")
        assert "action" not in columns_of(connection, "orders")


def version_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


def schema_of(path):
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()


def test_the_step_that_made_the_journals_out_there_stays_as_it_is():
    assert hashlib.sha256(SQL.migrations[0].encode()).hexdigest() == VERSION_1


async def test_everything_of_version_1_is_there_afterwards(path):
    orders = [FULL, *(an_order(status=status) for status in OrderStatus)]
    make_version_1(path, orders, [(FULL, a_fill(FULL, "t1"))])
    journal = SqliteJournal.open(path)
    for before in orders:
        expected = msgspec.structs.replace(before, settled=before.status in reads.FINISHED)
        assert repr(await journal.find_order(before.id)) == repr(expected)
        assert await journal.transitions(before.id) == [rows.first_transition(before)]
        assert journal.look_up_answer(before.source, before.id, 1_500) == its_answer(before)
    assert await journal.find_order("X-1") == FULL
    assert await journal.fills(FULL.id) == [a_fill(FULL, "t1")]
    assert await journal.newest_fill_ns("paper", "main") == 5_000
    assert journal.halts() == {"main": HaltLevel.REDUCING}
    assert await journal.anomalies("nobody") == ["kind: detail"]
    assert journal._points.execute("SELECT event_type FROM audit").fetchone()[0] == "login"
    assert await journal.findings() == []
    await journal.close()
    assert version_of(path) == database.VERSION


async def test_only_what_was_unfinished_is_asked_for_after_the_step(path):
    orders = [an_order(status=status) for status in OrderStatus]
    make_version_1(path, orders)
    journal = SqliteJournal.open(path)
    assert await journal.unfinished(1_000) == [order for order in orders if order.status not in reads.FINISHED]
    assert len(await journal.list_orders(OrderQuery())) == len(orders)
    await journal.close()


async def test_a_migrated_journal_has_the_schema_of_a_new_one_and_its_rules(path, tmp_path):
    order = an_order()
    make_version_1(path, [order])
    journal = SqliteJournal.open(path)
    twin = an_order(client_order_id=order.client_order_id)
    with pytest.raises(JournalConflict, match="client_order_id"):
        await journal.append(twin, its_answer(twin))
    orphan, transition = moved(order, OrderStatus.SUBMITTED)
    with pytest.raises(JournalConflict, match="FOREIGN KEY"):
        await journal.record(orphan, msgspec.structs.replace(transition, order_id="nobody"))
    after, transition = moved(order, OrderStatus.SUBMITTED, side=None, contracts=Decimal("1.0"), settled=True)
    await journal.record(after, transition)
    assert repr(await journal.find_order(order.id)) == repr(after)
    await journal.set_halt("main", HaltLevel.OFF, EVENT)
    await journal.close()
    await SqliteJournal.open(tmp_path / "new.sqlite").close()
    assert schema_of(path) == schema_of(tmp_path / "new.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_holdings_are_made_from_the_fills_that_are_there(path):
    buy, sell = an_order(), an_order(side=Side.SELL)
    other, swap = an_order(source="other"), an_order(symbol="BTC/USDT:USDT", side=Side.SELL)
    fills = [
        (buy, a_fill(buy, "1", quantity=Decimal("0.1"), fee=Decimal("0.0001"), fee_currency="BTC")),
        (buy, a_fill(buy, "2", quantity=Decimal("0.2"))),
        (sell, a_fill(sell, "3", quantity=Decimal("0.05"), fee=Decimal("0.00001"), fee_currency="BTC")),
        (other, a_fill(other, "4", quantity=Decimal("123456789012345678901234567890.000000000000000001"))),
        (swap, a_fill(swap, "5", fee_currency="BTC")),
    ]
    make_version_1(path, [buy, sell, other, swap], fills)
    journal = SqliteJournal.open(path)

    async def held(order):
        return await journal.holding(source=order.source, exchange="paper", account="main", symbol=order.symbol)

    assert await held(buy) == Decimal("0.24989")
    assert await held(other) == Decimal("123456789012345678901234567890.000000000000000001")
    assert await held(swap) == Decimal("-0.5")
    after, transition = moved(buy, OrderStatus.SUBMITTED)
    await journal.record(after, transition, [a_fill(buy, "1"), a_fill(buy, "6", quantity=Decimal("0.00011"))])
    assert await held(buy) == Decimal("0.25")
    await journal.close()


async def test_a_step_that_fails_leaves_the_journal_as_it_was_and_works_once_the_cause_is_gone(path):
    order = an_order()
    make_version_1(path, [order], [(order, a_fill(order, "1"))])
    before = schema_of(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE fills SET quantity = 'much'")
    with pytest.raises(JournalUnavailable, match="cannot be opened"):
        SqliteJournal.open(path)
    assert version_of(path) == 1
    assert schema_of(path) == before
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE fills SET quantity = '0.5'")
    journal = SqliteJournal.open(path)
    assert await journal.find_order(order.id) == order
    await journal.close()

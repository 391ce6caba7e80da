"""The SQL is whole, is used, and never walks through what it was not asked for."""

from __future__ import annotations

import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from functools import partial
from itertools import product
from pathlib import Path

import pytest

import service.journal
from service.clock import SystemClock
from service.core.orders import OrderStatus
from service.journal import database, queries, reads, rows
from service.journal.protocol import OrderQuery
from service.journal.queries import SQL
from tests.unit.journal.examples import an_order

NAMES = [name for name in SQL.__struct_fields__ if name != "migrations"]
LOOKS_FOR_ROWS = re.compile(r"^(SELECT|WITH|UPDATE|DELETE)\b", re.MULTILINE)
READS_AND_CHANGES = [name for name in NAMES if LOOKS_FOR_ROWS.search(getattr(SQL, name))]
SCANS_ON_PURPOSE = {
    # The index holds unsettled orders only, and all of them are asked for.
    "unfinished_orders": ["SCAN orders USING INDEX orders_unsettled"],
    # What the last comparisons found, and all of it is asked for.
    "findings": ["SCAN findings"],
    # One row an account.
    "halts": ["SCAN halts"],
    # The accounts found so far.
    "accounts_of_symbol": ["SCAN found", "SCAN found"],
    # The changes of one group.
    "update_orders": ["SCAN moved"],
    # The catalogue of tables, once at a start.
    "count_objects": ["SCAN sqlite_master"],
}
# One row an account; one order's fills.
SORTS_ON_PURPOSE = {"order_by_client_order_id", "fills"}

COUNT = 50_000


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("journal") / "journal.sqlite"
    database.create_file(path)
    database.migrate(path, SystemClock())
    return path


@pytest.fixture(scope="module")
def many(path):
    """A read connection to 50,000 orders, each filled once. Rare things lie at the far end, where a walk comes last."""
    first = an_order()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(SQL.insert_order, rows.inserted(first))
        columns = [name for (_, name, *_) in connection.execute("PRAGMA table_info(orders)")]
        values = dict(zip(columns, columns, strict=True)) | {
            "id": "printf('%032x', 1000000 + n)",
            "client_order_id": "'c' || n",
            "exchange_order_id": "'x' || n",
            "settled": "1",
            "status": "CASE n % 1000 WHEN 3 THEN 'REJECTED' WHEN 5 THEN 'CANCELED' ELSE 'FILLED' END",
            "symbol": "CASE WHEN n < 30 THEN 'RARE/USDT' ELSE symbol END",
            "account": "CASE WHEN n % 1000 = 7 AND n < 10000 THEN 'other' ELSE account END",
        }
        connection.execute(
            f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {COUNT})"
            f"INSERT INTO orders ({', '.join(columns)}) SELECT {', '.join(values.values())} FROM numbers, orders"
        )
        connection.execute(
            "INSERT INTO fills SELECT exchange, account, symbol, id, id, client_order_id, '1', '1', '0', 'USDT', "
            "received_ns + rowid FROM orders"
        )
        connection.execute(
            "INSERT INTO holdings SELECT exchange, account, symbol || order_id, 'source', '1', ts_event_ns FROM fills "
            "LIMIT 200"
        )
    with closing(database.connect_reader(path)) as connection:
        yield connection


def steps_of(connection, read):
    """What `read` returns, and how many thousand instructions of SQLite's machine it took."""
    thousands = []
    connection.set_progress_handler(lambda: thousands.append(1), 1_000)
    try:
        return read(connection), len(thousands)
    finally:
        connection.set_progress_handler(None, 0)


def explain(connection, how, sql):
    values = [None] * sql.count("?") or defaultdict(lambda: None)
    return connection.execute(f"{how} {sql}", values).fetchall()


@pytest.mark.parametrize("name", NAMES)
def test_every_query_is_used(name):
    folder = Path(service.journal.__file__).parent
    code = "".join(file.read_text() for file in folder.glob("*.py") if file.name != "queries.py")
    assert re.search(rf"\bSQL\.{name}\b", code)


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"configure"}))
def test_every_query_fits_the_schema(path, name):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        explain(connection, "EXPLAIN", getattr(SQL, name))


@pytest.mark.parametrize("name", READS_AND_CHANGES)
def test_no_query_scans_a_table(path, name):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        plan = [detail for (*_, detail) in explain(connection, "EXPLAIN QUERY PLAN", getattr(SQL, name))]
    assert [step for step in plan if "SCAN" in step and "CONSTANT" not in step] == SCANS_ON_PURPOSE.get(name, [])
    assert any("TEMP B-TREE" in step for step in plan) == (name in SORTS_ON_PURPOSE)


def test_the_placeholders_of_an_order_stand_in_the_order_of_its_columns():
    named = re.search(r"INSERT INTO orders \((.*?)\)", SQL.insert_order, re.DOTALL)[1].replace("\n", " ")
    columns = [column.strip() for column in named.split(",")]
    row = dict(zip(columns, rows.inserted(an_order(source="s", account="a", reason="r", detail="d")), strict=True))
    assert (row["source"], row["account"], row["reason"], row["detail"]) == ("s", "a", "r", "d")


def test_the_schema_and_the_code_agree_on_what_is_finished():
    pattern = re.compile(r"finished INTEGER GENERATED ALWAYS AS \((.*?)\) VIRTUAL", re.DOTALL)
    listings = [listed for script in SQL.migrations for listed in pattern.findall(script)]
    assert len(listings) == 3
    for listed in listings:
        assert set(re.findall(r"'(\w+)'", listed)) == reads.FINISHED


@pytest.mark.parametrize(("name", "tables"), [("insert_order", 0), ("update_orders", 2)])
def test_a_change_of_an_order_makes_no_table_for_the_sake_of_an_index(path, name, tables):
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        steps = [step for (_, step, *_) in explain(connection, "EXPLAIN", getattr(SQL, name))]
    assert steps.count("OpenEphemeral") <= tables


FILTERS = list(
    product(
        [(), ("FILLED",), ("FILLED", "REJECTED", "RECEIVED"), ("ABSENT",), tuple(OrderStatus)],
        [None, "BTC/USDT", "RARE/USDT", "NONE/USDT"],
        [None, "main", "other"],
        [None, f"{1_000_000 + 15_000:032x}"],
    )
)


def test_every_filter_finds_its_newest_orders_without_a_walk(many):
    kinds = defaultdict(list)
    for row in many.execute("SELECT status, symbol, account, id FROM orders"):
        kinds[tuple(row)[:3]].append(row["id"])
    for statuses, symbol, account, after in FILTERS:
        expected = sorted(
            order_id
            for kind, ids in kinds.items()
            if (not statuses or kind[0] in statuses) and symbol in {None, kind[1]} and account in {None, kind[2]}
            for order_id in ids
            if after is None or order_id < after
        )[:-51:-1]
        query = OrderQuery(
            statuses=tuple(map(OrderStatus, statuses)), symbol=symbol, account=account, after=after, limit=50
        )
        found, steps = steps_of(many, partial(reads.list_orders, query=query))
        assert [order.id for order in found] == expected, query
        assert steps < 60, query


@pytest.mark.parametrize("reference", [f"{1_000_000 + 40_000:032x}", "c40000", "x40000", "unknown"])
def test_every_reference_is_found_without_a_walk(many, reference):
    found, steps = steps_of(many, lambda connection: reads.find_order(connection, reference))
    assert (found is None) == (reference == "unknown")
    assert steps < 2


def test_unfinished_orders_are_found_among_many_without_a_walk(many):
    found, steps = steps_of(many, lambda connection: reads.unfinished(connection, None))
    assert [order.status for order in found] == ["RECEIVED"]
    assert steps < 2


def test_the_newest_fill_of_an_account_is_found_without_a_walk(many):
    (expected,) = many.execute("SELECT max(newest_fill_ns) FROM holdings WHERE account = 'main'").fetchone()
    newest, steps = steps_of(many, lambda connection: reads.newest_fill_ns(connection, "paper", "main"))
    assert newest == expected > 1_000
    assert steps < 2


def test_a_walk_would_be_noticed(many):
    _, steps = steps_of(many, lambda connection: connection.execute("SELECT max(comment) FROM orders").fetchall())
    assert steps > 100


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("-- name: begin\nBEGIN;\n-- name: begin\nBEGIN;", "the name begin is given twice"),
        ("-- migration: 2\nSELECT 1;", "migration 2 stands where 1 was expected"),
        ("-- name: begin\nBEGIN;", "missing required field"),
        ("-- name: begun\nBEGIN;", "unknown field `begun`|missing required field"),
    ],
)
def test_a_file_of_queries_that_is_not_whole_is_refused(text, error):
    with pytest.raises(ValueError, match=error):
        queries.parse(text)

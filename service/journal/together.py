"""The writes of one group as a few statements, whatever their number: each kind of row in one.

The driver lets go of the interpreter's lock at every statement, and gets it back when the event loop happens to wait:
a group of fifty orders with a statement for each row took turns with it hundreds of times.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from typing import Any

from service.core.markets import MATH
from service.journal import rows
from service.journal.queries import SQL
from service.journal.writes import AppendOrder, RecordChange

_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows in a statement: few sizes, so that the driver keeps every statement prepared."""

_VALUES = re.compile(r"VALUES (\(\s*\?(?:,\s*\?)*\s*\))")

Whose = tuple[str, str, str, str]
"""Exchange, account, symbol and source: what a holding belongs to."""


class NotTogetherError(Exception):
    """One of the writes did something else than write its rows: a key was taken, a version stale, a fill known."""


def write(connection: sqlite3.Connection, operations: Sequence[Any]) -> list[Any]:
    """The operations' results, in their order; those that are no orders' run one by one after these.

    Raises:
        NotTogetherError: they have to be run one by one, in a transaction begun anew.
        Exception: what one of them raises; the same is to be done.
    """
    _append(connection, [one for one in operations if type(one) is AppendOrder])
    _record(connection, [one for one in operations if type(one) is RecordChange])
    return [None if type(one) in _OF_ORDERS else one(connection) for one in operations]


_OF_ORDERS = frozenset({AppendOrder, RecordChange})


def _append(connection: sqlite3.Connection, appends: Sequence[AppendOrder]) -> None:
    _execute(connection, SQL.claim_answer, [rows.answer_row(one.answer) for one in appends])
    _execute(connection, SQL.insert_order, [one.order for one in appends])
    _execute(connection, SQL.insert_transition, [one.transition for one in appends])


def _record(connection: sqlite3.Connection, records: Sequence[RecordChange]) -> None:
    if not records:
        return
    # An UPDATE that reads its new values from rows like these takes half as long again as one for each.
    moved = connection.executemany(SQL.update_order, [rows.updated(one.order) for one in records])
    _expect(len(records), moved.rowcount)
    _execute(connection, SQL.insert_transition, [one.transition for one in records if one.transition is not None])
    fills = [(one.order, row, change) for one in records for row, change in one.fills]
    _execute(connection, SQL.insert_fill, [row for _, row, _ in fills])
    changes: dict[Whose, Decimal] = {}
    for order, _, change in fills:
        whose = order.exchange, order.account, order.symbol, order.source
        changes[whose] = MATH.add(changes.get(whose, Decimal(0)), change)
    held = _holdings(connection, list(changes))
    sums = [(*whose, str(MATH.add(held.get(whose, Decimal(0)), change))) for whose, change in changes.items()]
    _execute(connection, SQL.put_holding, sums)


def _holdings(connection: sqlite3.Connection, whose: Sequence[Whose]) -> dict[Whose, Decimal]:
    found: dict[Whose, Decimal] = {}
    for sql, values in _statements(SQL.holdings_of, whose):
        for exchange, account, symbol, source, quantity in connection.execute(sql, values):
            found[exchange, account, symbol, source] = Decimal(quantity)
    return found


def _execute(connection: sqlite3.Connection, sql: str, of: Sequence[rows.Row]) -> None:
    """Raises NotTogetherError where it did not write every row."""
    _expect(len(of), sum(connection.execute(one, values).rowcount for one, values in _statements(sql, of)))


def _expect(rows_given: int, written: int) -> None:
    if written != rows_given:
        raise NotTogetherError(f"{written} of {rows_given} rows were written")


def _statements(sql: str, of: Sequence[rows.Row]) -> Iterator[tuple[str, tuple[object, ...]]]:
    """`sql` for as many rows as a statement takes, and their values."""
    begin = 0
    for size in _SIZES:
        while len(of) - begin >= size:
            yield _repeated(sql, size), tuple(_flat(of[begin : begin + size]))
            begin += size


def _flat(of: Iterable[rows.Row]) -> Iterable[object]:
    return chain.from_iterable(of)


@lru_cache(maxsize=64)
def _repeated(sql: str, count: int) -> str:
    """With so many rows of placeholders where `sql` has one."""
    found = _VALUES.search(sql)
    assert found is not None, "written for one row of placeholders"
    row = found[1]
    return sql[: found.start(1)] + ", ".join([row] * count) + sql[found.end(1) :]

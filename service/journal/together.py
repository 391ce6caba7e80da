"""The writes of one group as a few statements, whatever their number: each kind of row in one."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from service.core.markets import MATH
from service.journal import reads, rows
from service.journal.protocol import StoredAnswer
from service.journal.queries import SQL
from service.journal.writes import AppendOrder, RecordChange
from service.statements import statements

Whose = tuple[str, str, str, str]
"""Exchange, account, symbol and source: what a holding belongs to."""

Key = tuple[str, str]
"""Source and key of an answer."""


class NotTogetherError(Exception):
    """One of the writes did something else than write its rows: a version was stale, a fill known."""


def write(connection: sqlite3.Connection, operations: Sequence[Any]) -> list[Any]:
    """The operations' results, in their order.

    Those that are no orders' run one by one after these, and so do appends whose key another one of them has too.

    Raises:
        NotTogetherError: they have to be run one by one, in a transaction begun anew.
        Exception: what one of them raises; the same is to be done.
    """
    first: dict[Key, AppendOrder] = {}
    for one in operations:
        if type(one) is AppendOrder:
            first.setdefault(_key(one), one)
    taken = _append(connection, list(first.values()))
    _record(connection, [one for one in operations if type(one) is RecordChange])
    results: list[Any] = []
    for one in operations:
        if type(one) is RecordChange:
            results.append(None)
        elif type(one) is AppendOrder and first[_key(one)] is one:
            results.append(taken.get(_key(one)))
        else:
            results.append(one(connection))
    return results


def _key(append: AppendOrder) -> Key:
    return append.answer.source, append.answer.key


def _append(connection: sqlite3.Connection, appends: Sequence[AppendOrder]) -> Mapping[Key, StoredAnswer]:
    """The stored answers of keys that are taken; of the others all is written. No two have the same key."""
    taken: dict[Key, StoredAnswer] = {}
    if _written(connection, SQL.claim_answer, [rows.answer_row(one.answer) for one in appends]) < len(appends):
        for one in appends:
            source, key = _key(one)
            stored = reads.answer(connection, source, key, one.answer.created_ns)
            if stored is not None and stored.order_id != one.answer.order_id:
                taken[source, key] = stored
        appends = [one for one in appends if _key(one) not in taken]
    _execute(connection, SQL.insert_order, [one.order for one in appends])
    _execute(connection, SQL.insert_transition, [one.transition for one in appends])
    return taken


def _record(connection: sqlite3.Connection, records: Sequence[RecordChange]) -> None:
    _execute(connection, SQL.update_orders, [rows.updated(one.order) for one in records])
    _execute(connection, SQL.insert_transition, [one.transition for one in records if one.transition is not None])
    fills = [(one.order, fill) for one in records for fill in one.fills]
    _execute(connection, SQL.insert_fill, [fill.row for _, fill in fills])
    moved: dict[Whose, tuple[Decimal, int]] = {}
    for order, fill in fills:
        whose = order.exchange, order.account, order.symbol, order.source
        change, newest_ns = moved.get(whose, (Decimal(0), fill.ts_event_ns))
        moved[whose] = MATH.add(change, fill.change), max(newest_ns, fill.ts_event_ns)
    held = _holdings(connection, list(moved))
    sums = [
        (*whose, str(MATH.add(held.get(whose, Decimal(0)), change)), newest_ns)
        for whose, (change, newest_ns) in moved.items()
    ]
    _execute(connection, SQL.put_holding, sums)


def _holdings(connection: sqlite3.Connection, whose: Sequence[Whose]) -> dict[Whose, Decimal]:
    found: dict[Whose, Decimal] = {}
    for sql, values in statements(SQL.holdings_of, whose):
        for exchange, account, symbol, source, quantity in connection.execute(sql, values):
            found[exchange, account, symbol, source] = Decimal(quantity)
    return found


def _execute(connection: sqlite3.Connection, sql: str, of: Sequence[rows.Row]) -> None:
    """Raises NotTogetherError where it did not write every row."""
    written = _written(connection, sql, of)
    if written != len(of):
        raise NotTogetherError(f"{written} of {len(of)} rows were written")


def _written(connection: sqlite3.Connection, sql: str, of: Sequence[rows.Row]) -> int:
    return sum(connection.execute(one, values).rowcount for one, values in statements(sql, of))

"""What is written to the journal: plain functions over the writer's connection, each all or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import NamedTuple

import msgspec

from service.core.markets import MATH
from service.core.orders import Fill, Order
from service.journal import holdings, reads, rows
from service.journal.protocol import Finding, StaleVersion, StoredAnswer
from service.journal.queries import SQL

FORGET_CHUNK = 500
"""Expired keys removed in one operation, so that no order waits behind a long clean-up."""


class FillWrite(NamedTuple):
    """A fill's row, what it changes of its source's holding, and when it happened."""

    row: rows.Row
    change: Decimal
    ts_event_ns: int


def fill_write(order: Order, fill: Fill) -> FillWrite:
    """Raises JournalConflict where no fill can be such."""
    return FillWrite(rows.fill_row(order, fill), holdings.change(order, fill), fill.ts_event_ns)


@dataclass(slots=True)
class AppendOrder:
    """An order with its key. Called: the stored answer of a key that is taken; otherwise None, and all is written."""

    answer: StoredAnswer
    order: rows.Row
    transition: rows.Row

    def __call__(self, connection: sqlite3.Connection) -> StoredAnswer | None:
        answer = self.answer
        if not connection.execute(SQL.claim_answer, rows.answer_row(answer)).rowcount:
            return reads.answer(connection, answer.source, answer.key, answer.created_ns)
        connection.execute(SQL.insert_order, self.order)
        connection.execute(SQL.insert_transition, self.transition)
        return None


@dataclass(slots=True)
class RecordChange:
    """A change of an order."""

    order: Order
    transition: rows.Row | None
    fills: Sequence[FillWrite]

    def __call__(self, connection: sqlite3.Connection) -> None:
        """Raises StaleVersion."""
        order = self.order
        if not connection.execute(SQL.update_orders, rows.updated(order)).rowcount:
            raise StaleVersion(
                f"order {order.id}: version {order.version} was to be written, but the journal does not hold the "
                "version before it: read the order again and apply the change to what is there"
            )
        if self.transition is not None:
            connection.execute(SQL.insert_transition, self.transition)
        fresh = [fill for fill in self.fills if connection.execute(SQL.insert_fill, fill.row).rowcount]
        if fresh:
            _hold(connection, order, fresh)


def replace_findings(
    connection: sqlite3.Connection, *, exchange: str, account: str, found: Sequence[Finding], now_ns: int
) -> None:
    whose = {"exchange": exchange, "account": account}
    first_seen = {tuple(key): seen_ns for *key, seen_ns in connection.execute(SQL.findings_of_account, whose)}
    connection.execute(SQL.forget_findings, whose)
    for finding in found:
        seen = {
            "first_seen_ns": first_seen.get((finding.kind, finding.reference), now_ns),
            "last_seen_ns": now_ns,
        }
        connection.execute(SQL.put_finding, msgspec.structs.asdict(finding) | seen)


def forget_answers(connection: sqlite3.Connection, *, now_ns: int) -> int:
    """How many expired keys were removed; fewer than `FORGET_CHUNK` when none is left."""
    return connection.execute(SQL.forget_answers, {"now_ns": now_ns, "limit": FORGET_CHUNK}).rowcount


def execute(connection: sqlite3.Connection, *, sql: str, values: Mapping[str, object]) -> None:
    connection.execute(sql, values)


def _hold(connection: sqlite3.Connection, order: Order, fills: Sequence[FillWrite]) -> None:
    whose = (order.exchange, order.account, order.symbol, order.source)
    held = reduce(MATH.add, (fill.change for fill in fills), reads.holding(connection, whose))
    connection.execute(SQL.put_holding, (*whose, str(held), max(fill.ts_event_ns for fill in fills)))

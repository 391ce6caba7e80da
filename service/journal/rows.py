"""Orders, fills, transitions, answers and findings as rows of the journal, and back.

A column has the name of its field; `sizing` and `trace` are flattened (`sizing_value`, `trace_id`). Decimals are text
exactly as they are, exponent included, so that what is read equals what was written. A row to write is a tuple in the
order of the placeholders of its statement.
"""

from __future__ import annotations

import sqlite3
from operator import attrgetter
from typing import Any

import msgspec

from service.core.orders import Fill, Order, Sizing, Transition
from service.journal.protocol import Finding, StoredAnswer

Row = tuple[object, ...]

_SIZING = {field: f"sizing_{field}" for field in Sizing.__struct_fields__}
_FLAGS = ("reduce_only", "cancel_requested", "outcome_counted", "settled")

_MOVING = (
    "status",
    "updated_ns",
    "version",
    "side",
    "reduce_only",
    "quantity",
    "contracts",
    "adjusted_from",
    "filled_qty",
    "average_price",
    "exchange_order_id",
    "reason",
    "detail",
    "attempts",
    "submitted_ns",
    "cancel_requested",
    "outcome_counted",
    "settled",
    "last_span_id",
)

_INSERTED = attrgetter(
    "id",
    "client_order_id",
    "source",
    "exchange",
    "account",
    "symbol",
    "order_type",
    *(f"sizing.{field}" for field in _SIZING),
    "intent",
    "received_ns",
    "trace.trace_id",
    "trace.span_id",
    "action",
    "leg",
    "parent_id",
    "price",
    "stop_price",
    "confidence",
    "tag",
    "comment",
    "alert_ts_ns",
    "max_age_ns",
    "max_drift_bps",
    "arrival_price",
    *_MOVING,
)
_UPDATED = attrgetter(*_MOVING, "id")


def inserted(order: Order) -> Row:
    return _plain(_INSERTED(order))


def updated(order: Order) -> Row:
    """The moving columns, then the id."""
    return _plain(_UPDATED(order))


def order_of(row: sqlite3.Row) -> Order:
    fields = _fields(row)
    fields["sizing"] = {field: fields[column] for field, column in _SIZING.items()}
    fields["trace"] = {"trace_id": fields["trace_id"], "span_id": fields["span_id"]}
    for flag in _FLAGS:
        fields[flag] = bool(fields[flag])
    return msgspec.convert(fields, Order)


def transition_row(transition: Transition) -> Row:
    return _plain(msgspec.structs.astuple(transition))


def first_transition(order: Order) -> Transition:
    """The step into the journal, under the span that appends it."""
    return Transition(
        order_id=order.id,
        version=order.version,
        ts_ns=order.updated_ns,
        from_status=None,
        to_status=order.status,
        reason=order.reason,
        detail=order.detail,
        span_id=order.last_span_id,
    )


def transition_of(row: sqlite3.Row) -> Transition:
    return msgspec.convert(_fields(row), Transition)


def fill_row(order: Order, fill: Fill) -> Row:
    """Where it was executed (exchange, account, symbol), its id, the order that it belongs to, the rest."""
    fill_id, *rest = msgspec.structs.astuple(fill)
    return _plain((order.exchange, order.account, order.symbol, fill_id, order.id, *rest))


def fill_of(row: sqlite3.Row) -> Fill:
    return msgspec.convert(_fields(row), Fill)


def answer_row(answer: StoredAnswer) -> Row:
    return msgspec.structs.astuple(answer)


def answer_of(row: sqlite3.Row) -> StoredAnswer:
    return msgspec.convert(_fields(row), StoredAnswer)


def finding_of(row: sqlite3.Row) -> Finding:
    return msgspec.convert(_fields(row), Finding)


def _plain(values: tuple[Any, ...]) -> Row:
    """Decimals and enumerations as text; the driver takes the rest as it is."""
    row: Row = msgspec.to_builtins(values)
    return row


def _fields(row: sqlite3.Row) -> dict[str, object]:
    return dict(zip(row.keys(), row, strict=True))

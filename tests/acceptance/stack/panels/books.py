"""What really happened in the run, by other books than the service's counters.

The sender's: every answer it got. The exchanges': the paper exchange's file and the simulator's ledger. The operator's
interface: each order's states with their times, and its reasons. The traces: how often an order in doubt was looked up.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from telemetry import conventions as c
from tests.acceptance.stack.lab import Lab
from tests.acceptance.stack.panels.run import MIDS_AT_VENUE, PAPER, SIMULATED, Run
from tests.simulator.ledger import Event

Order = Mapping[str, Any]

_STATUSES = {"new": "ACCEPTED", "filled": "FILLED", "canceled": "CANCELED"}
"""The simulator's words in ours."""

_BECAME = {"close": "in_doubt", "rejected": "refused", "rate_limited": "not_executed"}
"""What a request to place an order comes to that such a fault hits; the others are accepted."""


class Fill(NamedTuple):
    """One execution as the exchange has it; the fee in USD, of which USDT counts as one."""

    exchange: str
    client_order_id: str
    quantity: Decimal
    price: Decimal
    fee_usd: Decimal


class AtExchanges(NamedTuple):
    """By client order id: quantities and states; all fills; requests by exchange and what they came to."""

    quantities: Mapping[str, Decimal]
    statuses: Mapping[str, str]
    fills: Sequence[Fill]
    requests: Counter[tuple[str, str]]


class Books(NamedTuple):
    """What happened between the marks; `mids` are prices by exchange and symbol, `rounds` those of looking up."""

    answers: Sequence[httpx.Response]
    orders: Sequence[Order]
    exchanges: AtExchanges
    findings: Sequence[Mapping[str, Any]]
    rounds: Counter[tuple[str, str]]
    mids: Mapping[tuple[str, str], Decimal]

    def average_price(self, order: Order) -> Decimal:
        """By the exchange's own fills."""
        own = [fill for fill in self.exchanges.fills if fill.client_order_id == order["client_order_id"]]
        return sum((fill.quantity * fill.price for fill in own), Decimal(0)) / sum(fill.quantity for fill in own)


def open_books(lab: Lab, run: Run, folder: Path) -> Books:
    file = _copy(run.service.data / "paper.sqlite", folder)
    with sqlite3.connect(file) as paper:
        paper.row_factory = sqlite3.Row
        at_paper = _at_paper(paper, run)
        mids = {(PAPER, row["symbol"]): Decimal(row["mid"]) for row in paper.execute("SELECT symbol, mid FROM prices")}
    paper.close()
    return Books(
        answers=run.answers,
        orders=run.orders,
        exchanges=_both(at_paper, _at_venue(run)),
        findings=run.findings,
        rounds=Counter(_rounds(lab, run.orders)),
        mids=mids | {(SIMULATED, symbol): mid for symbol, mid in MIDS_AT_VENUE.items()},
    )


def _copy(file: Path, folder: Path) -> Path:
    """The service holds the books locked while it runs; what is committed is in the file and its log."""
    for part in file.parent.glob(f"{file.name}*"):
        shutil.copy(part, folder)
    return folder / file.name


def _both(one: AtExchanges, other: AtExchanges) -> AtExchanges:
    return AtExchanges(
        {**one.quantities, **other.quantities},
        {**one.statuses, **other.statuses},
        [*one.fills, *other.fills],
        one.requests + other.requests,
    )


def _at_paper(books: sqlite3.Connection, run: Run) -> AtExchanges:
    since = (int(run.start.at * 1e9),)
    orders = books.execute("SELECT * FROM orders WHERE created_ns > ?", since).fetchall()
    fills = books.execute(
        "SELECT fills.*, orders.client_order_id FROM fills JOIN orders ON orders.number = fills.order_number"
        " WHERE orders.created_ns > ?",
        since,
    )
    return AtExchanges(
        {order["client_order_id"]: Decimal(order["quantity"]) for order in orders},
        {order["client_order_id"]: order["status"] for order in orders},
        [
            _fill(
                PAPER,
                fill["client_order_id"],
                *(Decimal(fill[key]) for key in ("quantity", "price", "fee")),
                fill["fee_currency"],
            )
            for fill in fills
        ],
        Counter({(PAPER, "accepted"): len(orders)}),
    )


def _at_venue(run: Run) -> AtExchanges:
    own = [event for event in run.venue.events() if event.ts_ns > run.start.at * 1e9 and _is_ours(event, run)]
    placed = [event for event in own if event.kind == "placed"]
    last = {event.client_id or "": event.status for event in own}
    became = Counter(_BECAME.get(hit["fault"]["kind"], "") for hit in run.venue.hits("place"))
    executed = sum(hit["executed"] for hit in run.venue.hits("place") if hit["fault"]["kind"] in _BECAME)
    became["accepted"] = len(placed) - executed
    became["refused"] += sum(event.kind == "refused" for event in own)
    return AtExchanges(
        {event.client_id or "": event.quantity for event in placed},
        {client_id: _STATUSES[status] for client_id, status in last.items()},
        [
            _fill(
                SIMULATED,
                event.client_id or "",
                event.quantity,
                event.price or Decimal(0),
                event.fee,
                event.fee_currency,
            )
            for event in own
            if event.kind == "fill"
        ],
        Counter({(SIMULATED, outcome): count for outcome, count in became.items() if outcome}),
    )


def _is_ours(event: Event, run: Run) -> bool:
    return event.client_id in {order["client_order_id"] for order in run.orders}


def _fill(exchange: str, client_id: str, quantity: Decimal, price: Decimal, fee: Decimal, currency: str) -> Fill:
    return Fill(exchange, client_id, quantity, price, fee if currency == "USDT" else fee * price)


def _rounds(lab: Lab, orders: Sequence[Order]) -> Iterator[tuple[str, str]]:
    """Exchange and result of each round."""
    for order in orders:
        if "IN_DOUBT" in {step["to"] for step in order["transitions"]}:
            trace = lab.jaeger.whole(order["trace_id"], c.SPAN_ORDER_RECONCILE)
            for span in trace.named(c.SPAN_ORDER_RECONCILE):
                yield order["exchange"], span.attributes[c.ATTR_EXCHANGE_OUTCOME]

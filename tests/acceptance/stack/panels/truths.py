"""What each metric behind a panel must have grown by, counted from the books as the telemetry contract says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import NamedTuple

import httpx

from telemetry import conventions as c
from tests.acceptance.stack.panels.books import Books, Order
from tests.acceptance.stack.panels.run import LATE_AFTER_S, PAPER, SIMULATED, SOURCES

_NOT_YET = frozenset({"RECEIVED", "SUBMITTED", "IN_DOUBT"})
"""States in which nobody knows an order's outcome."""
_ENDED = frozenset({"FILLED", "DENIED", "REJECTED", "CANCELED", "EXPIRED", "ABSENT"})
_UNSENT = {"DENIED": "denied", "EXPIRED": "expired", "CANCELED": "canceled"}
_KNOWN = {"REJECTED": "rejected", "ABSENT": "absent"}
_UNAUTHENTICATED = frozenset({"signature", "address", "malformed", "rate_limited"})
_CALL_STATUS = {"accepted": "ok", "refused": "refused", "not_executed": "error", "in_doubt": "in_doubt"}


class Truth(NamedTuple):
    """By `labels`: what a counter grew by, how often a histogram recorded, what a gauge is at the end.

    `only`: of the series with these values; the books know nothing of the others.
    """

    labels: tuple[str, ...]
    values: Mapping[tuple[str, ...], float]
    only: Mapping[str, str] = {}


def _counted(labels: tuple[str, ...], found: Iterable[tuple[str, ...]], **only: str) -> Truth:
    return Truth(labels, Counter(found), only)


def steps(order: Order) -> list[tuple[str | None, str, float]]:
    """From, to, and seconds since the alert was received, of each change."""
    received = datetime.fromisoformat(order["received_at"])
    return [
        (step["from"], step["to"], (datetime.fromisoformat(step["at"]) - received).total_seconds())
        for step in order["transitions"]
    ]


def outcome(order: Order) -> tuple[str, bool]:
    """What an acknowledged order counts as, once, and whether that was known in time."""
    for before, after, age in steps(order):
        if after not in _NOT_YET:
            if age > LATE_AFTER_S:
                break
            unsent = _UNSENT.get(after) if before == "RECEIVED" else None
            return unsent or _KNOWN.get(after, "accepted"), True
    return "unknown", False


def is_sent(order: Order) -> bool:
    return "SUBMITTED" in {after for _, after, _ in steps(order)}


def in_usd(books: Books, order: Order) -> float:
    """What an order was worth when it was sent."""
    return float(Decimal(order["quantity"]) * books.mids[order["exchange"], order["symbol"]])


def is_adverse(books: Books, order: Order) -> bool:
    difference = books.average_price(order) - Decimal(order["arrival_price"])
    return difference >= 0 if order["side"] == "buy" else difference <= 0


def requests(books: Books) -> Iterator[tuple[str, str, httpx.Response]]:
    """Source, reason ("" for none) and the answer to each webhook request."""
    for answer in books.answers:
        path = answer.request.url.path
        if path.startswith("/webhook/"):
            source = path.removeprefix("/webhook/")
            refused = answer.status_code >= httpx.codes.BAD_REQUEST
            yield source if source in SOURCES else "unknown", answer.json()["reason"] if refused else "", answer


def _audit(books: Books) -> Iterator[tuple[str, str]]:
    for _, reason, _ in requests(books):
        if reason not in _UNAUTHENTICATED or reason == "signature":
            yield "authentication", "failure" if reason == "signature" else "success"
    for answer in books.answers:
        asked = answer.request
        if asked.url.path.startswith("/webhook/"):
            continue
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            yield "authentication", "failure"
        elif asked.method in {"POST", "DELETE"}:
            yield "operator_action", "success"


def _filled(books: Books) -> list[Order]:
    return [order for order in books.orders if order["status"] == "FILLED"]


def _failed(books: Books) -> Iterator[tuple[str, str, str]]:
    for order in books.orders:
        if order["status"] in {"DENIED", "REJECTED", "EXPIRED"}:
            yield order["exchange"], order["symbol"], order["reason"]
        elif order["status"] == "ABSENT":
            yield order["exchange"], order["symbol"], "absent"


def _each(books: Books, value: float) -> Truth:
    del books
    return Truth(("exchange",), {(PAPER,): value, (SIMULATED,): value})


def _slippage(books: Books, *, adverse: bool) -> Truth:
    found = [order for order in _filled(books) if is_adverse(books, order) is adverse]
    return _counted(("exchange", "side"), ((order["exchange"], order["side"]) for order in found))


def _fees(books: Books, sign: int) -> Truth:
    total: Counter[tuple[str, ...]] = Counter()
    for fill in books.exchanges.fills:
        total[fill.exchange,] += max(Decimal(0), sign * fill.fee_usd)
    return Truth(("exchange",), {key: float(value) for key, value in total.items()})


TRUTHS: Mapping[c.Instrument, Callable[[Books], Truth]] = {
    c.WEBHOOK_REQUESTS: lambda b: _counted(("source",), ((source,) for source, _, _ in requests(b))),
    c.WEBHOOK_PROCESSING_DURATION: lambda b: _counted(("source",), ((source,) for source, _, _ in requests(b))),
    c.WEBHOOK_VALIDATION_FAILURES: lambda b: _counted(
        ("source", "reason"),
        ((source, reason) for source, reason, _ in requests(b) if reason and reason not in _UNAUTHENTICATED),
    ),
    c.WEBHOOK_SIGNATURE_FAILURES: lambda b: _counted(
        ("source",), ((source,) for source, reason, _ in requests(b) if reason == "signature")
    ),
    c.ALERT_ACKS: lambda b: _counted(("source",), ((source,) for source, reason, _ in requests(b) if not reason)),
    c.RATE_LIMIT_REJECTIONS: lambda b: _counted(
        ("client_ip",),
        ((answer.request.headers["x-forwarded-for"],) for _, reason, answer in requests(b) if reason == "rate_limited"),
    ),
    c.AUDIT_EVENTS: lambda b: _counted(("event_type", "result"), _audit(b)),
    c.ACTIVE_REQUESTS: lambda _: Truth((), {}),
    c.BUILD_INFO: lambda _: Truth(("version",), {(version("fillpath"),): 1}),
    c.ORDER_OUTCOMES: lambda b: _counted(
        ("exchange", "outcome", "on_time"),
        ((order["exchange"], outcome(order)[0], str(outcome(order)[1]).lower()) for order in b.orders),
    ),
    c.PIPELINE_LATENCY: lambda b: _counted((), (() for order in b.orders if outcome(order)[1])),
    c.ORDER_DURATION: lambda b: _counted(
        ("exchange", "order_type"), ((order["exchange"], order["order_type"]) for order in b.orders)
    ),
    c.ORDERS: lambda b: _counted(
        ("exchange", "symbol", "side", "order_type", "status"),
        (
            (order["exchange"], order["symbol"], order["side"], order["order_type"], order["status"])
            for order in b.orders
            if order["status"] in _ENDED
        ),
    ),
    c.ORDER_FAILURES: lambda b: _counted(("exchange", "symbol", "reason"), _failed(b)),
    c.ORDERS_EXPIRED_UNSENT: lambda b: _counted(
        ("exchange", "reason"),
        ((o["exchange"], o["reason"]) for o in b.orders if o["status"] == "EXPIRED" and not is_sent(o)),
    ),
    c.ORDER_SIZE_USD: lambda b: _counted(
        ("exchange", "symbol", "side"), ((o["exchange"], o["symbol"], o["side"]) for o in b.orders if is_sent(o))
    ),
    c.FILL_LATENCY: lambda b: _counted(
        ("exchange", "order_type"), ((order["exchange"], order["order_type"]) for order in _filled(b))
    ),
    c.SLIPPAGE_ADVERSE_BPS: lambda b: _slippage(b, adverse=True),
    c.SLIPPAGE_FAVOURABLE_BPS: lambda b: _slippage(b, adverse=False),
    c.FEES_USD: lambda b: _fees(b, 1),
    c.REBATES_USD: lambda b: _fees(b, -1),
    c.ORDER_ATTEMPTS: lambda b: Truth(("exchange", "outcome"), b.exchanges.requests),
    c.EXCHANGE_API_CALLS: lambda b: Truth(
        ("exchange", "status"),
        {(exchange, _CALL_STATUS[became]): count for (exchange, became), count in b.exchanges.requests.items()},
        {"endpoint": "create_order"},
    ),
    c.EXCHANGE_API_DURATION: lambda b: Truth(
        ("exchange",),
        Counter((exchange,) for exchange, _ in b.exchanges.requests.elements()),
        {"endpoint": "create_order"},
    ),
    c.ORDER_RECONCILIATIONS: lambda b: Truth(("exchange", "outcome"), b.rounds),
    c.RECONCILIATION_FINDINGS: lambda b: _counted(
        ("exchange", "kind"), ((finding["exchange"], finding["kind"]) for finding in b.findings)
    ),
    c.ORDERS_OPEN: lambda b: _counted(
        ("exchange",),
        ((o["exchange"],) for o in b.orders if b.exchanges.statuses.get(o["client_order_id"]) == "ACCEPTED"),
    ),
    c.ORDERS_IN_DOUBT: lambda b: _each(b, 0),
    c.ORDERS_IN_DOUBT_OLDEST: lambda b: _each(b, 0),
    c.CIRCUIT_BREAKER_STATE: lambda b: _each(b, 0),
    c.EXCHANGE_CONNECTIONS: lambda b: _each(b, 1),
}

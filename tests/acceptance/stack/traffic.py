"""Alerts of every kind that a service on the paper exchange can meet, and how many of each."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any, NamedTuple

from tests.acceptance.stack.fillpath import BUY, FINAL, RESTING, Fillpath
from tests.acceptance.stack.waiting import eventually

DUPLICATED = "twice"
STRANGER = {"X-Forwarded-For": "203.0.113.9"}
FAILURES = 10
"""So many failed requests are judged, the next ones are refused unread."""


class Sent(NamedTuple):
    """What came of the traffic: orders as the service shows them."""

    filled: list[dict[str, Any]]
    canceled: list[dict[str, Any]]
    denied: dict[str, Any]


def vary(service: Fillpath) -> Sent:
    """Orders filled, denied and canceled, and every kind of refusal, each answered as it should be."""
    filled = [
        service.filled(BUY, alert_id=DUPLICATED),
        service.filled({"symbol": "ETH-USDT", "side": "BUY", "quantity": "0.2"}),
        service.filled({"symbol": "BTC/USDT", "side": "sell", "quantity": "0.005"}),
        service.filled({"symbol": "BTC/USDT", "side": "buy", "equity_percent": "1"}),
        service.filled(BUY | {"order_type": "limit", "price": "63000"}),
        service.filled(BUY | {"confidence": "NaN"}, source="tradingview"),
    ]
    assert service.send(BUY, alert_id=DUPLICATED).status_code in {200, 202}
    refuse(service, DUPLICATED)
    _flood(service)
    denied = service.send(BUY | {"quantity": "900"}).json()
    rested = [
        *_beside_the_market(service),
        _canceled(service, service.send(RESTING).json()),
    ]
    return Sent(
        [*filled, *(order for order in rested if order["status"] == "FILLED")],
        [order for order in rested if order["status"] == "CANCELED"],
        denied,
    )


def _beside_the_market(service: Fillpath) -> list[dict[str, Any]]:
    """Limits better than the market, one of which at least is filled, favourably, as the price moves."""
    resting = service.send(RESTING).json()
    market = Decimal(_canceled(service, resting)["arrival_price"])
    # Far enough for a price that moves while they are on their way, near enough to be reached in seconds.
    prices = {"buy": market * Decimal("0.9990"), "sell": market * Decimal("1.0010")}
    sent = [
        service.send(BUY | {"side": side, "quantity": "0.001", "order_type": "limit", "price": f"{price:.2f}"}).json()
        for side, price in prices.items()
    ]
    eventually(lambda: any(service.order(order["order_id"])["status"] == "FILLED" for order in sent))
    return [_canceled(service, order) for order in (resting, *sent)]


def _canceled(service: Fillpath, order: dict[str, Any]) -> dict[str, Any]:
    """The order once it has ended, by this cancel or before."""
    service.cancel(order["order_id"])
    return service.becomes(order["order_id"], *FINAL)


def refuse(service: Fillpath, used: str) -> None:
    """One alert for each refusal that needs one, answered as it should be; `used` is the id of an alert for BUY."""
    answers = {
        "key_reused": service.send(BUY | {"quantity": "0.02"}, alert_id=used),
        "stale": service.send(BUY | {"timestamp": int(time.time()) - 4000}),
        "low_confidence": service.send(BUY | {"confidence": "0.1"}),
        "invalid_field": service.send(BUY | {"order_type": "limit"}),
        "unknown_field": service.send(BUY | {"leverage": "3"}),
        "unknown_symbol": service.send(BUY | {"symbol": "NOSUCH/USDT"}),
        "address": service.send(BUY, source="elsewhere"),
    }
    for reason, answer in answers.items():
        assert answer.json()["reason"] == reason, answer.text
    unknown = service.http.post(f"{service.public}/webhook/nobody", json=BUY)
    assert unknown.status_code == 401, unknown.text
    forbidden = service.http.get(f"{service.operator}/orders")
    assert forbidden.status_code == 401, forbidden.text


def _flood(service: Fillpath) -> None:
    """More failed requests from one address than it may send."""
    wrong = service.secrets["hex"][::-1]
    answers = [service.send(BUY, source="hex", secret=wrong, headers=STRANGER) for _ in range(FAILURES + 2)]
    reasons = [answer.json()["reason"] for answer in answers]
    assert reasons[:FAILURES] == ["signature"] * FAILURES
    assert reasons[-1] == "rate_limited"

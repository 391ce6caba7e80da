"""The mixed run that the dashboards are proven on: every kind of traffic and trouble, within one life of a service.

It trades at the paper exchange and at a simulated one. Prices stand still, so that what an order was worth is known.
What shows in a rate happens twice, further apart than a scrape, or once before the run: a series by symbol begins
with its first event, and Prometheus sees no growth in that.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

from tests.acceptance.stack.fillpath import BUY, FINAL, Fillpath
from tests.acceptance.stack.lab import EXPORT_S, SCRAPE_S, Lab
from tests.acceptance.stack.traffic import refuse
from tests.acceptance.stack.venue import LOOKING, NAME, Venue
from tests.acceptance.stack.waiting import eventually

PAPER, SIMULATED = "paper", NAME
CONFIGURATION = """
[server]
trusted_proxies = ["127.0.0.1"]

[paper]
accounts = ["paper-1"]
volatility = 0.0

[execution]
request_timeout = 5
reconcile_max_delay = 3
breaker_failures = 8
breaker_open = 2

[sources.default]
auth = "standard"
accounts = ["paper-1", "main"]
rate = 2000
burst = 4000

[sources.tradingview]
auth = "token"
accounts = ["paper-1"]
addresses = ["127.0.0.1"]

[sources.hex]
auth = "hmac"
accounts = ["paper-1"]

[sources.elsewhere]
auth = "standard"
accounts = ["paper-1"]
addresses = ["10.1.2.0/24"]

[exchanges.binance]
id = "binance"
api_url = "{address}"
symbols = ["BTC/USDT", "ETH/USDT"]

[exchanges.binance.accounts.main]
market_type = "spot"
"""
SOURCES = ("default", "tradingview", "hex", "elsewhere")

AT_VENUE = {"account": "main"}
BTC = {**BUY, **AT_VENUE}
ETH = {"symbol": "ETH/USDT", "side": "buy", "quantity": "0.4", **AT_VENUE}
RESTING = {"order_type": "limit", "price": "48000"}
_USUAL_PRICE, _FALLEN_PRICE = ("50000", "50001"), ("47998", "47999")

MIDS_AT_VENUE = {"BTC/USDT": Decimal("50000.5"), "ETH/USDT": Decimal("2500.05")}

STRANGERS = ({"X-Forwarded-For": "203.0.113.9"}, {"X-Forwarded-For": "203.0.113.10"})
LATE_AFTER_S = 30.0
"""An order without a known outcome counts as late from then on."""


class Mark(NamedTuple):
    """A moment at which nothing is on its way: Unix seconds, and how many answers the sender had."""

    at: float
    answers: int


class Run(NamedTuple):
    """`orders` are all that came in between the marks, as the operator's interface shows them at the end."""

    service: Fillpath
    venue: Venue
    start: Mark
    end: Mark
    orders: Sequence[Mapping[str, Any]]
    findings: Sequence[Mapping[str, Any]]

    @property
    def answers(self) -> Sequence[httpx.Response]:
        """What the sender was answered between the marks."""
        return self.service.answers[self.start.answers : self.end.answers]


def configuration(venue: Venue) -> str:
    return CONFIGURATION.format(address=venue.address)


def trade(lab: Lab, service: Fillpath, venue: Venue) -> Run:
    """All of it, on a service that has just been started."""
    eventually(lambda: service.send(BTC, wait=None).status_code == httpx.codes.ACCEPTED, within=90)
    eventually(lambda: all(order["status"] in FINAL for order in service.orders()))
    service.send(BUY, source="hex", secret=service.secrets["hex"][::-1])
    start = _mark(lab, service)
    lost = _lose(service, venue)
    for number, stranger in enumerate(STRANGERS):
        _at_paper(service, f"twice-{number}")
        _at_venue(service, venue)
        _flood(service, stranger)
        if number == 0:
            _wait_for_a_scrape(time.time())
    assert lab.prometheus.value(f'execution_orders_in_doubt{{instance="{service.instance}",exchange="{SIMULATED}"}}')
    _break_off(service, venue)
    _find(service, venue, lost)
    service.filled(ETH)
    service.filled(ETH | {"side": "sell"})
    _left_at_venue(service, venue)
    findings = service.compare()
    end = _mark(lab, service)
    orders = [order for order in service.orders() if _received(order) > start.at]
    return Run(service, venue, start, end, orders, findings)


def _mark(lab: Lab, service: Fillpath) -> Mark:
    lab.until_scraped(service)
    return Mark(time.time(), len(service.answers))


def _received(order: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(order["received_at"]).timestamp()


def _wait_for_a_scrape(since: float) -> None:
    """Until what was counted by then is in Prometheus, apart from what comes next."""
    eventually(lambda: time.time() - since > EXPORT_S + SCRAPE_S)


def _breaker(service: Fillpath) -> str:
    return str(service.status()["exchanges"][SIMULATED]["circuit_breaker"])


def _at_paper(service: Fillpath, alert_id: str) -> None:
    """Orders that are filled, canceled, denied; alerts that are replayed or refused."""
    service.filled(BUY, alert_id=alert_id)
    service.send(BUY, alert_id=alert_id)
    service.filled({"symbol": "ETH-USDT", "side": "BUY", "quantity": "0.2"})
    service.filled({"symbol": "BTC/USDT", "side": "sell", "quantity": "0.005"})
    service.filled(BUY | {"confidence": "NaN"}, source="tradingview")
    assert service.send(BUY | {"quantity": "900"}).json()["status"] == "DENIED"
    _canceled(service, service.send(BUY | RESTING).json())
    refuse(service, alert_id)


def _at_venue(service: Fillpath, venue: Venue) -> None:
    """Orders that are filled at once, later, in part or not at all; refused; tried again after a rate limit; looked up
    because their answer was lost.
    """
    service.filled(BTC)
    service.filled(BTC | {"side": "sell", "quantity": "0.02"})
    service.filled(BTC | {"order_type": "limit", "price": "50500"})
    venue.fail("place", "rejected")
    assert service.send(BTC).json()["status"] == "REJECTED"
    venue.fail("place", "rate_limited", status=429, retry_after=1)
    service.filled(BTC)
    venue.fail("place", "close", after=True)
    service.filled(BTC)
    venue.fail("place", "plan", after=True, plan={"parts": [["0.5", 0]], "then": "rest"})
    _canceled(service, service.send(BTC).json())
    waiting = service.send(BTC | RESTING).json()
    service.becomes(waiting["order_id"], "ACCEPTED")
    venue.price("BTCUSDT", *_FALLEN_PRICE)
    service.becomes(waiting["order_id"], "FILLED")
    venue.price("BTCUSDT", *_USUAL_PRICE)
    far = BTC | {"order_type": "limit", "price": "70000"}
    eventually(lambda: Decimal(service.send(far).json()["market_price"]) == Decimal(_USUAL_PRICE[1]))


def _canceled(service: Fillpath, order: Mapping[str, Any]) -> None:
    service.cancel(order["order_id"])
    service.becomes(order["order_id"], "CANCELED")


def _flood(service: Fillpath, stranger: Mapping[str, str]) -> None:
    """Failed requests from one address, until some were refused unread for more than a second.

    Traces of such requests are sampled, at so many a second.
    """
    first_at: float | None = None

    def refused_for_long() -> bool:
        nonlocal first_at
        answer = service.send(BUY, source="hex", secret=service.secrets["hex"][::-1], headers=stranger)
        if first_at is None and answer.json()["reason"] == "rate_limited":
            first_at = time.monotonic()
        return first_at is not None and time.monotonic() - first_at > 1

    eventually(refused_for_long, every=0.02)


def _lose(service: Fillpath, venue: Venue) -> Mapping[str, Any]:
    """An order that never arrives, and whose look-ups fail until `_find`."""
    venue.fail("place", "close")
    order: Mapping[str, Any] = service.send(ETH, wait=None).json()
    service.becomes(order["order_id"], "IN_DOUBT")
    venue.fail("look_up", "status", status=503, count=1_000, client_id=order["client_order_id"])
    return order


def _find(service: Fillpath, venue: Venue, lost: Mapping[str, Any]) -> None:
    """Once it is late: that it is not there."""
    received = _received(service.order(lost["order_id"]))
    eventually(lambda: time.time() - received > LATE_AFTER_S + 1)
    venue.mend()
    service.becomes(lost["order_id"], "ABSENT")
    eventually(lambda: _breaker(service) == "closed")


def _break_off(service: Fillpath, venue: Venue) -> None:
    """So many reads fail that the circuit breaker opens, and an entry expires."""
    for endpoint in ("balances", *LOOKING):
        venue.fail(endpoint, "status", status=503, count=1_000)
    assert service.send(BTC).json()["reason"] == "breaker_open"


def _left_at_venue(service: Fillpath, venue: Venue) -> None:
    """One order of ours that rests, and one of somebody else's."""
    waiting = service.send(BTC | RESTING).json()
    service.becomes(waiting["order_id"], "ACCEPTED")
    venue.place_by_hand("BTCUSDT", "buy", "0.1", "40000")

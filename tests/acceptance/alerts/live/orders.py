"""What exchanges do wrong, and what comes of the orders meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

from tests.acceptance.alerts.live.desks import Desks
from tests.acceptance.alerts.live.scenario import Expected, Fault, Scenario, Track
from tests.acceptance.alerts.live.senders import again_and_again
from tests.acceptance.alerts.live.venues import DEAF, SILENT
from tests.simulator import faults
from tests.simulator.faults import Endpoint
from tests.simulator.model import SimOrder

BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.001"}
SYMBOLS = {"BTC/USDT": "0.001", "ETH/USDT": "0.02"}
SLOW_S = 6.0
SKEW_MS = 5_000

_ABOVE_THE_BALANCE = {"symbol": "BTC/USDT", "side": "buy", "quantity": "900", "account": "paper-1"}


def _trade(desks: Desks, job: str, alert: Mapping[str, Any]) -> str:
    """The order id of an acknowledged alert."""
    answer = desks[job].send(alert, wait=None)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["order_id"])


def _failing(job: str, venue: str, wrong: Mapping[Endpoint, faults.Fault], *, every: float = 1.0) -> Fault:
    """The exchange answers so while an order a second goes there."""

    @contextlib.contextmanager
    def fault(desks: Desks) -> Iterator[None]:
        alert = BUY | {"account": f"{venue}1"}
        with (
            desks.venues.failing(venue, wrong),
            again_and_again(lambda: desks[job].send(alert, wait=None), every=every),
        ):
            yield

    return fault


def _slow(desks: Desks) -> AbstractContextManager[None]:
    return _on_every_lane(desks, "sluggish", {"place": faults.delay(SLOW_S)}, every=3.0)


@contextlib.contextmanager
def _on_every_lane(
    desks: Desks, venue: str, wrong: Mapping[Endpoint, faults.Fault], *, every: float | None = None
) -> Iterator[None]:
    """Orders over two accounts and two markets, once or again and again: none of them waits for another."""

    def send() -> None:
        for account in (f"{venue}1", f"{venue}2"):
            for symbol, quantity in SYMBOLS.items():
                _trade(desks, "deep", BUY | {"symbol": symbol, "quantity": quantity, "account": account})

    with contextlib.ExitStack() as stack:
        stack.enter_context(desks.venues.failing(venue, wrong))
        if every is None:
            send()
        else:
            stack.enter_context(again_and_again(send, every=every))
        yield


def _doubtful(desks: Desks) -> AbstractContextManager[None]:
    return _on_every_lane(desks, "doubtful", {**SILENT, "place": faults.close_after()})


@contextlib.contextmanager
def _lost(desks: Desks) -> Iterator[None]:
    with desks.venues.failing("forgetful", {"place": faults.close_before()}):
        desks["fast"].becomes(_trade(desks, "fast", BUY | {"account": "forgetful1"}), "IN_DOUBT", "ABSENT")
        yield


@contextlib.contextmanager
def _stalled(desks: Desks) -> Iterator[None]:
    with desks.venues.failing("stalled", {"balances": faults.status_before(503)}):
        order_id = _trade(desks, "deep", BUY | {"side": "sell", "account": "stalled1"})
        yield
    desks["deep"].becomes(order_id, "FILLED")


@contextlib.contextmanager
def _skewed(desks: Desks) -> Iterator[None]:
    with desks.venues.clock_off("skewed", SKEW_MS):
        yield


@contextlib.contextmanager
def _delivered_again(desks: Desks) -> Iterator[None]:
    """A request that arrives a second time, long after its order was canceled: the exchange takes it again."""
    fast = desks["fast"]
    resting = BUY | {"order_type": "limit", "price": "30000", "account": "shared1"}
    order_id = _trade(desks, "fast", resting)
    client_id = str(fast.becomes(order_id, "ACCEPTED")["client_order_id"])
    fast.cancel(order_id)
    fast.becomes(order_id, "CANCELED")
    twin = desks.venues.at(
        "shared",
        lambda engine: engine.place(
            "BTCUSDT", "buy", "limit", Decimal("0.001"), price=Decimal(30000), client_id=client_id
        ),
    )
    assert isinstance(twin, SimOrder), twin
    _compare(desks)
    try:
        yield
    finally:
        desks.venues.at("shared", lambda engine: engine.cancel(order_id=twin.id))
        _compare(desks)


def _compare(desks: Desks) -> None:
    done = desks["fast"].fillpath("findings", "--compare")
    assert "Traceback" not in done.stderr, done.stderr


@contextlib.contextmanager
def _away(desks: Desks) -> Iterator[None]:
    with desks.venues.away("only"):
        yield


def _denied(desks: Desks) -> AbstractContextManager[None]:
    return again_and_again(lambda: _trade(desks, "alone", _ABOVE_THE_BALANCE), every=1.0)


def _expect(job: str, rule: str, variant: str = "", **labels: str) -> Expected:
    return Expected(rule=rule, variant=variant, labels={"job": job, **labels})


TRACKS: tuple[Track, ...] = (
    (
        Scenario(
            story="the exchange answers every read with 503 while entries go there: the breaker opens, and stops them",
            fault=_failing("fast", "shaky", DEAF),
            fires=(
                _expect("fast", "ExchangeAPIErrors", exchange="shaky"),
                _expect("fast", "CircuitBreakerOpen", exchange="shaky"),
                _expect("fast", "OrdersExpired", exchange="shaky"),
                _expect("fast", "HighCircuitBreakerRejections", exchange="shaky"),
            ),
        ),
    ),
    (
        Scenario(
            story="the exchange answers orders with 429",
            fault=_failing("fast", "limiting", {"place": faults.rate_limited(0.5)}),
            fires=(_expect("fast", "ExchangeRateLimitHit", exchange="limiting"),),
        ),
    ),
    (
        Scenario(
            story="the exchange rejects every order",
            fault=_failing("fast", "refusing", {"place": faults.rejected_200()}, every=2.0),
            fires=(_expect("fast", "HighOrderFailureRate", exchange="refusing"),),
        ),
    ),
    (
        Scenario(
            story=f"the exchange takes {SLOW_S:g} s for each order",
            fault=_slow,
            fires=(
                _expect("deep", "SlowOrderExecution", exchange="sluggish"),
                _expect("deep", "HighPipelineLatency"),
            ),
        ),
    ),
    (
        Scenario(
            story="four orders are executed and their answers are lost; no look-up is answered for more than a minute",
            fault=_doubtful,
            fires=(
                _expect("deep", "OrderOutcomesBudgetBurn", "1h"),
                _expect("deep", "OrderOutcomesBudgetBurn", "6h"),
                _expect("deep", "OrdersInDoubt", exchange="doubtful"),
            ),
            fires_within=120,
        ),
    ),
    (
        Scenario(
            story="the connection is closed before the exchange has read the order, which is then nowhere to be found",
            fault=_lost,
            fires=(_expect("fast", "OrdersAbsent", exchange="forgetful"),),
        ),
    ),
    (
        Scenario(
            story="the exchange answers 503 to every request for balances while an exit waits for its size",
            fault=_stalled,
            fires=(_expect("deep", "AcknowledgedNotExecuted"),),
            fires_within=120,
        ),
    ),
    (
        Scenario(
            story=f"the exchange's clock is {SKEW_MS / 1000:g} s ahead",
            fault=_skewed,
            fires=(_expect("fast", "ClockSkew", exchange="skewed"),),
            fires_within=90,
        ),
    ),
    (
        Scenario(
            story="a canceled order's request arrives at the exchange a second time, and is taken",
            fault=_delivered_again,
            fires=(_expect("fast", "ExchangeMismatch", exchange="shared", kind="missing_in_journal"),),
        ),
    ),
    (
        Scenario(
            story="the only exchange beside paper refuses connections",
            fault=_away,
            fires=(_expect("alone", "NoExchangeConnections"),),
            fires_within=150,
        ),
    ),
    (
        Scenario(
            story="orders above the paper account's balance, one a second, and no other",
            fault=_denied,
            fires=(_expect("alone", "NoOrdersExecuted"),),
        ),
    ),
)

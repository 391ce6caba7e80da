"""Calls to one exchange, each with its span, its metrics and its word for the circuit breaker."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AbstractContextManager
from time import time_ns
from typing import TypeVar

from service.bounded import SameTime
from service.clock import Clock
from service.core.breaker import Breaker, BreakerState
from service.core.markets import Balance, Position, Quote
from service.core.orders import Trade
from service.core.outcomes import (
    Accepted,
    Found,
    InDoubt,
    LookUp,
    NotExecuted,
    NotFound,
    OrderReport,
    Outcome,
    Refused,
    Unanswered,
)
from service.exchanges.protocol import CancelOutcome, Exchange, ExchangeUnavailable, OrderRef, OrderRequest, Priority
from service.execution import attributes as of
from telemetry import conventions as c
from telemetry.facade import Attributes, Span, Telemetry

log = logging.getLogger(__name__)

T = TypeVar("T")

_WRITES = frozenset({"create_order", "cancel_order"})
_ANSWERED = frozenset({"ok", "refused"})
_PASSING = frozenset({"clock_skew", "rate_limited"})
"""Causes that say nothing about the exchange's health."""


class ExchangeCalls:
    """One exchange as the execution sees it.

    `timeout` (seconds) bounds each call; a `create_order` or `cancel_order` that runs into it is in doubt.
    """

    def __init__(
        self, exchange: Exchange, telemetry: Telemetry, clock: Clock, breaker: Breaker, *, timeout: float
    ) -> None:
        self.exchange = exchange
        self.breaker = breaker
        self.answered_ns: int | None = None
        self.clock_skew = 0.0
        self._telemetry = telemetry
        self._clock = clock
        self._bounded = SameTime(timeout)
        self._calls = telemetry.counters(c.EXCHANGE_API_CALLS, "endpoint", "status", exchange=exchange.name)
        self._durations = telemetry.histograms(c.EXCHANGE_API_DURATION, "endpoint", exchange=exchange.name)
        self._attempts = telemetry.counters(c.ORDER_ATTEMPTS, "outcome", exchange=exchange.name)

    @property
    def name(self) -> str:
        return self.exchange.name

    def allows_entry(self) -> bool:
        return self.breaker.allows_entry(self._seconds())

    def advance_breaker(self) -> None:
        """Count an open breaker's half-opening where its time is over."""
        self._note_transition(self.breaker.advance(self._seconds()))

    def breaker_state(self) -> BreakerState:
        return self.breaker.state(self._seconds())

    async def slot(self, account: str, priority: Priority, attributes: Attributes) -> None:
        began_ns = time_ns()
        try:
            await self.exchange.slot(account, priority)
        except BaseException as error:  # the wait was given up, or an adapter's defect: passed on
            self._telemetry.step(c.SPAN_EXCHANGE_LIMIT, began_ns, attributes, error=error)
            raise
        self._telemetry.step(c.SPAN_EXCHANGE_LIMIT, began_ns, attributes)

    async def create_order(self, request: OrderRequest, attributes: Attributes, *, attempt: int) -> Outcome:
        """One attempt; whatever goes wrong in it is an outcome."""
        endpoint = "create_order"
        with self._span(endpoint, attributes) as span:
            span.set(of.call(endpoint, attempt))
            started = self._clock.monotonic_ns()
            outcome: Outcome
            try:
                outcome = await self._bounded.within(self.exchange.create_order(request))
            except TimeoutError:
                outcome = InDoubt(cause="timeout")
            except Exception as error:  # whatever an adapter lets through, the order may have been executed
                log.exception("create_order raised", extra=_order_of(attributes))
                outcome = InDoubt(cause=f"adapter error {type(error).__name__}")
            label = _outcome_label(outcome)
            sent = not isinstance(outcome, NotExecuted) or outcome.cause in _PASSING
            span.set(of.answer(label, sent=sent))
            self._account_for(endpoint, started, outcome, span)
            self._attempts[label].add()
            return outcome

    async def cancel_order(self, ref: OrderRef, attributes: Attributes) -> CancelOutcome:
        endpoint = "cancel_order"
        with self._span(endpoint, attributes) as span:
            span.set(of.call(endpoint))
            started = self._clock.monotonic_ns()
            outcome: CancelOutcome
            try:
                outcome = await self._bounded.within(self.exchange.cancel_order(ref))
            except TimeoutError:
                outcome = InDoubt(cause="timeout")
            except Exception as error:  # as for create_order: the cancel may have happened
                log.exception("cancel_order raised", extra=_order_of(attributes))
                outcome = InDoubt(cause=f"adapter error {type(error).__name__}")
            span.set({c.ATTR_EXCHANGE_OUTCOME: _outcome_label(outcome)})
            self._account_for(endpoint, started, outcome, span)
            return outcome

    async def look_up(self, ref: OrderRef, attributes: Attributes, *, poll: bool = False) -> Found | NotFound | None:
        """None where the look-up gave no answer: it says nothing about the order. A poll leaves metrics, no span."""
        if poll:
            return await self._look_up(ref, attributes, None)
        with self._span("look_up", attributes) as span:
            span.set(of.call("look_up"))
            return await self._look_up(ref, attributes, span)

    async def _look_up(self, ref: OrderRef, attributes: Attributes, span: Span | None) -> Found | NotFound | None:
        started = self._clock.monotonic_ns()
        result: LookUp
        try:
            result = await self._bounded.within(self.exchange.look_up(ref))
        except TimeoutError:
            result = Unanswered(cause="timeout")
        except Exception as error:  # an adapter's defect must not end the search for an order
            log.exception("look_up raised", extra=_order_of(attributes))
            result = Unanswered(cause=f"adapter error {type(error).__name__}")
        self._account_for("look_up", started, result, span)
        return None if isinstance(result, Unanswered) else result

    async def fetch_balances(self, account: str, attributes: Attributes | None) -> Mapping[str, Balance]:
        return await self._read("fetch_balances", self.exchange.fetch_balances(account), attributes)

    async def fetch_positions(self, account: str, attributes: Attributes | None) -> Mapping[str, Position]:
        return await self._read("fetch_positions", self.exchange.fetch_positions(account), attributes)

    async def fetch_quote(self, symbol: str, attributes: Attributes) -> Quote:
        return await self._read("fetch_quote", self.exchange.fetch_quote(symbol), attributes)

    async def open_orders(self, account: str) -> Sequence[OrderReport]:
        return await self._read("open_orders", self.exchange.open_orders(account), None)

    async def fills_since(self, account: str, symbols: Sequence[str], since_ns: int) -> Sequence[Trade]:
        return await self._read("fills_since", self.exchange.fills_since(account, symbols, since_ns), None)

    async def fetch_time(self) -> int:
        return await self._read("fetch_time", self.exchange.fetch_time(), None)

    async def _read(self, endpoint: str, call: Awaitable[T], attributes: Attributes | None) -> T:
        """A read; raises ExchangeUnavailable. Polls (no attributes) leave metrics, no span."""
        started = self._clock.monotonic_ns()
        if attributes is None:
            return await self._answer(endpoint, call, started, None)
        with self._span(endpoint, attributes) as span:
            span.set(of.call(endpoint))
            return await self._answer(endpoint, call, started, span)

    async def _answer(self, endpoint: str, call: Awaitable[T], started: int, span: Span | None) -> T:
        try:
            result = await self._bounded.within(call)
        except (TimeoutError, ExchangeUnavailable) as error:
            cause = "timeout" if isinstance(error, TimeoutError) else "transport"
            self._account_for(endpoint, started, Unanswered(cause=cause), span)
            raise ExchangeUnavailable(f"{self.name}: {endpoint} got no answer: {str(error) or cause}") from error
        self._account_for(endpoint, started, None, span)
        return result

    def _span(self, endpoint: str, attributes: Attributes) -> AbstractContextManager[Span]:
        return self._telemetry.span(c.exchange_span_name(endpoint), attributes)

    def _account_for(
        self, endpoint: str, started_ns: int, outcome: Outcome | CancelOutcome | LookUp | None, span: Span | None
    ) -> None:
        now_ns = self._clock.monotonic_ns()
        seconds = (now_ns - started_ns) / 1e9
        status, error_type = _status(outcome)
        self._calls[endpoint, status].add()
        self._durations[endpoint].record(seconds)
        if error_type is not None:
            self._telemetry.add(c.EXCHANGE_ERRORS, exchange=self.name, error_type=error_type)
            if span is not None and status != "refused":
                span.fail(error_type)
        if error_type == "rate_limited":
            self._telemetry.add(c.EXCHANGE_RATE_LIMITS, exchange=self.name)
        self._note_transition(self.breaker.advance(now_ns / 1e9))
        if status in _ANSWERED:
            self.answered_ns = now_ns
            self._note_transition(self.breaker.on_success(now_ns / 1e9, write=endpoint in _WRITES))
        elif error_type not in _PASSING:
            self._note_transition(self.breaker.on_failure(now_ns / 1e9, write=endpoint in _WRITES))

    def _note_transition(self, transition: tuple[BreakerState, BreakerState] | None) -> None:
        if transition is None:
            return
        before, after = (state.name.lower() for state in transition)
        log.warning("circuit breaker %s -> %s", before, after, extra={"exchange": self.name})
        self._telemetry.add(c.CIRCUIT_BREAKER_TRANSITIONS, exchange=self.name, from_state=before, to_state=after)

    def _seconds(self) -> float:
        return self._clock.monotonic_ns() / 1e9


def _order_of(attributes: Attributes) -> dict[str, object]:
    """What a log line about an order carries."""
    return {
        "order_id": attributes[c.ATTR_ORDER_ID],
        "client_order_id": attributes.get(c.ATTR_ORDER_CLIENT_ORDER_ID),
    }


def _outcome_label(outcome: Outcome | CancelOutcome) -> str:
    match outcome:
        case Accepted() | OrderReport():
            return "accepted"
        case Refused():
            return "refused"
        case NotExecuted():
            return "not_executed"
        case InDoubt():
            return "in_doubt"


def _status(outcome: Outcome | CancelOutcome | LookUp | None) -> tuple[str, str | None]:
    """The `status` and `error_type` labels of a call that ended so."""
    match outcome:
        case Refused():
            return "refused", "refused"
        case NotExecuted(cause=cause):
            return "error", cause if cause in _PASSING else "transport"
        case InDoubt(cause=cause):
            return "in_doubt", "timeout" if cause == "timeout" else "transport"
        case Unanswered(cause=cause):
            return "error", "timeout" if cause == "timeout" else "transport"
        case _:
            return "ok", None

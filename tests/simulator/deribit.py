"""Deribit's linear USDC perpetual: its methods over GET, signatures, codes and words.

Source: https://docs.deribit.com (trading, account management, market data, errors). What clients trip over is kept:
orders are placed by GET; a `label` is no key, so that a used one is accepted again, and a look-up by it answers a list,
empty for an unknown one and for another currency than the instrument settles in; `amount` counts base units, whatever
`contract_size` says; a position's `size` is in quote, only `size_currency` is base units; a history leaves out what was
never filled and lists of trades have ten rows unless asked for more. Errors are HTTP 400. A timestamp may be 60 seconds
old; the documents name no code for an older one, so it is the one of a bad signature. Trigger orders are not simulated.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import ClassVar, NamedTuple

from tests.simulator import deribit_shapes as shapes
from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint
from tests.simulator.http import Answer, Request
from tests.simulator.model import Instrument, RejectCode, Rejection, Side, SimOrder, SimPosition, SimTrade, TimeInForce
from tests.simulator.venue import Venue, retry_after_header

_SCHEME = "deri-hmac-sha256 "
_TOLERANCE_MS = 60_000
_MAX_LABEL = 64
_CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "EURR")

INSTRUMENTS = (
    Instrument(
        symbol="BTC_USDC-PERPETUAL",
        base="BTC",
        quote="USDC",
        kind="swap",
        tick=Decimal("0.1"),
        step=Decimal("0.0001"),
        min_qty=Decimal("0.0001"),
        max_qty=Decimal(1000),
        min_notional=Decimal(0),
        taker_fee=Decimal("0.0005"),
        maker_fee=Decimal("0.0001"),
    ),
)
PRICES = {"BTC_USDC-PERPETUAL": ("50000", "50000.1")}
FUNDS = {"USDC": Decimal(100_000)}

_INVALID = (-32602, "Invalid params")

_REFUSALS: Mapping[RejectCode, tuple[int, str]] = {
    RejectCode.INSUFFICIENT_FUNDS: (10009, "not_enough_funds"),
    RejectCode.REDUCE_ONLY: (11030, "other_reject invalid_reduce_only_order"),
    RejectCode.POST_ONLY: (11054, "post_only_reject"),
    RejectCode.NO_PRICE: (10012, "book_closed"),
    RejectCode.UNKNOWN_ORDER: (11044, "not_open_order"),
}

_REASONS = {
    RejectCode.UNKNOWN_SYMBOL: ("instrument not found", "instrument_name"),
    RejectCode.INVALID_QUANTITY: ("must be a multiple of the minimum order size", "amount"),
    RejectCode.INVALID_PRICE: ("must conform to tick size", "price"),
    RejectCode.MIN_NOTIONAL: ("too small", "amount"),
}

_TIMES_IN_FORCE: Mapping[str, TimeInForce] = {
    "good_til_cancelled": "gtc",
    "immediate_or_cancel": "ioc",
    "fill_or_kill": "fok",
}

Params = Mapping[str, str]


class _Failed(Exception):  # noqa: N818 - named for what is the case
    def __init__(self, code: int, message: str, *, reason: str = "", param: str = "") -> None:
        super().__init__(message)
        data = {name: text for name, text in (("reason", reason), ("param", param)) if text}
        self.error = {"code": code, "message": message} | ({"data": data} if data else {})


class DeribitLinear(Venue):
    """One account; without an engine it gets one with prices and funds."""

    name: ClassVar[str] = "deribit"
    ccxt_id: ClassVar[str] = "deribit"

    def __init__(self, engine: Engine | None = None, instruments: Iterable[Instrument] = INSTRUMENTS) -> None:
        if engine is None:
            engine = Engine(instruments, used_ids="accepted", funds=FUNDS, order_id=lambda count: f"USDC-{count}")
            for symbol, (bid, ask) in PRICES.items():
                if symbol in engine.instruments:
                    engine.set_price(symbol, bid, ask)
        super().__init__(engine)

    def endpoint(self, request: Request) -> Endpoint:
        route = _ROUTES.get(request.path)
        return "other" if route is None else route.endpoint

    def client_id(self, request: Request) -> str | None:
        return request.params().get("label") or None

    def answer(self, request: Request) -> Answer:
        route = _ROUTES.get(request.path)
        try:
            if route is None or request.method != "GET":
                return self._error(_Failed(-32601, "Method not found"))
            if request.path.startswith(_PRIVATE):
                self._authenticate(request)
            return self._answer({"result": route.handler(self, request.params())})
        except _Failed as failed:
            return self._error(failed)

    def rate_limited(self, request: Request, retry_after: float | None, *, banned: bool) -> Answer:
        """It has no second code for an address that goes on."""
        answer = self._error(_Failed(10028, "too_many_requests"))
        return Answer(status=429, body=answer.body, headers=retry_after_header(retry_after))

    def unknown_status(self, request: Request) -> Answer:
        return self._error(_Failed(11094, "internal_server_error"))

    def rejected(self, request: Request) -> Answer:
        order = shapes.rejected_order(request.params(), self.now_ms())
        return self._answer({"result": {"order": order, "trades": []}})

    def refusal(self, rejection: Rejection, request: Request) -> Answer:
        return self._error(_failure(rejection))

    def without_order_id(self, answer: Answer) -> Answer:
        result = answer.body.get("result", {})
        if "order" not in result:
            return answer
        order = {name: value for name, value in result["order"].items() if name != "order_id"}
        without = {"order": order, "trades": []}
        return Answer(status=answer.status, body={**answer.body, "result": without})

    def _answer(self, content: Mapping[str, object], status: int = 200) -> Answer:
        now_us = self.now_ms() * 1000
        times = {"usIn": now_us, "usOut": now_us + 100, "usDiff": 100, "testnet": False}
        return Answer(status=status, body={"jsonrpc": "2.0", **content, **times})

    def _error(self, failed: _Failed) -> Answer:
        return self._answer({"error": failed.error}, status=400)

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not given.startswith(_SCHEME):
            raise _Failed(13009, "unauthorized", reason="invalid_token")
        fields = dict(part.partition("=")[::2] for part in given.removeprefix(_SCHEME).split(","))
        if fields.get("id") != self.api_key:
            raise _Failed(13004, "invalid_credentials")
        stamp, nonce = fields.get("ts", ""), fields.get("nonce", "")
        signed = f"{stamp}\n{nonce}\n{request.method}\n{request.target}\n{request.body.decode()}\n"
        digest = hmac.new(self.api_secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(digest, fields.get("sig", "")):
            raise _Failed(13009, "unauthorized", reason="invalid signature")
        if not stamp.isdecimal() or abs(self.now_ms() - int(stamp)) > _TOLERANCE_MS:
            raise _Failed(13009, "unauthorized", reason="invalid timestamp")

    def time(self, _: Params) -> object:
        return self.now_ms()

    def currencies(self, _: Params) -> object:
        return [shapes.currency(name) for name in _CURRENCIES]

    def instruments(self, params: Params) -> object:
        return [shapes.instrument(found) for found in self._settled_in(params.get("currency", "any"))]

    def ticker(self, params: Params) -> object:
        found = self._instrument(params)
        return shapes.ticker(found, *self._price(found), self.now_ms())

    def summaries(self, params: Params) -> object:
        found = self._settled_in(_required(params, "currency"))
        return [shapes.summary(known, *self._price(known), self.now_ms()) for known in found]

    def book(self, params: Params) -> object:
        found = self._instrument(params)
        return shapes.book(found, *self._price(found), self.now_ms())

    def account(self, params: Params) -> object:
        name = _required(params, "currency")
        balances = self.engine.balances()
        if name not in balances:
            raise _Failed(*_INVALID, reason="invalid currency", param="currency")
        return shapes.account(name, balances[name])

    def accounts(self, _: Params) -> object:
        rows = [shapes.account(name, found) for name, found in self.engine.balances().items()]
        return {"id": 10, "email": "user@example.com", "type": "main", "username": "simulator", "summaries": rows}

    def positions(self, params: Params) -> object:
        wanted = {found.symbol for found in self._settled_in(params.get("currency", "any"))}
        return [self._position(held) for symbol, held in self.engine.positions().items() if symbol in wanted]

    def position(self, params: Params) -> object:
        found = self._instrument(params)
        return self._position(self.engine.positions().get(found.symbol) or SimPosition(found))

    def buy(self, params: Params) -> object:
        return self._place("buy", params)

    def sell(self, params: Params) -> object:
        return self._place("sell", params)

    def _place(self, side: Side, params: Params) -> object:
        kind = params.get("type", "limit")
        if kind not in {"market", "limit"}:
            raise _Failed(*_INVALID, reason="unsupported value", param="type")
        if len(params.get("label", "")) > _MAX_LABEL:
            raise _Failed(*_INVALID, reason="too long", param="label")
        taken = self.engine.place(
            _required(params, "instrument_name"),
            side,
            "market" if kind == "market" else "limit",
            _number(params, "amount"),
            price=_number(params, "price") if kind == "limit" else None,
            client_id=params.get("label") or None,
            reduce_only=_flag(params, "reduce_only"),
            time_in_force=_TIMES_IN_FORCE.get(params.get("time_in_force", ""), "gtc"),
            post_only=_flag(params, "post_only") and _flag(params, "reject_post_only"),
        )
        if isinstance(taken, Rejection):
            raise _failure(taken)
        return {"order": shapes.order(taken), "trades": [shapes.trade(fill, taken) for fill in taken.trades]}

    def cancel(self, params: Params) -> object:
        order_id = _required(params, "order_id")
        taken = self.engine.cancel(order_id=order_id)
        if isinstance(taken, Rejection):
            raise _failure(taken) if taken.order is not None else _Failed(10004, "order_not_found")
        return shapes.order(taken)

    def cancel_by_label(self, params: Params) -> object:
        """How many were canceled."""
        label = _required(params, "label")
        chosen = [order for order in self._in(params, self.engine.open_orders()) if order.client_id == label]
        return sum(isinstance(self.engine.cancel(order_id=order.id), SimOrder) for order in chosen)

    def look_up(self, params: Params) -> object:
        order = self.engine.find(_required(params, "order_id"))
        if order is None:
            raise _Failed(10004, "order_not_found")
        return shapes.order(order)

    def look_up_by_label(self, params: Params) -> object:
        _required(params, "currency")
        label = _required(params, "label")
        return [shapes.order(order) for order in self._in(params, self.engine.orders()) if order.client_id == label]

    def open_orders(self, params: Params) -> object:
        label, orders = params.get("label"), self._in(params, self.engine.open_orders())
        return [shapes.order(order) for order in orders if label in {None, order.client_id}]

    def history(self, params: Params) -> object:
        """Newest first."""
        unfilled = _flag(params, "include_unfilled")
        ended = [order for order in self._in(params, self.engine.orders()) if not order.is_open]
        kept = [order for order in reversed(ended) if order.filled or unfilled]
        start = int(params.get("offset", 0))
        return [shapes.order(order) for order in kept[start : start + int(params.get("count", 20))]]

    def trades(self, params: Params) -> object:
        """Newest first."""
        return self._trades(params, newest_first=True)

    def trades_by_time(self, params: Params) -> object:
        """Oldest first."""
        _required(params, "start_timestamp")
        return self._trades(params, newest_first=False)

    def _trades(self, params: Params, *, newest_first: bool) -> object:
        since, until = int(params.get("start_timestamp", 0)), int(params.get("end_timestamp", 2**62))
        symbols = {found.symbol for found in self._asked(params)}
        found: list[SimTrade] = [
            trade
            for trade in self.engine.trades(since * 1_000_000)
            if trade.symbol in symbols and trade.ts_ns // 1_000_000 <= until
        ]
        if newest_first:
            found.reverse()
        count = int(params.get("count", 10))
        rows = [shapes.trade(trade, self.engine.find(trade.order_id)) for trade in found[:count]]
        return {"trades": rows, "has_more": len(found) > count}

    def _asked(self, params: Params) -> list[Instrument]:
        """By `instrument_name`, else by the `currency` that they settle in."""
        if "instrument_name" in params:
            return [self._instrument(params)]
        return self._settled_in(params.get("currency", "any"))

    def _in(self, params: Params, orders: Iterable[SimOrder]) -> list[SimOrder]:
        symbols = {found.symbol for found in self._asked(params)}
        return [order for order in orders if order.symbol in symbols]

    def _settled_in(self, currency: str) -> list[Instrument]:
        if currency not in {*_CURRENCIES, "any"}:
            raise _Failed(*_INVALID, reason="invalid currency", param="currency")
        return [found for found in self.engine.instruments.values() if currency in {"any", found.quote}]

    def _instrument(self, params: Params) -> Instrument:
        found = self.engine.instruments.get(_required(params, "instrument_name"))
        if found is None:
            raise _failure(Rejection(RejectCode.UNKNOWN_SYMBOL))
        return found

    def _price(self, found: Instrument) -> tuple[Decimal, Decimal]:
        return self.engine.price(found.symbol) or (Decimal(0), Decimal(0))

    def _position(self, held: SimPosition) -> object:
        return shapes.position(held, self.engine.mid(held.instrument.symbol), self.engine.account.leverage)


class _Route(NamedTuple):
    endpoint: Endpoint
    handler: Callable[[DeribitLinear, Params], object]


def _failure(rejection: Rejection) -> _Failed:
    if rejection.code in _REASONS:
        reason, param = _REASONS[rejection.code]
        return _Failed(*_INVALID, reason=reason, param=param)
    code, message = _REFUSALS.get(rejection.code, (11030, f"other_reject {rejection.message}"))
    return _Failed(code, message)


def _required(params: Params, name: str) -> str:
    if not params.get(name):
        raise _Failed(*_INVALID, reason="value required", param=name)
    return params[name]


def _number(params: Params, name: str) -> Decimal:
    try:
        return Decimal(_required(params, name))
    except InvalidOperation:
        raise _Failed(*_INVALID, reason="must be a number", param=name) from None


def _flag(params: Params, name: str) -> bool:
    return params.get(name, "").lower() == "true"


_PUBLIC, _PRIVATE = "/api/v2/public/", "/api/v2/private/"

_ROUTES: Mapping[str, _Route] = {
    f"{_PUBLIC}get_time": _Route("time", DeribitLinear.time),
    f"{_PUBLIC}get_currencies": _Route("markets", DeribitLinear.currencies),
    f"{_PUBLIC}get_instruments": _Route("markets", DeribitLinear.instruments),
    f"{_PUBLIC}ticker": _Route("ticker", DeribitLinear.ticker),
    f"{_PUBLIC}get_book_summary_by_currency": _Route("ticker", DeribitLinear.summaries),
    f"{_PUBLIC}get_order_book": _Route("ticker", DeribitLinear.book),
    f"{_PRIVATE}get_account_summary": _Route("balances", DeribitLinear.account),
    f"{_PRIVATE}get_account_summaries": _Route("balances", DeribitLinear.accounts),
    f"{_PRIVATE}get_positions": _Route("positions", DeribitLinear.positions),
    f"{_PRIVATE}get_position": _Route("positions", DeribitLinear.position),
    f"{_PRIVATE}buy": _Route("place", DeribitLinear.buy),
    f"{_PRIVATE}sell": _Route("place", DeribitLinear.sell),
    f"{_PRIVATE}cancel": _Route("cancel", DeribitLinear.cancel),
    f"{_PRIVATE}cancel_by_label": _Route("cancel", DeribitLinear.cancel_by_label),
    f"{_PRIVATE}get_order_state": _Route("look_up", DeribitLinear.look_up),
    f"{_PRIVATE}get_order_state_by_label": _Route("look_up", DeribitLinear.look_up_by_label),
    f"{_PRIVATE}get_open_orders": _Route("open_orders", DeribitLinear.open_orders),
    f"{_PRIVATE}get_open_orders_by_currency": _Route("open_orders", DeribitLinear.open_orders),
    f"{_PRIVATE}get_open_orders_by_instrument": _Route("open_orders", DeribitLinear.open_orders),
    f"{_PRIVATE}get_open_orders_by_label": _Route("open_orders", DeribitLinear.open_orders),
    f"{_PRIVATE}get_order_history_by_currency": _Route("orders", DeribitLinear.history),
    f"{_PRIVATE}get_order_history_by_instrument": _Route("orders", DeribitLinear.history),
    f"{_PRIVATE}get_user_trades_by_currency": _Route("trades", DeribitLinear.trades),
    f"{_PRIVATE}get_user_trades_by_instrument": _Route("trades", DeribitLinear.trades),
    f"{_PRIVATE}get_user_trades_by_currency_and_time": _Route("trades", DeribitLinear.trades_by_time),
    f"{_PRIVATE}get_user_trades_by_instrument_and_time": _Route("trades", DeribitLinear.trades_by_time),
}

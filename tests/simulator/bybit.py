"""Bybit's v5 linear perpetuals in one-way mode: its addresses, signatures, codes and words.

Source: https://bybit-exchange.github.io/docs/v5 (order, position, account, market, error codes). What clients trip over
is kept: every refusal is a 200 whose `retCode` is not 0; an `orderLinkId` is refused for ever once it was used; the
answers to new orders and cancels have ids and no state; `order/realtime` finds orders that have ended by their id only;
a linear order that was filled in part and canceled is "Cancelled".
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, NamedTuple

from tests.simulator import bybit_shapes as shapes
from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint
from tests.simulator.http import Answer, Request
from tests.simulator.model import (
    Instrument,
    OrderKind,
    RejectCode,
    Rejection,
    Side,
    SimOrder,
    SimPosition,
    TimeInForce,
    total,
)
from tests.simulator.venue import Venue, retry_after_header

_ID = re.compile(r"^[A-Za-z0-9_-]{1,36}$")
_AHEAD_MS = 1_000

INSTRUMENTS = (
    Instrument(
        symbol="BTCUSDT",
        base="BTC",
        quote="USDT",
        kind="swap",
        tick=Decimal("0.1"),
        step=Decimal("0.001"),
        min_qty=Decimal("0.001"),
        max_qty=Decimal(1190),
        min_notional=Decimal(5),
        taker_fee=Decimal("0.00055"),
        maker_fee=Decimal("0.0002"),
    ),
)
PRICES = {"BTCUSDT": ("50000", "50000.1")}
FUNDS = {"USDT": Decimal(100_000)}

_REFUSALS: Mapping[RejectCode, tuple[int, str]] = {
    RejectCode.UNKNOWN_SYMBOL: (10001, "params error: symbol invalid"),
    RejectCode.INVALID_QUANTITY: (10001, "Qty invalid"),
    RejectCode.INVALID_PRICE: (10001, "Price invalid"),
    RejectCode.MIN_NOTIONAL: (110094, "Order does not meet minimum order value 5USDT"),
    RejectCode.INSUFFICIENT_FUNDS: (110007, "ab not enough for new order"),
    RejectCode.DUPLICATE_ID: (110072, "OrderLinkedID is duplicate"),
    RejectCode.REDUCE_ONLY: (110017, "current position is zero, cannot fix reduce-only order qty"),
    RejectCode.NO_PRICE: (110066, "No trading is allowed at the current time"),
    RejectCode.UNKNOWN_ORDER: (110001, "order not exists or too late to cancel"),
}

_TIMES_IN_FORCE: Mapping[str, TimeInForce] = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "": "gtc"}
_SIDES: Mapping[str, Side] = {"Buy": "buy", "Sell": "sell"}
_ORDER_TYPES = {"Market", "Limit"}

Params = Mapping[str, Any]


class _Refused(Exception):  # noqa: N818 - named for what is the case
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class BybitLinear(Venue):
    """One unified account; without an engine it gets one with prices and funds."""

    name: ClassVar[str] = "bybit"
    ccxt_id: ClassVar[str] = "bybit"

    def __init__(self, engine: Engine | None = None, instruments: Iterable[Instrument] = INSTRUMENTS) -> None:
        if engine is None:
            engine = Engine(
                instruments,
                used_ids="refused_forever",
                funds=FUNDS,
                order_id=lambda count: f"{count:08x}-0000-4000-8000-{count:012x}",
            )
            for symbol, (bid, ask) in PRICES.items():
                if symbol in engine.instruments:
                    engine.set_price(symbol, bid, ask)
        super().__init__(engine)

    def endpoint(self, request: Request) -> Endpoint:
        route = _ROUTES.get((request.method, request.path))
        if route is None:
            return "other"
        asked = _asked(request)
        named = asked.get("orderId") or asked.get("orderLinkId")
        return "look_up" if named and route.endpoint in {"open_orders", "orders"} else route.endpoint

    def client_id(self, request: Request) -> str | None:
        return _asked(request).get("orderLinkId") or None

    def answer(self, request: Request) -> Answer:
        route = _ROUTES.get((request.method, request.path))
        if route is None:
            return Answer(status=404, body=b"")
        try:
            if route.private:
                self._authenticate(request)
            return self._answer(0, "OK", route.handler(self, _asked(request)))
        except _Refused as refused:
            return self._answer(refused.code, str(refused), {})

    def rate_limited(self, request: Request, retry_after: float | None, *, banned: bool) -> Answer:
        """A key's limit is a 200 with a code; an address that goes on gets a 403."""
        headers = retry_after_header(retry_after)
        if banned:
            return Answer(status=403, body="403, access too frequent, please try later", headers=headers)
        reset = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(self.now_ms() + 1000)}
        body = self._answer(10006, "Too many visits. Exceeded the API Rate Limit.", {}).body
        return Answer(body=body, headers=headers | reset)

    def unknown_status(self, request: Request) -> Answer:
        return self._answer(10000, "Server Timeout", {})

    def refusal(self, rejection: Rejection, request: Request) -> Answer:
        code, message = _REFUSALS.get(rejection.code, (10001, rejection.message))
        return self._answer(code, message, {})

    def without_order_id(self, answer: Answer) -> Answer:
        kept = {name: value for name, value in answer.body["result"].items() if name != "orderId"}
        return Answer(status=answer.status, body={**answer.body, "result": kept}, headers=answer.headers)

    def _answer(self, code: int, message: str, result: object) -> Answer:
        body = {"retCode": code, "retMsg": message, "result": result, "retExtInfo": {}, "time": self.now_ms()}
        return Answer(body=body)

    def _authenticate(self, request: Request) -> None:
        names = ("x-bapi-api-key", "x-bapi-timestamp", "x-bapi-recv-window", "x-bapi-sign")
        key, stamp, window, sign = (request.headers.get(name, "") for name in names)
        if not (key and stamp.isdecimal() and window.isdecimal() and sign):
            raise _Refused(10001, "empty value: apiTimestamp[] apiKey[] apiSignature[]")
        sent, now = int(stamp), self.now_ms()
        if not now - int(window) <= sent < now + _AHEAD_MS:
            words = "invalid request, please check your server timestamp or recv_window param. "
            raise _Refused(10002, f"{words}req_timestamp[{sent}],server_timestamp[{now}],recv_window[{window}]")
        if key != self.api_key:
            raise _Refused(10003, "API key is invalid.")
        content = request.body.decode() if request.method == "POST" else request.query
        digest = hmac.new(self.api_secret.encode(), f"{stamp}{key}{window}{content}".encode(), hashlib.sha256)
        if not hmac.compare_digest(digest.hexdigest(), sign):
            raise _Refused(10004, "error sign! please check your signature generation algorithm.")

    def time(self, _: Params) -> object:
        return {"timeSecond": str(self.now_ms() // 1000), "timeNano": str(self.now_ms() * 1_000_000)}

    def instruments(self, asked: Params) -> object:
        wanted = asked.get("category") == "linear" and asked.get("status", "Trading") == "Trading"
        found = list(self.engine.instruments.values()) if wanted else []
        rows = [shapes.instrument(known) for known in found if asked.get("symbol") in {None, known.symbol}]
        return {"category": asked.get("category", ""), "list": rows, "nextPageCursor": ""}

    def tickers(self, asked: Params) -> object:
        found = [self._instrument(asked)] if asked.get("symbol") else self._linear(asked)
        return {"category": "linear", "list": [shapes.ticker(known, *self._price(known)) for known in found]}

    def book(self, asked: Params) -> object:
        found = self._instrument(asked)
        return shapes.book(found, *self._price(found), self.now_ms())

    def key(self, _: Params) -> object:
        return shapes.key()

    def account_info(self, _: Params) -> object:
        return shapes.account_info(self.now_ms())

    def coins(self, _: Params) -> object:
        return {"rows": []}

    def wallet(self, asked: Params) -> object:
        if asked.get("accountType") != "UNIFIED":
            raise _Refused(10001, "accountType only support UNIFIED.")
        held = self.engine.positions().items()
        profit = total(found.upnl(self.engine.mid(symbol)) for symbol, found in held)
        settle = next(iter(self.engine.instruments.values())).quote
        return {"list": [shapes.wallet(self.engine.balances(), profit, settle)]}

    def positions(self, asked: Params) -> object:
        """One that is asked for by symbol is there when it is flat, too."""
        held = self.engine.positions()
        if asked.get("symbol"):
            found = self._instrument(asked)
            chosen = [held.get(found.symbol) or SimPosition(found)]
        else:
            chosen = [known for known in held.values() if known.instrument.quote == _settle_coin(asked)]
        rows = [self._position(known) for known in chosen]
        return {"category": "linear", "list": rows, "nextPageCursor": ""}

    def set_leverage(self, asked: Params) -> object:
        wanted = _number(asked, "buyLeverage")
        if wanted == self.engine.account.leverage:
            raise _Refused(110043, "Set leverage not modified")
        self.engine.account.leverage = wanted
        return {}

    def place(self, asked: Params) -> object:
        self._linear(asked)
        link = asked.get("orderLinkId") or None
        if link is not None and not _ID.match(str(link)):
            raise _Refused(10001, "params error: OrderLinkId invalid")
        kind, side = asked.get("orderType"), _SIDES.get(str(asked.get("side")))
        if kind not in _ORDER_TYPES or side is None:
            raise _Refused(10001, "params error: side or orderType invalid")
        if str(asked.get("positionIdx", 0)) != "0":
            raise _Refused(10001, "position idx not match position mode")
        if asked.get("timeInForce", "") not in _TIMES_IN_FORCE:
            raise _Refused(10001, "params error: timeInForce invalid")
        trigger, order_kind = self._trigger(asked, side)
        limited = kind == "Limit"
        taken = self.engine.place(
            str(asked.get("symbol", "")),
            side,
            order_kind or ("limit" if limited else "market"),
            _number(asked, "qty"),
            price=_number(asked, "price") if limited else None,
            trigger=trigger,
            client_id=link,
            reduce_only=asked.get("reduceOnly") is True,
            time_in_force=_TIMES_IN_FORCE[asked.get("timeInForce", "")] if limited else "gtc",
        )
        return _ids(self._taken(taken, asked))

    def _trigger(self, asked: Params, side: Side) -> tuple[Decimal | None, OrderKind | None]:
        """Price and kind of a conditional order; direction 1 waits for a rise, 2 for a fall."""
        if not asked.get("triggerPrice"):
            return None, None
        direction = str(asked.get("triggerDirection", ""))
        if direction not in {"1", "2"}:
            raise _Refused(10001, "TriggerDirection invalid")
        runs_against = (side == "buy") == (direction == "1")
        return _number(asked, "triggerPrice"), "stop_loss" if runs_against else "take_profit"

    def _taken(self, taken: SimOrder | Rejection, asked: Params) -> SimOrder:
        if isinstance(taken, SimOrder):
            return taken
        if taken.code is RejectCode.WOULD_TRIGGER:
            rises = str(asked["triggerDirection"]) == "1"
            words = "expect Rising, but trigger_price" if rises else "expect Falling, but trigger_price"
            raise _Refused(110092 if rises else 110093, f"{words}[{asked['triggerPrice']}] is on the other side")
        raise _Refused(*_REFUSALS.get(taken.code, (10001, taken.message)))

    def cancel(self, asked: Params) -> object:
        """Accepted while the order is open: what it becomes, the answer does not say."""
        self._linear(asked)
        order = self._named(asked)
        if order is None or order.symbol != asked.get("symbol") or not order.is_open:
            raise _Refused(*_REFUSALS[RejectCode.UNKNOWN_ORDER])
        self.engine.cancel(order_id=order.id)
        return _ids(order)

    def realtime(self, asked: Params) -> object:
        self._linear(asked)
        if asked.get("orderId") or asked.get("orderLinkId"):
            order = self._named(asked)
            chosen = [order] if order is not None else []
        else:
            if not (asked.get("symbol") or asked.get("settleCoin") or asked.get("baseCoin")):
                raise _Refused(
                    10001, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin"
                )
            ended = str(asked.get("openOnly", "0")) == "1"
            chosen = [order for order in self.engine.orders() if order.is_open != ended]
        return self._listed(chosen, asked, usual=20, most=50)

    def history(self, asked: Params) -> object:
        self._linear(asked)
        since, until = int(asked.get("startTime", 0)), int(asked.get("endTime", 2**62))
        named = bool(asked.get("orderId") or asked.get("orderLinkId"))
        order = self._named(asked) if named else None
        among = self.engine.orders() if not named else [order] if order is not None else []
        ended = [o for o in among if not o.is_open and since <= o.created_ns // 1_000_000 <= until]
        return self._listed(ended, asked, usual=20, most=50)

    def executions(self, asked: Params) -> object:
        self._linear(asked)
        since, until = int(asked.get("startTime", 0)), int(asked.get("endTime", 2**62))
        rows = []
        for trade in self.engine.trades(since * 1_000_000, asked.get("symbol") or None, asked.get("orderId") or None):
            row = shapes.execution(trade, self.engine.find(trade.order_id))
            if trade.ts_ns // 1_000_000 <= until and asked.get("orderLinkId") in {None, "", row["orderLinkId"]}:
                rows.append(row)
        count = min(int(asked.get("limit", 50)), 100)
        return {"category": "linear", "list": rows[::-1][:count], "nextPageCursor": ""}

    def _listed(self, orders: list[SimOrder], asked: Params, *, usual: int, most: int) -> object:
        """Newest first."""
        rows = [shapes.order(order) for order in reversed(orders) if _is_wanted(order, asked)]
        count = min(int(asked.get("limit", usual)), most)
        return {"category": "linear", "list": rows[:count], "nextPageCursor": ""}

    def _linear(self, asked: Params) -> list[Instrument]:
        if asked.get("category") != "linear":
            raise _Refused(10001, "params error: Category is invalid")
        return list(self.engine.instruments.values())

    def _instrument(self, asked: Params) -> Instrument:
        self._linear(asked)
        found = self.engine.instruments.get(str(asked.get("symbol", "")))
        if found is None:
            raise _Refused(*_REFUSALS[RejectCode.UNKNOWN_SYMBOL])
        return found

    def _price(self, found: Instrument) -> tuple[Decimal, Decimal]:
        return self.engine.price(found.symbol) or (Decimal(0), Decimal(0))

    def _position(self, held: SimPosition) -> object:
        price = self.engine.mid(held.instrument.symbol)
        return shapes.position(held, price, self.engine.account.leverage, self.now_ms())

    def _named(self, asked: Params) -> SimOrder | None:
        """The exchange's id wins over the client's."""
        if asked.get("orderId"):
            return self.engine.find(str(asked["orderId"]))
        return self.engine.find_by_client_id(str(asked.get("orderLinkId", "")))


class _Route(NamedTuple):
    endpoint: Endpoint
    handler: Callable[[BybitLinear, Params], object]
    private: bool = True


def _asked(request: Request) -> Params:
    if request.method != "POST":
        return request.params()
    body = request.json()
    return body if isinstance(body, dict) else {}


def _number(asked: Params, name: str) -> Decimal:
    try:
        return Decimal(str(asked[name]))
    except (KeyError, InvalidOperation):
        raise _Refused(10001, f"params error: {name} invalid") from None


def _settle_coin(asked: Params) -> str:
    if not asked.get("settleCoin"):
        raise _Refused(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
    return str(asked["settleCoin"])


def _ids(order: SimOrder) -> dict[str, str]:
    return {"orderId": order.id, "orderLinkId": order.client_id or ""}


def _is_wanted(order: SimOrder, asked: Params) -> bool:
    state, conditional = asked.get("orderStatus"), asked.get("orderFilter")
    return (
        asked.get("symbol") in {None, "", order.symbol}
        and asked.get("settleCoin") in {None, "", order.instrument.quote}
        and state in {None, "", shapes.status(order)}
        and (not conditional or (conditional == "StopOrder") == (order.trigger is not None))
    )


_ROUTES: Mapping[tuple[str, str], _Route] = {
    ("GET", "/v5/market/time"): _Route("time", BybitLinear.time, private=False),
    ("GET", "/v5/market/instruments-info"): _Route("markets", BybitLinear.instruments, private=False),
    ("GET", "/v5/market/tickers"): _Route("ticker", BybitLinear.tickers, private=False),
    ("GET", "/v5/market/orderbook"): _Route("ticker", BybitLinear.book, private=False),
    ("GET", "/v5/asset/coin/query-info"): _Route("other", BybitLinear.coins),
    ("GET", "/v5/user/query-api"): _Route("settings", BybitLinear.key),
    ("GET", "/v5/account/info"): _Route("settings", BybitLinear.account_info),
    ("GET", "/v5/account/wallet-balance"): _Route("balances", BybitLinear.wallet),
    ("GET", "/v5/position/list"): _Route("positions", BybitLinear.positions),
    ("POST", "/v5/position/set-leverage"): _Route("settings", BybitLinear.set_leverage),
    ("POST", "/v5/order/create"): _Route("place", BybitLinear.place),
    ("POST", "/v5/order/cancel"): _Route("cancel", BybitLinear.cancel),
    ("GET", "/v5/order/realtime"): _Route("open_orders", BybitLinear.realtime),
    ("GET", "/v5/order/history"): _Route("orders", BybitLinear.history),
    ("GET", "/v5/execution/list"): _Route("trades", BybitLinear.executions),
}

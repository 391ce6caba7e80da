"""Binance spot: its addresses, signatures, filters, codes and words.

Sources: the exchange's own documents, binance/binance-spot-api-docs (rest-api.md, errors.md, filters.md, enums.md).
A client order id is refused only while its order is open. Requests to futures answer with no markets, so that ccxt
can load its default ones.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, cast

from tests.simulator import binance_shapes as shapes
from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint
from tests.simulator.http import Answer, Request
from tests.simulator.model import Instrument, OrderKind, RejectCode, Rejection, Side, SimOrder, TimeInForce
from tests.simulator.venue import Venue, retry_after_header

_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
_DAY_MS = 86_400_000
_MAX_WINDOW_MS = 60_000

INSTRUMENTS = (
    Instrument(symbol="BTCUSDT", base="BTC", quote="USDT"),
    Instrument(symbol="ETHUSDT", base="ETH", quote="USDT", step=Decimal("0.0001"), min_qty=Decimal("0.0001")),
)
PRICES = {"BTCUSDT": ("50000", "50001"), "ETHUSDT": ("2500", "2500.10")}
FUNDS = {"USDT": Decimal(1_000_000), "BTC": Decimal(10), "ETH": Decimal(100)}


class _Refused(Exception):  # noqa: N818 - named for what is the case
    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.answer = Answer(status=status, body={"code": code, "msg": message})


_ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("POST", "/api/v3/order"): "place",
    ("DELETE", "/api/v3/order"): "cancel",
    ("GET", "/api/v3/order"): "look_up",
    ("GET", "/api/v3/openOrders"): "open_orders",
    ("GET", "/api/v3/allOrders"): "orders",
    ("GET", "/api/v3/myTrades"): "trades",
    ("GET", "/api/v3/account"): "balances",
    ("GET", "/api/v3/time"): "time",
    ("GET", "/api/v3/exchangeInfo"): "markets",
    ("GET", "/api/v3/ticker/bookTicker"): "ticker",
    ("GET", "/api/v3/ticker/24hr"): "ticker",
    ("GET", "/api/v3/ticker/price"): "ticker",
    ("GET", "/api/v3/depth"): "ticker",
}

_REFUSALS: Mapping[RejectCode, tuple[int, str]] = {
    RejectCode.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    RejectCode.INVALID_QUANTITY: (-1013, "Filter failure: LOT_SIZE"),
    RejectCode.INVALID_PRICE: (-1013, "Filter failure: PRICE_FILTER"),
    RejectCode.MIN_NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    RejectCode.INSUFFICIENT_FUNDS: (-2010, "Account has insufficient balance for requested action."),
    RejectCode.DUPLICATE_ID: (-2010, "Duplicate order sent."),
    RejectCode.POST_ONLY: (-2010, "Order would immediately match and take."),
    RejectCode.WOULD_TRIGGER: (-2010, "Stop price would trigger immediately."),
    RejectCode.NO_PRICE: (-1013, "Market is closed."),
    RejectCode.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
}


class BinanceSpot(Venue):
    """One spot account on `instruments`; without an engine it gets one with prices and funds."""

    name: ClassVar[str] = "binance"
    ccxt_id: ClassVar[str] = "binance"

    def __init__(self, engine: Engine | None = None, instruments: Iterable[Instrument] = INSTRUMENTS) -> None:
        if engine is None:
            engine = Engine(instruments, used_ids="refused_while_open", funds=FUNDS)
            for symbol, (bid, ask) in PRICES.items():
                if symbol in engine.instruments:
                    engine.set_price(symbol, bid, ask)
        super().__init__(engine)
        self._weight = 0

    def endpoint(self, request: Request) -> Endpoint:
        return _ENDPOINTS.get((request.method, request.path), "other")

    def client_id(self, request: Request) -> str | None:
        params = request.params()
        return params.get("newClientOrderId") if request.method == "POST" else params.get("origClientOrderId")

    def answer(self, request: Request) -> Answer:
        route = _ROUTES.get((request.method, request.path))
        self._weight += 1
        if route is None:
            return Answer(status=404, body={"code": -1000, "msg": f"No handler for {request.method} {request.path}"})
        handler, signed = route
        try:
            if signed:
                self._authenticate(request)
            body = handler(self, request.params())
        except _Refused as refused:
            return refused.answer
        return Answer(body=body, headers={"X-MBX-USED-WEIGHT-1M": str(self._weight)})

    def rate_limited(self, request: Request, retry_after: float | None, *, banned: bool) -> Answer:
        until = self.now_ms() + int((retry_after or 0) * 1000)
        streams = "Please use WebSocket Streams for live updates to avoid"
        message = f"Way too much request weight used; IP banned until {until}. {streams} bans."
        if not banned:
            limit = "current limit is 6000 request weight per 1 MINUTE"
            message = f"Too much request weight used; {limit}. {streams} polling the API."
        headers = retry_after_header(retry_after)
        return Answer(status=418 if banned else 429, body={"code": -1003, "msg": message}, headers=headers)

    def refusal(self, rejection: Rejection, request: Request) -> Answer:
        code, message = _REFUSALS.get(rejection.code, (-2010, rejection.message))
        return Answer(status=400, body={"code": code, "msg": message})

    def rejected(self, request: Request) -> Answer:
        params = request.params()
        if self.endpoint(request) != "place":
            return self.refusal(Rejection(RejectCode.UNKNOWN_ORDER), request)
        return Answer(body=shapes.rejected_order(params, order_id=9_999_999, now_ms=self.now_ms()))

    def unknown_status(self, request: Request) -> Answer:
        message = "Timeout waiting for response from backend server. Send status unknown; execution status unknown."
        return Answer(status=408, body={"code": -1007, "msg": message})

    def without_order_id(self, answer: Answer) -> Answer:
        kept = {key: value for key, value in answer.body.items() if key != "orderId"}
        return Answer(status=answer.status, body=kept, headers=answer.headers)

    def _authenticate(self, request: Request) -> None:
        key = request.headers.get("x-mbx-apikey", "")
        if not key:
            raise _Refused(-2014, "API-key format invalid.", 401)
        if key != self.api_key:
            raise _Refused(-2015, "Invalid API-key, IP, or permissions for action.", 401)
        params = request.params()
        if "signature" not in params:
            raise _Refused(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
        signed = re.sub(r"&?signature=[^&]*", "", request.query + request.body.decode())
        expected = hmac.new(self.api_secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, params["signature"]):
            raise _Refused(-1022, "Signature for this request is not valid.")
        self._check_time(params)

    def _check_time(self, params: Mapping[str, str]) -> None:
        sent, window, now = _integer(params, "timestamp"), _integer(params, "recvWindow", 5000), self.now_ms()
        assert sent is not None
        assert window is not None
        if window > _MAX_WINDOW_MS:
            raise _Refused(-1131, "recvWindow must be less than 60000")
        if sent >= now + 1000:
            raise _Refused(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - sent > window:
            raise _Refused(-1021, "Timestamp for this request is outside of the recvWindow.")

    def time(self, _: Mapping[str, str]) -> object:
        return {"serverTime": self.now_ms()}

    def exchange_info(self, _: Mapping[str, str]) -> object:
        return shapes.exchange_info(self.engine.instruments.values(), self.now_ms())

    def no_markets(self, _: Mapping[str, str]) -> object:
        return {"serverTime": self.now_ms(), "symbols": []}

    def nothing(self, _: Mapping[str, str]) -> object:
        return []

    def coins(self, _: Mapping[str, str]) -> object:
        return shapes.coins(self.engine.instruments.values())

    def book_ticker(self, params: Mapping[str, str]) -> object:
        return self._one_or_all(params, shapes.book_ticker)

    def ticker(self, params: Mapping[str, str]) -> object:
        return self._one_or_all(params, shapes.day_ticker)

    def price(self, params: Mapping[str, str]) -> object:
        return self._one_or_all(params, shapes.price_ticker)

    def _one_or_all(self, params: Mapping[str, str], shape: Callable[[str, Decimal, Decimal, int], object]) -> object:
        asked = json.loads(params["symbols"]) if "symbols" in params else list(self.engine.instruments)
        names = [params["symbol"]] if "symbol" in params else asked
        found = []
        for name in names:
            price = self.engine.price(self._symbol({"symbol": name}))
            if price is not None:
                found.append(shape(name, *price, self.now_ms()))
        return found[0] if "symbol" in params and found else found

    def depth(self, params: Mapping[str, str]) -> object:
        bid, ask = self.engine.price(self._symbol(params)) or (Decimal(0), Decimal(0))
        return {"lastUpdateId": self.now_ms(), "bids": [[f"{bid:.8f}", "5"]], "asks": [[f"{ask:.8f}", "5"]]}

    def account(self, _: Mapping[str, str]) -> object:
        return shapes.account(self.engine.balances(), self.now_ms())

    def place(self, params: Mapping[str, str]) -> object:
        symbol = self._symbol(params)
        client_id = params.get("newClientOrderId") or f"auto{self.engine.clock()}"
        if not _ID.match(client_id):
            legal = "'^[\\.A-Z\\:/a-z0-9_-]{1,36}$'"
            raise _Refused(-1100, f"Illegal characters found in parameter 'newClientOrderId'; legal range is {legal}.")
        kind = _required(params, "type")
        if kind not in shapes.ORDER_TYPES:
            raise _Refused(-1116, "Invalid orderType.")
        if _required(params, "side") not in {"BUY", "SELL"}:
            raise _Refused(-1117, "Invalid side.")
        limited = kind in {"LIMIT", "LIMIT_MAKER"} or kind.endswith("_LIMIT")
        conditional = kind.startswith(("STOP_LOSS", "TAKE_PROFIT"))
        time_in_force = _required(params, "timeInForce") if limited and kind != "LIMIT_MAKER" else "GTC"
        if time_in_force not in {"GTC", "IOC", "FOK"}:
            raise _Refused(-1115, "Invalid timeInForce.")
        taken = self.engine.place(
            symbol,
            cast(Side, params["side"].lower()),
            cast(OrderKind, _KINDS[kind.removesuffix("_LIMIT").removesuffix("_MAKER")]),
            self._quantity(params, symbol),
            price=_number(params, "price") if limited else None,
            trigger=_number(params, "stopPrice") if conditional else None,
            client_id=client_id,
            time_in_force=cast(TimeInForce, time_in_force.lower()),
            post_only=kind == "LIMIT_MAKER",
        )
        return shapes.placed(self._taken(taken), kind, params.get("newOrderRespType", shapes.usual_answer(kind)))

    def _quantity(self, params: Mapping[str, str], symbol: str) -> Decimal:
        if "quantity" in params or params["type"] != "MARKET" or "quoteOrderQty" not in params:
            return _number(params, "quantity")
        bid, ask = self.engine.price(symbol) or (Decimal(1), Decimal(1))
        step = self.engine.instruments[symbol].step
        return _number(params, "quoteOrderQty") / (ask if params["side"] == "BUY" else bid) // step * step

    def cancel(self, params: Mapping[str, str]) -> object:
        symbol = self._symbol(params)
        order = self._taken(self.engine.cancel(**_ids(params), symbol=symbol))
        return shapes.canceled(order, params.get("newClientOrderId") or f"cancel{self.now_ms()}")

    def look_up(self, params: Mapping[str, str]) -> object:
        symbol, ids = self._symbol(params), _ids(params)
        if ids["order_id"] is not None:
            order = self.engine.find(ids["order_id"])
        else:
            order = self.engine.find_by_client_id(str(ids["client_id"]), symbol)
        if order is None or order.symbol != symbol:
            raise _Refused(-2013, "Order does not exist.")
        return shapes.order(order)

    def open_orders(self, params: Mapping[str, str]) -> object:
        symbol = self._symbol(params) if "symbol" in params else None
        return [shapes.order(order) for order in self.engine.open_orders(symbol)]

    def all_orders(self, params: Mapping[str, str]) -> object:
        since, until = self._window(params)
        first, limit = _integer(params, "orderId", 0), _integer(params, "limit", 500)
        orders = [
            order
            for order in self.engine.orders(self._symbol(params))
            if since <= order.created_ns // 1_000_000 <= until and int(order.id) >= (first or 0)
        ]
        return [shapes.order(order) for order in _page(orders, params, limit)]

    def my_trades(self, params: Mapping[str, str]) -> object:
        since, until = self._window(params)
        first, limit = _integer(params, "fromId", 0), _integer(params, "limit", 500)
        trades = [
            trade
            for trade in self.engine.trades(0, self._symbol(params), params.get("orderId"))
            if since <= trade.ts_ns // 1_000_000 <= until and int(trade.id) >= (first or 0)
        ]
        return [shapes.trade(trade) for trade in _page(trades, params, limit)]

    def _window(self, params: Mapping[str, str]) -> tuple[int, int]:
        """Milliseconds, both included; at most a day when both are given."""
        since, until = _integer(params, "startTime", 0) or 0, _integer(params, "endTime", 0) or 2**62
        if since and until < 2**62 and until - since > _DAY_MS:
            raise _Refused(-1127, "More than 24 hours between startTime and endTime.")
        return since, until

    def _symbol(self, params: Mapping[str, str]) -> str:
        symbol = _required(params, "symbol")
        if symbol not in self.engine.instruments:
            raise _Refused(-1121, "Invalid symbol.")
        return symbol

    def _taken(self, taken: SimOrder | Rejection) -> SimOrder:
        if isinstance(taken, Rejection):
            code, message = _REFUSALS.get(taken.code, (-2010, taken.message))
            raise _Refused(code, message)
        return taken


_KINDS = {"MARKET": "market", "LIMIT": "limit", "": "limit", "STOP_LOSS": "stop_loss", "TAKE_PROFIT": "take_profit"}


def _required(params: Mapping[str, str], name: str) -> str:
    if not params.get(name):
        raise _Refused(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
    return params[name]


def _number(params: Mapping[str, str], name: str) -> Decimal:
    try:
        number = Decimal(_required(params, name))
    except InvalidOperation:
        raise _Refused(-1100, f"Illegal characters found in parameter '{name}'.") from None
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -8:
        raise _Refused(-1111, f"Parameter '{name}' has too much precision.")
    return number


def _integer(params: Mapping[str, str], name: str, default: int | None = None) -> int | None:
    text = params.get(name) if default is not None else _required(params, name)
    try:
        return default if not text else int(text)
    except ValueError:
        raise _Refused(-1100, f"Illegal characters found in parameter '{name}'.") from None


def _ids(params: Mapping[str, str]) -> dict[str, str | None]:
    """How a request names an order; the exchange's id goes first."""
    order_id, client_id = params.get("orderId"), params.get("origClientOrderId")
    if not order_id and not client_id:
        raise _Refused(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return {"order_id": order_id or None, "client_id": None if order_id else client_id}


def _page(rows: list[Any], params: Mapping[str, str], limit: int | None) -> list[Any]:
    """The oldest rows when a start is given, else the newest."""
    count = min(limit or 500, 1000)
    starts = any(name in params for name in ("startTime", "fromId", "orderId"))
    return rows[:count] if starts else rows[-count:]


_ROUTES: Mapping[tuple[str, str], tuple[Callable[[BinanceSpot, Mapping[str, str]], object], bool]] = {
    ("GET", "/api/v3/time"): (BinanceSpot.time, False),
    ("GET", "/api/v3/exchangeInfo"): (BinanceSpot.exchange_info, False),
    ("GET", "/fapi/v1/exchangeInfo"): (BinanceSpot.no_markets, False),
    ("GET", "/dapi/v1/exchangeInfo"): (BinanceSpot.no_markets, False),
    ("GET", "/sapi/v1/margin/allPairs"): (BinanceSpot.nothing, False),
    ("GET", "/sapi/v1/margin/isolated/allPairs"): (BinanceSpot.nothing, True),
    ("GET", "/sapi/v1/capital/config/getall"): (BinanceSpot.coins, True),
    ("GET", "/api/v3/ticker/bookTicker"): (BinanceSpot.book_ticker, False),
    ("GET", "/api/v3/ticker/24hr"): (BinanceSpot.ticker, False),
    ("GET", "/api/v3/ticker/price"): (BinanceSpot.price, False),
    ("GET", "/api/v3/depth"): (BinanceSpot.depth, False),
    ("GET", "/api/v3/account"): (BinanceSpot.account, True),
    ("POST", "/api/v3/order"): (BinanceSpot.place, True),
    ("DELETE", "/api/v3/order"): (BinanceSpot.cancel, True),
    ("GET", "/api/v3/order"): (BinanceSpot.look_up, True),
    ("GET", "/api/v3/openOrders"): (BinanceSpot.open_orders, True),
    ("GET", "/api/v3/allOrders"): (BinanceSpot.all_orders, True),
    ("GET", "/api/v3/myTrades"): (BinanceSpot.my_trades, True),
}

"""OKX linear swaps in net mode: its addresses, signatures, envelopes and lists.

Source: https://www.okx.com/docs-v5/en/ (trade, algo trading, account, public data, error codes). What clients trip
over is kept: sizes are contracts of `ctVal` base units; a refused order is a 200 whose code stands in `sCode`; a
`clOrdId` has to be unique among pending orders only, and a look-up finds the latest one of an id; conditional orders
have an id, a look-up and a list of their own (`algoClOrdId`; a `clOrdId` in them is ignored); a cancel's
acknowledgement does not say that the order was canceled.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from tests.simulator import okx_shapes as shapes
from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint
from tests.simulator.http import Answer, Request
from tests.simulator.model import Instrument, RejectCode, Rejection, SimOrder
from tests.simulator.okx_orders import REFUSALS, OkxOrders, Params, Refused, is_usual, is_waiting, number
from tests.simulator.venue import Venue, retry_after_header

_TOLERANCE_MS = 30_000
_MAX_ROWS = 100

INSTRUMENTS = (
    Instrument(
        symbol="BTC-USDT-SWAP",
        base="BTC",
        quote="USDT",
        kind="swap",
        contract_size=Decimal("0.01"),
        tick=Decimal("0.1"),
        step=Decimal("0.01"),
        min_qty=Decimal("0.01"),
        max_qty=Decimal(12_000),
        min_notional=Decimal(0),
        taker_fee=Decimal("0.0005"),
        maker_fee=Decimal("0.0002"),
    ),
)
PRICES = {"BTC-USDT-SWAP": ("50000", "50000.1")}
FUNDS = {"USDT": Decimal(100_000)}

_HEADERS = {
    "OK-ACCESS-KEY": "50103",
    "OK-ACCESS-PASSPHRASE": "50104",
    "OK-ACCESS-SIGN": "50106",
    "OK-ACCESS-TIMESTAMP": "50107",
}

_DOUBTFUL = (
    "API endpoint request timeout (does not mean that the request was successful or failed, "
    "please check the request result)."
)


class _Failed(Exception):  # noqa: N818 - named for what is the case
    """The request as a whole is refused."""

    def __init__(self, code: str, message: str, status: int = 200) -> None:
        super().__init__(message)
        self.answer = Answer(status=status, body={"code": code, "data": [], "msg": message})


class OkxSwap(Venue):
    """One account; `orders.position_mode` and `account_level` are what it tells of its settings.

    Without an engine it gets one with prices and funds.
    """

    name: ClassVar[str] = "okx"
    ccxt_id: ClassVar[str] = "okx"

    def __init__(self, engine: Engine | None = None, instruments: Iterable[Instrument] = INSTRUMENTS) -> None:
        if engine is None:
            engine = Engine(
                instruments,
                used_ids="refused_while_open",
                funds=FUNDS,
                order_id=lambda count: str(600_000_000_000_000_000 + count),
            )
            for symbol, (bid, ask) in PRICES.items():
                if symbol in engine.instruments:
                    engine.set_price(symbol, bid, ask)
        super().__init__(engine)
        self.orders = OkxOrders(engine)
        self.account_level = "2"

    def endpoint(self, request: Request) -> Endpoint:
        route = _ROUTES.get((request.method, request.path))
        return "other" if route is None else route.endpoint

    def client_id(self, request: Request) -> str | None:
        asked = _first(request.json()) if request.method == "POST" else request.params()
        return asked.get("algoClOrdId" if "algo" in request.path else "clOrdId") or None

    def answer(self, request: Request) -> Answer:
        route = _ROUTES.get((request.method, request.path))
        if route is None:
            return _Failed("404", f"No handler for {request.method} {request.path}", 404).answer
        try:
            if route.private:
                self._authenticate(request)
            data = route.handler(self, request)
        except _Failed as failed:
            return failed.answer
        return data if isinstance(data, Answer) else Answer(body={"code": "0", "data": data, "msg": ""})

    def rate_limited(self, request: Request, retry_after: float | None, *, banned: bool) -> Answer:
        """It has no second code for an address that goes on."""
        body = {"code": "50011", "data": [], "msg": "Too Many Requests"}
        return Answer(status=429, body=body, headers=retry_after_header(retry_after))

    def unknown_status(self, request: Request) -> Answer:
        return Answer(status=400, body={"code": "50004", "data": [], "msg": _DOUBTFUL})

    def refusal(self, rejection: Rejection, request: Request) -> Answer:
        refused = Refused(*REFUSALS.get(rejection.code, ("51000", rejection.message)))
        return _outcomes([_outcome(_first(request.json()), refused, algo="algo" in request.path)])

    def without_order_id(self, answer: Answer) -> Answer:
        rows = [{**row, **{name: "" for name in ("ordId", "algoId") if name in row}} for row in answer.body["data"]]
        return Answer(status=answer.status, body={**answer.body, "data": rows}, headers=answer.headers)

    def _authenticate(self, request: Request) -> None:
        headers = request.headers
        for name, code in _HEADERS.items():
            if not headers.get(name.lower()):
                raise _Failed(code, f"Request header {name} can not be empty.", 401)
        stamp = headers["ok-access-timestamp"]
        try:
            sent_ms = int(datetime.fromisoformat(stamp).timestamp() * 1000)
        except ValueError:
            raise _Failed("50112", "Invalid OK-ACCESS-TIMESTAMP", 401) from None
        if abs(self.now_ms() - sent_ms) > _TOLERANCE_MS:
            raise _Failed("50102", "Timestamp request expired", 401)
        if headers["ok-access-key"] != self.api_key:
            raise _Failed("50111", "Invalid OK-ACCESS-KEY", 401)
        if headers["ok-access-passphrase"] != self.api_password:
            raise _Failed("50105", "Request header OK-ACCESS-PASSPHRASE incorrect.", 401)
        signed = (stamp + request.method + request.target).encode() + request.body
        digest = hmac.new(self.api_secret.encode(), signed, hashlib.sha256).digest()
        if not hmac.compare_digest(base64.b64encode(digest).decode(), headers["ok-access-sign"]):
            raise _Failed("50113", "Invalid Sign", 401)

    def time(self, _: Request) -> object:
        return [{"ts": str(self.now_ms())}]

    def instruments(self, request: Request) -> object:
        return [shapes.instrument(found) for found in self._of_type(request)]

    def ticker(self, request: Request) -> object:
        found = self._instrument(request)
        return [shapes.ticker(found, *self._price(found), self.now_ms())]

    def tickers(self, request: Request) -> object:
        return [shapes.ticker(found, *self._price(found), self.now_ms()) for found in self._of_type(request)]

    def books(self, request: Request) -> object:
        bid, ask = self._price(self._instrument(request))
        sides = {"asks": [[shapes.text(ask), "500", "0", "1"]], "bids": [[shapes.text(bid), "500", "0", "1"]]}
        return [{**sides, "ts": str(self.now_ms())}]

    def currencies(self, _: Request) -> object:
        return []

    def balance(self, _: Request) -> object:
        return [shapes.balance(self.engine.balances(), self.now_ms())]

    def positions(self, request: Request) -> object:
        wanted = [name for name in request.params().get("instId", "").split(",") if name]
        leverage, now = self.engine.account.leverage, self.now_ms()
        held = [found for symbol, found in self.engine.positions().items() if not wanted or symbol in wanted]
        return [shapes.position(found, self.engine.mid(found.instrument.symbol), leverage, now) for found in held]

    def config(self, _: Request) -> object:
        return [shapes.config(self.orders.position_mode, self.account_level)]

    def leverage(self, request: Request) -> object:
        return [self._leverage(request.params())]

    def set_leverage(self, request: Request) -> object:
        asked = _first(request.json())
        try:
            self.engine.account.leverage = number(asked, "lever")
        except Refused as refused:
            raise _Failed(refused.code, str(refused)) from None
        return [self._leverage(asked)]

    def _leverage(self, asked: Params) -> object:
        lever = shapes.text(self.engine.account.leverage)
        return {"instId": asked.get("instId"), "lever": lever, "mgnMode": asked.get("mgnMode"), "posSide": "net"}

    def place(self, request: Request) -> object:
        return self._each(request, self.orders.place)

    def place_algo(self, request: Request) -> object:
        return self._each(request, self.orders.place_algo, algo=True)

    def cancel(self, request: Request) -> object:
        return self._each(request, self.orders.cancel)

    def cancel_algo(self, request: Request) -> object:
        return self._each(request, self.orders.cancel_algo, algo=True)

    def _each(self, request: Request, act: Callable[[Params], SimOrder], *, algo: bool = False) -> Answer:
        rows = []
        for asked in _all(request.json()):
            try:
                rows.append(_outcome(asked, act(asked), algo=algo))
            except Refused as refused:
                rows.append(_outcome(asked, refused, algo=algo))
        return _outcomes(rows)

    def look_up(self, request: Request) -> object:
        params, found = request.params(), self._instrument(request)
        if not params.get("ordId") and not params.get("clOrdId"):
            raise _Failed("51003", "Either client order ID or order ID is required.")
        order = self.orders.find(params)
        if order is None or order.symbol != found.symbol:
            raise _Failed("51603", "Order does not exist")
        return [shapes.order(order)]

    def look_up_algo(self, request: Request) -> object:
        order = self.orders.find_algo(request.params())
        if order is None:
            raise _Failed("51603", "Order does not exist")
        return [shapes.algo_order(order)]

    def pending(self, request: Request) -> object:
        rows = [shapes.order(order) for order in self.engine.open_orders() if is_usual(order)]
        return _chosen(rows, request.params(), "ordId")

    def pending_algo(self, request: Request) -> object:
        _require(request, "ordType")
        rows = [shapes.algo_order(order) for order in self.engine.open_orders() if is_waiting(order)]
        return _chosen(rows, request.params(), "algoId")

    def history(self, request: Request) -> object:
        _require(request, "instType")
        ended = [order for order in self.engine.orders() if not order.is_open and is_usual(order)]
        return _chosen([shapes.order(order) for order in ended], request.params(), "ordId")

    def history_algo(self, request: Request) -> object:
        params = request.params()
        if not (params.get("state") or params.get("algoId")):
            raise _Failed("50015", "Either parameter state or algoId is required.", 400)
        ended = [order for order in self.engine.orders() if order.trigger is not None and not is_waiting(order)]
        return _chosen([shapes.algo_order(order) for order in ended], params, "algoId")

    def fills(self, request: Request) -> object:
        params = request.params()
        if request.path.endswith("history"):
            _require(request, "instType")
        since, until = int(params.get("begin", 0)), int(params.get("end", 2**62))
        rows: list[dict[str, object]] = []
        for trade in self.engine.trades(since * 1_000_000):
            order = self.engine.find(trade.order_id)
            client_id = None if order is None or order.trigger is not None else order.client_id
            if trade.ts_ns // 1_000_000 <= until:
                rows.append(dict(shapes.trade(trade, client_id)))
        return _chosen(rows, params, "billId")

    def _of_type(self, request: Request) -> list[Instrument]:
        asked = request.params().get("instType", "").lower()
        return [found for found in self.engine.instruments.values() if found.kind == asked]

    def _instrument(self, request: Request) -> Instrument:
        found = self.engine.instruments.get(request.params().get("instId", ""))
        if found is None:
            raise _Failed(*REFUSALS[RejectCode.UNKNOWN_SYMBOL])
        return found

    def _price(self, found: Instrument) -> tuple[Decimal, Decimal]:
        return self.engine.price(found.symbol) or (Decimal(0), Decimal(0))


class _Route(NamedTuple):
    endpoint: Endpoint
    handler: Callable[[OkxSwap, Request], object]
    private: bool = True


def _all(body: Any) -> list[Params]:
    return body if isinstance(body, list) else [body]


def _first(body: Any) -> Params:
    return next(iter(_all(body)), {})


def _require(request: Request, name: str) -> None:
    if not request.params().get(name):
        raise _Failed("50014", f"Parameter {name} can not be empty.", 400)


def _outcome(asked: Params, what: SimOrder | Refused, *, algo: bool) -> dict[str, str]:
    """One order's row; the ids of an algo order have their own names."""
    found = "" if isinstance(what, Refused) else shapes.algo_id(what) if algo else what.id
    code, message = (what.code, str(what)) if isinstance(what, Refused) else ("0", "")
    client = "algoClOrdId" if algo else "clOrdId"
    ids = {client: str(asked.get(client) or ""), "algoId" if algo else "ordId": found}
    return {**ids, "sCode": code, "sMsg": message, "tag": ""}


def _outcomes(rows: list[dict[str, str]]) -> Answer:
    """Code 1 when all failed, 2 when some did."""
    failed = sum(row["sCode"] != "0" for row in rows)
    code = "0" if not failed else "1" if failed == len(rows) else "2"
    return Answer(body={"code": code, "data": rows, "msg": "All operations failed" if code == "1" else ""})


def _chosen(rows: list[dict[str, object]], params: Params, key: str) -> list[dict[str, object]]:
    names = ("instType", "instId", "ordId", "algoId", "ordType", "state")
    wanted = {name: set(params[name].split(",")) for name in names if params.get(name)}
    kept = [row for row in rows if all(row.get(name) in values for name, values in wanted.items())]
    return shapes.page(kept, key, params.get("after"), min(int(params.get("limit", _MAX_ROWS)), _MAX_ROWS))


_V5 = "/api/v5"

_ROUTES: Mapping[tuple[str, str], _Route] = {
    ("GET", f"{_V5}/public/time"): _Route("time", OkxSwap.time, private=False),
    ("GET", f"{_V5}/public/instruments"): _Route("markets", OkxSwap.instruments, private=False),
    ("GET", f"{_V5}/market/ticker"): _Route("ticker", OkxSwap.ticker, private=False),
    ("GET", f"{_V5}/market/tickers"): _Route("ticker", OkxSwap.tickers, private=False),
    ("GET", f"{_V5}/market/books"): _Route("ticker", OkxSwap.books, private=False),
    ("GET", f"{_V5}/asset/currencies"): _Route("other", OkxSwap.currencies),
    ("GET", f"{_V5}/account/balance"): _Route("balances", OkxSwap.balance),
    ("GET", f"{_V5}/account/positions"): _Route("positions", OkxSwap.positions),
    ("GET", f"{_V5}/account/config"): _Route("settings", OkxSwap.config),
    ("GET", f"{_V5}/account/leverage-info"): _Route("settings", OkxSwap.leverage),
    ("POST", f"{_V5}/account/set-leverage"): _Route("settings", OkxSwap.set_leverage),
    ("POST", f"{_V5}/trade/order"): _Route("place", OkxSwap.place),
    ("POST", f"{_V5}/trade/batch-orders"): _Route("place", OkxSwap.place),
    ("POST", f"{_V5}/trade/order-algo"): _Route("place", OkxSwap.place_algo),
    ("POST", f"{_V5}/trade/cancel-order"): _Route("cancel", OkxSwap.cancel),
    ("POST", f"{_V5}/trade/cancel-batch-orders"): _Route("cancel", OkxSwap.cancel),
    ("POST", f"{_V5}/trade/cancel-algos"): _Route("cancel", OkxSwap.cancel_algo),
    ("GET", f"{_V5}/trade/order"): _Route("look_up", OkxSwap.look_up),
    ("GET", f"{_V5}/trade/order-algo"): _Route("look_up", OkxSwap.look_up_algo),
    ("GET", f"{_V5}/trade/orders-pending"): _Route("open_orders", OkxSwap.pending),
    ("GET", f"{_V5}/trade/orders-algo-pending"): _Route("open_orders", OkxSwap.pending_algo),
    ("GET", f"{_V5}/trade/orders-history"): _Route("orders", OkxSwap.history),
    ("GET", f"{_V5}/trade/orders-history-archive"): _Route("orders", OkxSwap.history),
    ("GET", f"{_V5}/trade/orders-algo-history"): _Route("orders", OkxSwap.history_algo),
    ("GET", f"{_V5}/trade/fills"): _Route("trades", OkxSwap.fills),
    ("GET", f"{_V5}/trade/fills-history"): _Route("trades", OkxSwap.fills),
}

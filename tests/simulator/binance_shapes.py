"""The documents that Binance spot answers with; numbers are strings of eight decimals, times milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from tests.simulator.model import Instrument, SimBalance, SimOrder, SimTrade

ORDER_TYPES = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")


def _text(value: Decimal | None) -> str:
    return f"{value or Decimal(0):.8f}"


def usual_answer(kind: str) -> str:
    """The answer's size for an order type when the request names none."""
    return "FULL" if kind in {"MARKET", "LIMIT"} else "ACK"


def exchange_info(instruments: Iterable[Instrument], now_ms: int) -> object:
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
    ]
    symbols = [_symbol(instrument) for instrument in instruments]
    return {"timezone": "UTC", "serverTime": now_ms, "rateLimits": limits, "exchangeFilters": [], "symbols": symbols}


def _symbol(instrument: Instrument) -> object:
    lot = {"minQty": _text(instrument.min_qty), "maxQty": _text(instrument.max_qty)}
    return {
        "symbol": instrument.symbol,
        "status": "TRADING",
        "baseAsset": instrument.base,
        "baseAssetPrecision": 8,
        "quoteAsset": instrument.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "cancelReplaceAllowed": True,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": _text(instrument.tick),
                "maxPrice": "1000000.00000000",
                "tickSize": _text(instrument.tick),
            },
            {"filterType": "LOT_SIZE", **lot, "stepSize": _text(instrument.step)},
            {"filterType": "MARKET_LOT_SIZE", **lot, "minQty": _text(None), "stepSize": _text(None)},
            {
                "filterType": "NOTIONAL",
                "minNotional": _text(instrument.min_notional),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
        "allowedSelfTradePreventionModes": ["EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH"],
    }


def coins(instruments: Iterable[Instrument]) -> object:
    names = dict.fromkeys(name for instrument in instruments for name in (instrument.base, instrument.quote))
    return [{"coin": name, "name": name, "trading": True, "isLegalMoney": False, "networkList": []} for name in names]


def book_ticker(symbol: str, bid: Decimal, ask: Decimal, _: int) -> object:
    return {
        "symbol": symbol,
        "bidPrice": _text(bid),
        "bidQty": "5.00000000",
        "askPrice": _text(ask),
        "askQty": "5.00000000",
    }


def price_ticker(symbol: str, bid: Decimal, ask: Decimal, _: int) -> object:
    return {"symbol": symbol, "price": _text((bid + ask) / 2)}


def day_ticker(symbol: str, bid: Decimal, ask: Decimal, now_ms: int) -> object:
    last = _text((bid + ask) / 2)
    prices = dict.fromkeys(
        ("weightedAvgPrice", "prevClosePrice", "lastPrice", "openPrice", "highPrice", "lowPrice"), last
    )
    return {
        "symbol": symbol,
        "priceChange": _text(None),
        "priceChangePercent": "0.000",
        **prices,
        "lastQty": "0.01000000",
        "bidPrice": _text(bid),
        "bidQty": "5.00000000",
        "askPrice": _text(ask),
        "askQty": "5.00000000",
        "volume": "1000.00000000",
        "quoteVolume": "50000000.00000000",
        "openTime": now_ms - 86_400_000,
        "closeTime": now_ms,
        "firstId": 1,
        "lastId": 2,
        "count": 2,
    }


def account(balances: Mapping[str, SimBalance], now_ms: int) -> object:
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {"maker": "0.00100000", "taker": "0.00100000", "buyer": "0.0", "seller": "0.0"},
        "canTrade": True,
        "canWithdraw": False,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": now_ms,
        "accountType": "SPOT",
        "balances": [
            {"asset": name, "free": _text(balance.free), "locked": _text(balance.locked)}
            for name, balance in balances.items()
        ],
        "permissions": ["SPOT"],
        "uid": 354937868,
    }


def kind_of(found: SimOrder) -> str:
    """The venue's order type."""
    name = found.type.upper()
    return f"{name}_LIMIT" if found.trigger is not None and found.price is not None else name


def _common(found: SimOrder) -> dict[str, object]:
    return {
        "symbol": found.symbol,
        "orderId": int(found.id),
        "orderListId": -1,
        "clientOrderId": found.client_id,
        "price": _text(found.price),
        "origQty": _text(found.quantity),
        "executedQty": _text(found.filled),
        "origQuoteOrderQty": _text(None),
        "cummulativeQuoteQty": _text(found.cost),
        "status": found.status.upper(),
        "timeInForce": found.time_in_force.upper(),
        "type": kind_of(found),
        "side": found.side.upper(),
        "selfTradePreventionMode": "EXPIRE_MAKER",
        **({"stopPrice": _text(found.trigger)} if found.trigger is not None else {}),
    }


def order(found: SimOrder) -> object:
    """As look-ups and lists show it."""
    return _common(found) | {
        "stopPrice": _text(found.trigger),
        "icebergQty": _text(None),
        "time": found.created_ns // 1_000_000,
        "updateTime": found.updated_ns // 1_000_000,
        "isWorking": found.trigger is None or found.triggered,
        "workingTime": found.created_ns // 1_000_000,
    }


def placed(found: SimOrder, kind: str, size: str) -> object:
    """The answer to a new order: ACK, RESULT or FULL; only the last has fills."""
    acknowledged: dict[str, object] = {
        "symbol": found.symbol,
        "orderId": int(found.id),
        "orderListId": -1,
        "clientOrderId": found.client_id,
        "transactTime": found.updated_ns // 1_000_000,
    }
    if size == "ACK":
        return acknowledged
    result = acknowledged | _common(found) | {"type": kind, "workingTime": found.created_ns // 1_000_000}
    return result if size == "RESULT" else result | {"fills": [_fill(trade) for trade in found.trades]}


def _fill(found: SimTrade) -> object:
    return {
        "price": _text(found.price),
        "qty": _text(found.quantity),
        "commission": _text(found.fee),
        "commissionAsset": found.fee_currency,
        "tradeId": int(found.id),
    }


def canceled(found: SimOrder, cancel_id: str) -> object:
    """`clientOrderId` is the cancel's own id; the order's is `origClientOrderId`."""
    ids = {"origClientOrderId": found.client_id, "clientOrderId": cancel_id}
    return _common(found) | ids | {"transactTime": found.updated_ns // 1_000_000}


def rejected_order(params: Mapping[str, str], *, order_id: int, now_ms: int) -> object:
    """A 200 about an order that the matching engine did not take."""
    return {
        "symbol": params.get("symbol", ""),
        "orderId": order_id,
        "orderListId": -1,
        "clientOrderId": params.get("newClientOrderId", ""),
        "transactTime": now_ms,
        "price": params.get("price", _text(None)),
        "origQty": params.get("quantity", _text(None)),
        "executedQty": _text(None),
        "cummulativeQuoteQty": _text(None),
        "status": "REJECTED",
        "timeInForce": params.get("timeInForce", "GTC"),
        "type": params.get("type", ""),
        "side": params.get("side", ""),
        "fills": [],
    }


def trade(found: SimTrade) -> object:
    return {
        "symbol": found.symbol,
        "id": int(found.id),
        "orderId": int(found.order_id),
        "orderListId": -1,
        "price": _text(found.price),
        "qty": _text(found.quantity),
        "quoteQty": _text(found.price * found.quantity),
        "commission": _text(found.fee),
        "commissionAsset": found.fee_currency,
        "time": found.ts_ns // 1_000_000,
        "isBuyer": found.side == "buy",
        "isMaker": found.maker,
        "isBestMatch": True,
    }

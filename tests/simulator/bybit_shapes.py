"""The documents that Bybit's v5 answers with; all values are strings, sizes base units, times milliseconds."""

from __future__ import annotations

from decimal import Decimal

from tests.simulator.model import Instrument, OrderStatus, SimBalance, SimOrder, SimPosition, SimTrade, total

_STATES = {
    OrderStatus.NEW: "New",
    OrderStatus.PARTIALLY_FILLED: "PartiallyFilled",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Cancelled",
    OrderStatus.EXPIRED: "Cancelled",
    OrderStatus.REJECTED: "Rejected",
}


def text(value: Decimal | None) -> str:
    """Without an exponent; empty for None."""
    return "" if value is None else f"{value:f}"


def ms(ns: int) -> str:
    return str(ns // 1_000_000)


def side(name: str) -> str:
    return name.capitalize()


def instrument(found: Instrument) -> dict[str, object]:
    return {
        "baseCoin": found.base,
        "contractType": "LinearPerpetual",
        "copyTrading": "both",
        "deliveryFeeRate": "",
        "deliveryTime": "0",
        "fundingInterval": 480,
        "launchTime": "1585526400000",
        "leverageFilter": {"leverageStep": "0.01", "maxLeverage": "100.00", "minLeverage": "1"},
        "lotSizeFilter": {
            "maxMktOrderQty": text(found.max_qty),
            "maxOrderQty": text(found.max_qty),
            "minNotionalValue": text(found.min_notional),
            "minOrderQty": text(found.min_qty),
            "qtyStep": text(found.step),
        },
        "priceFilter": {"maxPrice": "1999999.80", "minPrice": text(found.tick), "tickSize": text(found.tick)},
        "priceScale": "2",
        "quoteCoin": found.quote,
        "settleCoin": found.quote,
        "status": "Trading",
        "symbol": found.symbol,
        "unifiedMarginTrade": True,
    }


def ticker(found: Instrument, bid: Decimal, ask: Decimal) -> dict[str, str]:
    last = text(bid)
    return {
        "ask1Price": text(ask),
        "ask1Size": "5",
        "bid1Price": last,
        "bid1Size": "5",
        "fundingRate": "0.0001",
        "highPrice24h": text(ask),
        "indexPrice": last,
        "lastPrice": last,
        "lowPrice24h": last,
        "markPrice": text((bid + ask) / 2),
        "openInterest": "1000",
        "openInterestValue": "50000000",
        "prevPrice24h": last,
        "price24hPcnt": "0",
        "symbol": found.symbol,
        "turnover24h": "50000000",
        "volume24h": "1000",
    }


def book(found: Instrument, bid: Decimal, ask: Decimal, now_ms: int) -> dict[str, object]:
    sides = {"a": [[text(ask), "5"]], "b": [[text(bid), "5"]]}
    return {"s": found.symbol, **sides, "ts": now_ms, "u": now_ms, "seq": now_ms, "cts": now_ms}


def status(found: SimOrder) -> str:
    """A linear order that was filled in part and then canceled is "Cancelled" as well."""
    if found.trigger is not None and not found.triggered:
        return "Untriggered" if found.is_open else "Deactivated"
    return _STATES[found.status]


def order(found: SimOrder) -> dict[str, object]:
    rises = (found.side == "buy") == (found.type == "stop_loss")
    fee = total(fill.fee for fill in found.trades)
    return {
        "avgPrice": text(found.average),
        "cancelType": "CancelByUser" if found.status is OrderStatus.CANCELED else "UNKNOWN",
        "closeOnTrigger": False,
        "createType": "CreateByUser",
        "createdTime": ms(found.created_ns),
        "cumExecFee": text(fee),
        "cumExecQty": text(found.filled),
        "cumExecValue": text(found.cost),
        "cumFeeDetail": {found.instrument.quote: text(fee)} if found.trades else {},
        "leavesQty": text(found.left if found.is_open else Decimal(0)),
        "orderId": found.id,
        "orderLinkId": found.client_id or "",
        "orderStatus": status(found),
        "orderType": "Market" if found.price is None else "Limit",
        "positionIdx": 0,
        "price": text(found.price) or "0",
        "qty": text(found.quantity),
        "reduceOnly": found.reduce_only,
        "rejectReason": "EC_NoError",
        "side": side(found.side),
        "stopOrderType": "" if found.trigger is None else "Stop",
        "symbol": found.symbol,
        "timeInForce": "IOC" if found.price is None else found.time_in_force.upper(),
        "tpslMode": "",
        "triggerBy": "" if found.trigger is None else "LastPrice",
        "triggerDirection": 0 if found.trigger is None else 1 if rises else 2,
        "triggerPrice": text(found.trigger),
        "updatedTime": ms(found.updated_ns),
    }


def execution(found: SimTrade, of: SimOrder | None) -> dict[str, object]:
    """Fees are positive when paid."""
    return {
        "closedSize": "",
        "createType": "CreateByUser",
        "execFee": text(found.fee),
        "execId": found.id,
        "execPrice": text(found.price),
        "execQty": text(found.quantity),
        "execTime": ms(found.ts_ns),
        "execType": "Trade",
        "execValue": text(found.quantity * found.price),
        "feeRate": text(found.fee / (found.quantity * found.price)),
        "isMaker": found.maker,
        "leavesQty": "",
        "orderId": found.order_id,
        "orderLinkId": (of.client_id or "") if of is not None else "",
        "orderPrice": text(of.price) or "0" if of is not None else "0",
        "orderQty": text(of.quantity) if of is not None else "",
        "orderType": "Market" if of is None or of.price is None else "Limit",
        "seq": int(found.id),
        "side": side(found.side),
        "stopOrderType": "UNKNOWN",
        "symbol": found.symbol,
    }


def wallet(balances: dict[str, SimBalance], profit: Decimal, settle: str) -> dict[str, object]:
    """`profit` is what positions have won so far, in `settle`: part of the equity, not of the wallet."""
    coins = [
        {
            "accruedInterest": "0",
            "availableToBorrow": "",
            "availableToWithdraw": "",
            "borrowAmount": "0",
            "coin": name,
            "equity": text(found.total),
            "locked": "0",
            "totalOrderIM": "0",
            "totalPositionIM": text(found.locked),
            "totalPositionMM": text(found.locked / 2),
            "unrealisedPnl": text(profit if name == settle else Decimal(0)),
            "usdValue": text(found.total),
            "walletBalance": text(found.total - (profit if name == settle else 0)),
        }
        for name, found in balances.items()
    ]
    equity, used = total(b.total for b in balances.values()), total(b.locked for b in balances.values())
    return {
        "accountType": "UNIFIED",
        "coin": coins,
        "totalAvailableBalance": text(equity - used),
        "totalEquity": text(equity),
        "totalInitialMargin": text(used),
        "totalWalletBalance": text(equity - profit),
    }


def position(found: SimPosition, price: Decimal, leverage: Decimal, now_ms: int) -> dict[str, object]:
    """`size` has no sign; a flat one has no side."""
    value = found.instrument.notional(abs(found.quantity), price)
    return {
        "avgPrice": text(found.entry_price),
        "createdTime": str(now_ms),
        "curRealisedPnl": "0",
        "leverage": text(leverage),
        "liqPrice": "",
        "markPrice": text(price),
        "positionBalance": text(value / leverage),
        "positionIM": text(value / leverage),
        "positionIdx": 0,
        "positionMM": text(value / leverage / 2),
        "positionStatus": "Normal",
        "positionValue": text(value),
        "side": "" if not found.quantity else "Buy" if found.quantity > 0 else "Sell",
        "size": text(abs(found.quantity)),
        "symbol": found.instrument.symbol,
        "tradeMode": 0,
        "unrealisedPnl": text(found.upnl(price)),
        "updatedTime": str(now_ms),
    }


def key() -> dict[str, object]:
    return {
        "id": "13770661",
        "ips": ["*"],
        "isMaster": True,
        "note": "simulator",
        "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": [], "Spot": [], "Derivatives": []},
        "readOnly": 0,
        "type": 1,
        "unified": 0,
        "userID": 24600000,
        "uta": 1,
    }


def account_info(now_ms: int) -> dict[str, object]:
    return {
        "dcpStatus": "OFF",
        "isMasterTrader": False,
        "marginMode": "REGULAR_MARGIN",
        "smpGroup": 0,
        "spotHedgingStatus": "OFF",
        "timeWindow": 10,
        "unifiedMarginStatus": 6,
        "updatedTime": str(now_ms),
    }

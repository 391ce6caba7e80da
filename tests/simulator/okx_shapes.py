"""The documents that OKX answers with; all values are strings, sizes are contracts, times milliseconds.

A conditional order lives twice: as an algo order with an algo id, and once it has triggered as a usual order with an
order id of its own. The engine has one order for both, so the algo id is made from the order id.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from tests.simulator.model import Instrument, OrderStatus, SimBalance, SimOrder, SimPosition, SimTrade, total

_ALGO_OFFSET = 10**17

_STATES = {
    OrderStatus.NEW: "live",
    OrderStatus.PARTIALLY_FILLED: "partially_filled",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "canceled",
    OrderStatus.EXPIRED: "canceled",
    OrderStatus.REJECTED: "order_failed",
}


def algo_id(order: SimOrder) -> str:
    return str(int(order.id) + _ALGO_OFFSET)


def order_id_of(algo: str) -> str:
    """The engine's id behind an algo id; one that no order has when it is none."""
    return str(int(algo) - _ALGO_OFFSET) if algo.isdecimal() else ""


def text(value: Decimal | None) -> str:
    """Without an exponent; empty for None."""
    return "" if value is None else f"{value:f}"


def ms(ns: int) -> str:
    return str(ns // 1_000_000)


def instrument(found: Instrument) -> dict[str, object]:
    swap = found.kind == "swap"
    return {
        "alias": "",
        "baseCcy": "" if swap else found.base,
        "ctMult": "1" if swap else "",
        "ctType": "linear" if swap else "",
        "ctVal": text(found.contract_size) if swap else "",
        "ctValCcy": found.base if swap else "",
        "expTime": "",
        "instFamily": f"{found.base}-{found.quote}" if swap else "",
        "instId": found.symbol,
        "instType": found.kind.upper(),
        "lever": "100",
        "listTime": "1573557408000",
        "lotSz": text(found.step),
        "maxLmtSz": text(found.max_qty),
        "maxMktSz": text(found.max_qty),
        "minSz": text(found.min_qty),
        "optType": "",
        "quoteCcy": "" if swap else found.quote,
        "ruleType": "normal",
        "settleCcy": found.quote if swap else "",
        "state": "live",
        "stk": "",
        "tickSz": text(found.tick),
        "uly": f"{found.base}-{found.quote}" if swap else "",
    }


def ticker(found: Instrument, bid: Decimal, ask: Decimal, now_ms: int) -> dict[str, str]:
    last = text(bid)
    return {
        "instType": found.kind.upper(),
        "instId": found.symbol,
        "last": last,
        "lastSz": "1",
        "askPx": text(ask),
        "askSz": "500",
        "bidPx": last,
        "bidSz": "500",
        "open24h": last,
        "high24h": text(ask),
        "low24h": last,
        "volCcy24h": "1000",
        "vol24h": "100000",
        "sodUtc0": last,
        "sodUtc8": last,
        "ts": str(now_ms),
    }


def order(found: SimOrder) -> dict[str, object]:
    """A usual order; one that a conditional order became has no `clOrdId`."""
    trade = found.trades[-1] if found.trades else None
    conditional = found.trigger is not None
    limited = {"gtc": "limit", "ioc": "ioc", "fok": "fok"}[found.time_in_force]
    return {
        "accFillSz": text(found.filled),
        "algoClOrdId": (found.client_id or "") if conditional else "",
        "algoId": algo_id(found) if conditional else "",
        "attachAlgoOrds": [],
        "avgPx": text(found.average),
        "cTime": ms(found.created_ns),
        "category": "normal",
        "ccy": "",
        "clOrdId": "" if conditional else found.client_id or "",
        "fee": text(-total(fill.fee for fill in found.trades)),
        "feeCcy": found.instrument.quote,
        "fillPx": text(trade.price) if trade else "",
        "fillSz": text(trade.quantity) if trade else "0",
        "fillTime": ms(trade.ts_ns) if trade else "",
        "instId": found.symbol,
        "instType": found.instrument.kind.upper(),
        "lever": "10",
        "ordId": found.id,
        "ordType": "market" if found.price is None else limited,
        "pnl": "0",
        "posSide": "net",
        "px": text(found.price),
        "rebate": "0",
        "rebateCcy": found.instrument.quote,
        "reduceOnly": str(found.reduce_only).lower(),
        "side": found.side,
        "state": _STATES[found.status],
        "sz": text(found.quantity),
        "tag": "",
        "tdMode": "cross",
        "tgtCcy": "",
        "tradeId": trade.id if trade else "",
        "uTime": ms(found.updated_ns),
    }


def algo_order(found: SimOrder) -> dict[str, object]:
    """A conditional order; "effective" says that it triggered, not that it was filled."""
    prefix, other = ("sl", "tp") if found.type == "stop_loss" else ("tp", "sl")
    price = "-1" if found.price is None else text(found.price)
    waiting = "live" if found.is_open else _STATES[found.status]
    return {
        "actualPx": text(found.average),
        "actualSide": prefix if found.triggered else "",
        "actualSz": text(found.quantity) if found.triggered else "0",
        "algoClOrdId": found.client_id or "",
        "algoId": algo_id(found),
        "cTime": ms(found.created_ns),
        "ccy": "",
        "clOrdId": "",
        "closeFraction": "",
        "failCode": "0" if found.triggered else "",
        "instId": found.symbol,
        "instType": found.instrument.kind.upper(),
        "lever": "10",
        "ordId": found.id if found.triggered else "",
        "ordIdList": [found.id] if found.triggered else [],
        "ordPx": "",
        "ordType": "conditional",
        "posSide": "net",
        "reduceOnly": str(found.reduce_only).lower(),
        "side": found.side,
        f"{prefix}OrdPx": price,
        f"{prefix}TriggerPx": text(found.trigger),
        f"{prefix}TriggerPxType": "last",
        f"{other}OrdPx": "",
        f"{other}TriggerPx": "",
        f"{other}TriggerPxType": "",
        "state": "effective" if found.triggered else waiting,
        "sz": text(found.quantity),
        "tag": "",
        "tdMode": "cross",
        "triggerPx": "",
        "triggerTime": ms(found.updated_ns) if found.triggered else "",
        "uTime": ms(found.updated_ns),
    }


def trade(found: SimTrade, client_id: str | None) -> dict[str, str]:
    """Fees are negative when paid."""
    return {
        "billId": str(int(found.id) + _ALGO_OFFSET),
        "clOrdId": client_id or "",
        "execType": "M" if found.maker else "T",
        "fee": text(-found.fee),
        "feeCcy": found.fee_currency,
        "fillPnl": "0",
        "fillPx": text(found.price),
        "fillSz": text(found.quantity),
        "fillTime": ms(found.ts_ns),
        "instId": found.symbol,
        "instType": "SWAP",
        "ordId": found.order_id,
        "posSide": "net",
        "side": found.side,
        "subType": "1",
        "tag": "",
        "tradeId": found.id,
        "ts": ms(found.ts_ns),
    }


def balance(balances: dict[str, SimBalance], now_ms: int) -> dict[str, object]:
    details = [
        {
            "availBal": text(found.free),
            "availEq": text(found.free),
            "cashBal": text(found.total),
            "ccy": currency,
            "eq": text(found.total),
            "eqUsd": text(found.total),
            "frozenBal": text(found.locked),
            "imr": text(found.locked),
            "liab": "",
            "ordFrozen": "0",
            "uTime": str(now_ms),
            "upl": "0",
        }
        for currency, found in balances.items()
    ]
    equity = text(total(found.total for found in balances.values()))
    return {"adjEq": "", "details": details, "imr": "", "mmr": "", "totalEq": equity, "uTime": str(now_ms)}


def position(found: SimPosition, price: Decimal, leverage: Decimal, now_ms: int) -> dict[str, str]:
    """In net mode: `pos` is negative when short."""
    notional = found.instrument.notional(abs(found.quantity), price)
    return {
        "adl": "1",
        "availPos": "",
        "avgPx": text(found.entry_price),
        "cTime": str(now_ms),
        "ccy": found.instrument.quote,
        "imr": text(notional / leverage),
        "instId": found.instrument.symbol,
        "instType": "SWAP",
        "last": text(price),
        "lever": text(leverage),
        "liqPx": "",
        "margin": "",
        "markPx": text(price),
        "mgnMode": "cross",
        "mgnRatio": "",
        "mmr": text(notional / 250),
        "notionalUsd": text(notional),
        "pos": text(found.quantity),
        "posCcy": "",
        "posId": "307173036051017730",
        "posSide": "net",
        "tradeId": "",
        "uTime": str(now_ms),
        "upl": text(found.upnl(price)),
        "uplRatio": "0",
    }


def config(position_mode: str, account_level: str) -> dict[str, object]:
    return {
        "acctLv": account_level,
        "acctStpMode": "cancel_maker",
        "autoLoan": False,
        "ctIsoMode": "automatic",
        "ip": "",
        "kycLv": "3",
        "label": "simulator",
        "level": "Lv1",
        "mainUid": "44705892343619584",
        "mgnIsoMode": "automatic",
        "perm": "read_only,trade",
        "posMode": position_mode,
        "roleType": "0",
        "type": "0",
        "uid": "44705892343619584",
    }


def page(rows: Iterable[dict[str, object]], key: str, after: str | None, limit: int) -> list[dict[str, object]]:
    """Newest first, at most `limit`, older than the one whose id is `after`."""
    newest = reversed(list(rows))
    return [row for row in newest if after is None or int(str(row[key])) < int(after)][:limit]

"""How each exchange answers to an order that it took, as small as its ccxt class can read it.

Taken from the examples in ccxt's own sources and made smaller as long as the class still read the order's id out of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

ORDER_ID, ORDER_NUMBER = "{oid}", "{oid#}"
"""The exchange's id of the order, as a text and as a number."""
MARKET_ID = "{market}"
"""The exchange's name of the market."""

_GROUPS: Sequence[tuple[Sequence[str], Any]] = (
    (
        (
            "alpaca",
            "backpack",
            "btcbox",
            "coinbaseexchange",
            "gate",
            "gateeu",
            "hollaex",
            "latoken",
            "mudrex",
            "paradex",
            "poloniex",
        ),
        {"id": "{oid}"},
    ),
    (("aster", "bitvavo", "btcmarkets", "bullish", "coinsph", "hibachi", "mexc", "toobit"), {"orderId": "{oid}"}),
    (("binance", "binancecoinm", "binanceus", "binanceusdm", "bitrue", "whitebit"), {"orderId": "{oid#}"}),
    (("bithumb", "coinone", "cryptomus", "luno", "onetrading"), {"order_id": "{oid}"}),
    (("bitbns", "bitstamp", "coincheck", "foxbit"), {"id": "{oid#}"}),
    (("bequant", "fmfwio", "hitbtc"), {"id": "{oid#}", "client_order_id": "{oid}", "status": "new"}),
    (("bybit", "bybiteu", "bybitid"), {"retCode": 0, "result": {"orderId": "{oid}"}}),
    (("modetrade", "pacifica", "woofipro"), {"success": True, "data": {"order_id": "{oid#}"}}),
    (("myokx", "okx", "okxus"), {"code": "0", "data": [{"ordId": "{oid}"}]}),
    (("bigone", "extended"), {"data": {"id": "{oid}"}}),
    (("bingx", "tokocrypto"), {"data": {"orderId": "{oid#}"}}),
    (("bitget", "cex"), {"data": {"orderId": "{oid}"}}),
    (("bittrade", "htx"), {"status": "ok", "data": "{oid}"}),
    (("deribit", "derive"), {"result": {"order": {"order_id": "{oid}"}}}),
    (("indodax", "zaif"), {"success": 1, "return": {"order_id": "{oid#}"}}),
    (("kucoin", "kucoinfutures"), {"code": "200000", "data": {"orderId": "{oid}"}}),
    (("paymium", "upbit"), {"uuid": "{oid}"}),
    (("bit2c",), {"NewOrder": {"id": "{oid#}"}}),
    (("bitbank",), {"success": True, "data": {"order_id": "{oid}"}}),
    (
        ("bitfinex",),
        [
            0,
            "on-req",
            None,
            None,
            [
                [
                    "{oid#}",
                    None,
                    1653325121798,
                    "{market}",
                    1653325121798,
                    1653325121798,
                    10,
                    10,
                    "EXCHANGE LIMIT",
                    None,
                    None,
                    None,
                    0,
                    "ACTIVE",
                    None,
                    None,
                    30000,
                    0,
                    0,
                    0,
                    None,
                    None,
                    None,
                    0,
                    0,
                    None,
                    None,
                    None,
                    "API>BFX",
                    None,
                ]
            ],
            None,
            "SUCCESS",
            "Submitting 1 orders.",
        ],
    ),
    (("bitflyer",), {"child_order_acceptance_id": "{oid}"}),
    (("bitopro",), {"orderId": "{oid}", "action": "BUY"}),
    (("bitso",), {"success": True, "payload": {"oid": "{oid}"}}),
    (("bitteam",), {"result": {"id": "{oid#}"}}),
    (("blockchaincom",), {"exOrdId": "{oid}"}),
    (("blofin",), {"data": [{"orderId": "{oid}"}]}),
    (("btcturk",), {"data": {"id": "{oid#}"}}),
    (("btse",), [{"orderId": "{oid}"}]),
    (("bydfi",), {"code": 200, "data": {"orderId": "{oid}"}}),
    (("coinbase",), {"success": True, "success_response": {"order_id": "{oid}"}}),
    (("coinbaseinternational",), {"result": {"order": {"order_id": "{oid}", "order_state": "open"}, "trades": []}}),
    (("coinmate",), {"error": False, "errorMessage": None, "data": "{oid#}"}),
    (("cryptocom",), {"code": 0, "result": {"order_id": "{oid}"}}),
    (("deepcoin",), {"code": "0", "data": {"ordId": "{oid}"}}),
    (("delta",), {"success": True, "result": {"id": "{oid#}"}}),
    (("digifinex",), {"code": 0, "order_id": "{oid}"}),
    (
        ("gemini",),
        {"order_id": "{oid}", "original_amount": "73.519", "executed_amount": "0", "is_live": True, "side": "buy"},
    ),
    (("grvt",), {"result": {"order_id": "{oid}"}}),
    (("hashkey",), {"orderId": "{oid}", "side": "BUY"}),
    (
        ("hyperliquid",),
        {"status": "ok", "response": {"type": "order", "data": {"statuses": [{"resting": {"oid": "{oid#}"}}]}}},
    ),
    (("independentreserve",), {"OrderGuid": "{oid}"}),
    (("kraken",), {"error": [], "result": {"descr": {"order": "buy 73.519 BTCUSDT @ limit 30000"}, "txid": ["{oid}"]}}),
    (("krakenfutures",), {"result": "success", "sendStatus": {"order_id": "{oid}", "status": "placed"}}),
    (("lbank",), {"result": True, "data": {"order_id": "{oid}"}}),
    (("mercado",), {"status_code": 100, "response_data": {"order": {"order_id": "{oid#}"}}}),
    (("nado",), {"status": "success", "data": {"digest": "{oid}"}}),
    (("ndax",), {"OrderId": "{oid#}"}),
    (("p2b",), {"result": {"orderId": "{oid#}"}}),
    (("phemex",), {"data": {"orderID": "{oid}"}}),
    (("polymarket",), [{"oid": "{oid#}"}]),
    (("revolutx",), {"data": [{"venue_order_id": "{oid}"}]}),
    (("weex",), {"success": True, "orderId": "{oid#}"}),
    (("woo",), {"success": True, "data": {"orderId": "{oid#}"}}),
    (("xt",), {"result": {"orderId": "{oid}"}}),
    (("zebpay",), {"statusCode": 200, "statusDescription": "ok", "data": {"orderId": "{oid}"}}),
)

SUCCESS: Mapping[str, Any] = {ccxt_id: template for ids, template in _GROUPS for ccxt_id in ids}
"""By ccxt id; left out are those of which no answer makes an order with an id of the exchange's."""

_GONE = object()


def success(ccxt_id: str, order_id: int, market_id: str) -> Any:
    """The answer with the order's id in it; None where none is known."""
    template = SUCCESS.get(ccxt_id)
    return None if template is None else _filled(template, order_id, market_id)


def success_without_id(ccxt_id: str, market_id: str, *, empty: bool) -> Any:
    """The same answer, with an id that is an `empty` text or one that is not there; None where none is known."""
    template = SUCCESS.get(ccxt_id)
    if template is None:
        return None
    bare = _emptied(template) if empty else _without(template)
    return None if bare is _GONE else _filled(bare, 0, market_id)


def _filled(part: Any, order_id: int, market_id: str) -> Any:
    if isinstance(part, Mapping):
        return {key: _filled(value, order_id, market_id) for key, value in part.items()}
    if isinstance(part, list):
        return [_filled(value, order_id, market_id) for value in part]
    words = {ORDER_ID: str(order_id), ORDER_NUMBER: order_id, MARKET_ID: market_id}
    return words.get(part, part) if isinstance(part, str) else part


def _emptied(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {key: _emptied(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_emptied(value) for value in part]
    return "" if part in (ORDER_ID, ORDER_NUMBER) else part


def _without(part: Any) -> Any:
    """Places in a list keep their order: there the id becomes null."""
    if isinstance(part, Mapping):
        kept = {key: _without(value) for key, value in part.items()}
        return {key: value for key, value in kept.items() if value is not _GONE}
    if isinstance(part, list):
        return [None if (bare := _without(value)) is _GONE else bare for value in part]
    return _GONE if part in (ORDER_ID, ORDER_NUMBER) else part

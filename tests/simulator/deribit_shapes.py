"""The documents that Deribit answers with: bare JSON numbers, amounts of linear instruments in base units."""

from __future__ import annotations

from decimal import Decimal

from tests.simulator.model import Instrument, OrderStatus, SimBalance, SimOrder, SimPosition, SimTrade, total

_STATES = {
    OrderStatus.NEW: "open",
    OrderStatus.PARTIALLY_FILLED: "open",
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "cancelled",
    OrderStatus.EXPIRED: "cancelled",
    OrderStatus.REJECTED: "rejected",
}

_TIMES_IN_FORCE = {"gtc": "good_til_cancelled", "ioc": "immediate_or_cancel", "fok": "fill_or_kill"}


def number(value: Decimal | None) -> float:
    """As the exchange writes numbers; 0 for None."""
    return float(value or 0)


def ms(ns: int) -> int:
    return ns // 1_000_000


def currency(name: str) -> dict[str, object]:
    return {
        "coin_type": name,
        "currency": name,
        "currency_long": name,
        "in_cross_collateral_pool": False,
        "min_confirmations": 1,
        "min_withdrawal_fee": 0.0001,
        "withdrawal_fee": 0.0001,
        "withdrawal_priorities": [],
    }


def instrument(found: Instrument) -> dict[str, object]:
    """`contract_size` is what a contract is, but `amount` counts base units, never contracts."""
    return {
        "base_currency": found.base,
        "contract_size": number(found.step),
        "counter_currency": found.quote,
        "creation_timestamp": 1646824342000,
        "expiration_timestamp": 32503708800000,
        "future_type": "linear",
        "instrument_name": found.symbol,
        "instrument_type": "linear",
        "is_active": True,
        "kind": "future",
        "maker_commission": number(found.maker_fee),
        "max_leverage": 50,
        "min_trade_amount": number(found.min_qty),
        "price_index": f"{found.base}_{found.quote}".lower(),
        "quote_currency": found.quote,
        "settlement_currency": found.quote,
        "settlement_period": "perpetual",
        "state": "open",
        "taker_commission": number(found.taker_fee),
        "tick_size": number(found.tick),
        "tick_size_steps": [],
    }


def ticker(found: Instrument, bid: Decimal, ask: Decimal, now_ms: int) -> dict[str, object]:
    return {
        "best_ask_amount": 50.0,
        "best_ask_price": number(ask),
        "best_bid_amount": 50.0,
        "best_bid_price": number(bid),
        "index_price": number(bid),
        "instrument_name": found.symbol,
        "last_price": number(bid),
        "mark_price": number((bid + ask) / 2),
        "max_price": number(ask * 2),
        "min_price": number(bid / 2),
        "open_interest": 1000.0,
        "settlement_price": number(bid),
        "state": "open",
        "stats": {"high": number(ask), "low": number(bid), "volume": 100.0, "volume_usd": 5_000_000.0},
        "timestamp": now_ms,
    }


def summary(found: Instrument, bid: Decimal, ask: Decimal, now_ms: int) -> dict[str, object]:
    return {
        "ask_price": number(ask),
        "base_currency": found.base,
        "bid_price": number(bid),
        "creation_timestamp": now_ms,
        "high": number(ask),
        "instrument_name": found.symbol,
        "last": number(bid),
        "low": number(bid),
        "mark_price": number((bid + ask) / 2),
        "mid_price": number((bid + ask) / 2),
        "open_interest": 1000.0,
        "quote_currency": found.quote,
        "volume": 100.0,
    }


def book(found: Instrument, bid: Decimal, ask: Decimal, now_ms: int) -> dict[str, object]:
    sides = {"bids": [[number(bid), 50.0]], "asks": [[number(ask), 50.0]], "change_id": now_ms}
    return ticker(found, bid, ask, now_ms) | sides


def order(found: SimOrder) -> dict[str, object]:
    price = found.average if found.price is None else found.price
    return {
        "amount": number(found.quantity),
        "api": True,
        "average_price": number(found.average),
        "commission": number(total(fill.fee for fill in found.trades)),
        "contracts": number(found.quantity / found.instrument.step),
        "creation_timestamp": ms(found.created_ns),
        "direction": found.side,
        "filled_amount": number(found.filled),
        "instrument_name": found.symbol,
        "is_liquidation": False,
        "label": found.client_id or "",
        "last_update_timestamp": ms(found.updated_ns),
        "max_show": number(found.quantity),
        "order_id": found.id,
        "order_state": _STATES[found.status],
        "order_type": "market" if found.price is None else "limit",
        "post_only": False,
        "price": number(price),
        "profit_loss": 0.0,
        "reduce_only": found.reduce_only,
        "replaced": False,
        "time_in_force": _TIMES_IN_FORCE[found.time_in_force],
        "web": False,
    }


def rejected_order(params: dict[str, str], now_ms: int) -> dict[str, object]:
    """An order that the exchange took note of and rejected: nothing of it was executed."""
    return {
        "amount": float(params.get("amount", 0)),
        "api": True,
        "average_price": 0.0,
        "creation_timestamp": now_ms,
        "filled_amount": 0.0,
        "instrument_name": params.get("instrument_name", ""),
        "label": params.get("label", ""),
        "last_update_timestamp": now_ms,
        "order_id": "USDC-9999999",
        "order_state": "rejected",
        "order_type": params.get("type", "limit"),
        "reject_reason": "not_enough_funds",
    }


def trade(found: SimTrade, of: SimOrder | None) -> dict[str, object]:
    """Fees are positive when paid."""
    return {
        "amount": number(found.quantity),
        "direction": found.side,
        "fee": number(found.fee),
        "fee_currency": found.fee_currency,
        "index_price": number(found.price),
        "instrument_name": found.symbol,
        "label": (of.client_id or "") if of is not None else "",
        "liquidity": "M" if found.maker else "T",
        "mark_price": number(found.price),
        "matching_id": None,
        "order_id": found.order_id,
        "order_type": "market" if of is None or of.price is None else "limit",
        "post_only": False,
        "price": number(found.price),
        "reduce_only": of is not None and of.reduce_only,
        "self_trade": False,
        "state": _STATES[of.status] if of is not None else "archive",
        "tick_direction": 0,
        "timestamp": ms(found.ts_ns),
        "trade_id": f"USDC-{found.id}",
        "trade_seq": int(found.id),
    }


def account(name: str, found: SimBalance) -> dict[str, object]:
    return {
        "available_funds": number(found.free),
        "available_withdrawal_funds": number(found.free),
        "balance": number(found.total),
        "currency": name,
        "delta_total": 0.0,
        "equity": number(found.total),
        "initial_margin": number(found.locked),
        "maintenance_margin": number(found.locked / 2),
        "margin_balance": number(found.total),
        "portfolio_margining_enabled": False,
        "total_pl": 0.0,
    }


def position(found: SimPosition, price: Decimal, leverage: Decimal) -> dict[str, object]:
    """`size` is in the quote currency and moves with the price, `size_currency` in base units; below 0 when short."""
    notional = found.instrument.notional(found.quantity, price)
    direction = "buy" if found.quantity > 0 else "sell" if found.quantity < 0 else "zero"
    return {
        "average_price": number(found.entry_price),
        "delta": number(found.quantity),
        "direction": direction,
        "estimated_liquidation_price": 0.0,
        "floating_profit_loss": number(found.upnl(price)),
        "index_price": number(price),
        "initial_margin": number(abs(notional) / leverage),
        "instrument_name": found.instrument.symbol,
        "kind": "future",
        "leverage": int(leverage),
        "maintenance_margin": number(abs(notional) / leverage / 2),
        "mark_price": number(price),
        "open_orders_margin": 0.0,
        "realized_profit_loss": 0.0,
        "settlement_price": number(price),
        "size": number(notional),
        "size_currency": number(found.quantity),
        "total_profit_loss": number(found.upnl(price)),
    }

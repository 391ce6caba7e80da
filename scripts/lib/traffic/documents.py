"""The bodies of test alerts, one function a kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from scripts.lib.traffic.kinds import Kind
from scripts.lib.traffic.known import Known
from scripts.lib.traffic.target import Lane, Sender

TAG = "test-traffic"
"""On every order, so that only orders of this traffic are canceled by it."""

_ORDER_VALUE = (12, 60)
"""Quote units: above every minimum, and small enough for hours of it."""

_SELL_SHARE = 0.85
_TIMED_SHARE = 0.5
_THROUGH = {"buy": Decimal("1.003"), "sell": Decimal("0.997")}

Document = dict[str, Any]


class Scene(NamedTuple):
    """What a body depends on; `now` is Unix seconds."""

    sender: Sender
    lane: Lane
    known: Known
    random: random.Random
    now: float


def document(kind: Kind, scene: Scene) -> Document:
    """The body of one alert, without its key."""
    made: Document = {"symbol": _spelled(scene), "account": scene.lane.account, "tag": TAG}
    if scene.random.random() < _TIMED_SHARE:
        made["timestamp"] = iso(scene.now)
    return made | _BODIES[kind](scene)


def iso(seconds: float) -> str:
    """UTC, as TradingView writes the time."""
    return _iso(int(seconds))


@lru_cache(maxsize=16)
def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(value: Decimal) -> str:
    """Digits without an exponent."""
    return f"{value:f}"


def _spelled(scene: Scene) -> str:
    market = scene.lane.market
    if scene.lane.price is None:
        return market.symbol
    return market.base + scene.random.choice(("/", "-", "_", "")) + market.quote


def _value(scene: Scene) -> str:
    return str(scene.random.randint(*_ORDER_VALUE))


def _buy(scene: Scene) -> Document:
    price = scene.known.price(scene.lane, scene.now) or scene.lane.price or Decimal(1)
    return {"side": "buy", "quantity": plain(scene.lane.market.round_quantity(Decimal(_value(scene)) / price))}


def _sell(scene: Scene) -> Document:
    lots = scene.known.of(scene.lane).lots
    return {"side": "sell", "quantity": plain(scene.lane.market.round_quantity(lots.popleft()))}


def _order(scene: Scene) -> Document:
    """Sells what was bought more often than not, so that a long run neither runs out of money nor hoards."""
    held = scene.known.of(scene.lane).lots
    return _sell(scene) if held and scene.random.random() < _SELL_SHARE else _buy(scene)


def _price(scene: Scene, factor: Decimal) -> str:
    price = scene.known.price(scene.lane, scene.now)
    assert price is not None, "such a kind is chosen only where the price is known"
    return plain(scene.lane.market.round_price(price * factor))


def _limit(scene: Scene) -> Document:
    order = _order(scene)
    return order | {"order_type": "limit", "price": _price(scene, _THROUGH[order["side"]])}


def _resting(scene: Scene) -> Document:
    return _buy(scene) | {"order_type": "limit", "price": _price(scene, Decimal("0.95"))}


def _stop(scene: Scene) -> Document:
    return _sell(scene) | {"order_type": "stop_loss", "stop_price": _price(scene, Decimal("0.9"))}


def _target(scene: Scene) -> Document:
    return _sell(scene) | {"order_type": "take_profit", "stop_price": _price(scene, Decimal("1.1"))}


def _close(scene: Scene) -> Document:
    scene.known.of(scene.lane).lots.clear()
    return {"action": "close"}


def _by_value(scene: Scene) -> Document:
    return {"side": "buy", "quote_amount": _value(scene)}


def _stale(scene: Scene) -> Document:
    return _by_value(scene) | {"timestamp": iso(scene.now - scene.sender.stale_after - 60)}


def _too_small(scene: Scene) -> Document:
    return {"side": "buy", "quantity": plain(scene.lane.market.amount_step)}


_BODIES: Mapping[Kind, Callable[[Scene], Document]] = {
    Kind.MARKET: _order,
    Kind.BY_VALUE: _by_value,
    Kind.BY_EQUITY: lambda _: {"side": "buy", "equity_percent": "0.05"},
    Kind.LIMIT: _limit,
    Kind.RESTING: _resting,
    Kind.STOP: _stop,
    Kind.TARGET: _target,
    Kind.CANCEL: lambda _: {"action": "cancel"},
    Kind.CLOSE: _close,
    Kind.NAN: lambda scene: _buy(scene) | {"confidence": "NaN"},
    Kind.UNKNOWN_SYMBOL: lambda _: {"symbol": "NOSUCH/USDT", "side": "buy", "quantity": "1"},
    Kind.STALE: _stale,
    Kind.LOW_CONFIDENCE: lambda scene: _buy(scene) | {"confidence": "0.1"},
    Kind.TOO_SMALL: _too_small,
    Kind.WRONG_FIELD: lambda _: {"side": "hold", "quantity": "1"},
    Kind.BAD_SIGNATURE: _buy,
}

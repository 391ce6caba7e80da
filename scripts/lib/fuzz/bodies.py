"""Bodies: alerts that mean something, changed in a few places, as raw JSON so that every way of writing is possible."""

from __future__ import annotations

import json
import random
import time

from scripts.lib.fuzz import values

Pairs = list[tuple[str, str]]
"""Keys and values as they are written in the JSON."""

SYMBOLS = {"BTC/USDT": "0.0005", "ETH/USDT": "0.01", "SOL/USDT": "0.1"}
"""What is traded, and how much of it is a small order."""

FIELDS = (
    "symbol",
    "side",
    "action",
    "target_position",
    "target_quantity",
    "order_type",
    "quantity",
    "quote_amount",
    "equity_percent",
    "risk_percent",
    "atr",
    "atr_multiple",
    "price",
    "stop_price",
    "stop_loss",
    "take_profit",
    "confidence",
    "timestamp",
    "source",
    "account",
    "id",
    "tag",
    "comment",
    "reduce_only",
)
"""Every field of an alert, as the README has them."""

_GOOD = {
    "side": ('"buy"', '"sell"', '"BUY"', '"Sell"'),
    "action": ('"close"', '"cancel"'),
    "target_position": ('"long"', '"short"', '"flat"'),
    "target_quantity": ("0.001", "0", '"0.01"'),
    "order_type": ('"market"', '"limit"', '"stop_loss"', '"take_profit"'),
    "quantity": ("0.001", '"0.001"', "1", "1e-3"),
    "quote_amount": ("50", '"50.5"'),
    "equity_percent": ("0.001", "1", "100"),
    "risk_percent": ("0.001", "1"),
    "atr": ("100", '"3.5"'),
    "atr_multiple": ("2", "0.1"),
    "price": ("59000", "61000", '"3000.123456"'),
    "stop_price": ("58000", "62000"),
    "stop_loss": ("58000", "null"),
    "take_profit": ("62000", '""'),
    "confidence": ("1", "0.7", '"0.1"', "NaN"),
    "source": ('"tradingview"', '"signed"'),
    "account": ('"paper-1"', '"paper-2"', '"nobody"'),
    "id": ('"Long"', "1", '""', "null"),
    "tag": ('"Long"', "7", '"\\u00e4"'),
    "comment": ('"words"', '""'),
    "reduce_only": ("true", "false", '"true"'),
}


def valid(chance: random.Random, name: str) -> Pairs:
    """A market order that nothing is wrong with; `name` is its id."""
    symbol, quantity = chance.choice(tuple(SYMBOLS.items()))
    return [
        ('"symbol"', json.dumps(symbol)),
        ('"side"', chance.choice(('"buy"', '"sell"'))),
        ('"quantity"', json.dumps(quantity)),
        ('"id"', json.dumps(name)),
    ]


def cancel(symbol: str, name: str) -> Pairs:
    """Cancels what rests, so that a long run does not pile up orders."""
    return [('"action"', '"cancel"'), ('"symbol"', json.dumps(symbol)), ('"id"', json.dumps(name))]


def combined(chance: random.Random, name: str) -> Pairs:
    """Any fields together, each with a value that is right somewhere."""
    now = time.time()
    times = (str(int(now)), str(int(now * 1000)), str(now - 299), str(now - 301), str(now + 59), str(now + 61))
    pairs = [('"symbol"', json.dumps(chance.choice(tuple(SYMBOLS))))]
    for field in chance.sample(FIELDS[1:], chance.randint(1, 6)):
        good = times if field == "timestamp" else _GOOD[field]
        pairs.append((f'"{field}"', chance.choice(good)))
    return [*pairs, ('"id"', json.dumps(name))] if all(key != '"id"' for key, _ in pairs) else pairs


def _other_value(chance: random.Random, pairs: Pairs, at: int) -> None:
    pairs[at] = (pairs[at][0], values.nasty(chance))


def _further_field(chance: random.Random, pairs: Pairs, at: int) -> None:
    field = chance.choice(FIELDS)
    written = values.TIMES if field == "timestamp" else (values.nasty(chance),)
    pairs.insert(at, (f'"{field}"', chance.choice(written)))


def _without(_: random.Random, pairs: Pairs, at: int) -> None:
    del pairs[at]


def _twice(chance: random.Random, pairs: Pairs, at: int) -> None:
    pairs.insert(at, (pairs[at][0], values.nasty(chance)))


def _other_key(chance: random.Random, pairs: Pairs, at: int) -> None:
    pairs[at] = (chance.choice(values.KEYS), pairs[at][1])


def _unknown(chance: random.Random, pairs: Pairs, at: int) -> None:
    pairs.insert(at, (chance.choice(values.KEYS), values.nasty(chance)))


_CHANGES = (_other_value, _other_value, _further_field, _without, _twice, _other_key, _unknown)


def mutate(chance: random.Random, pairs: Pairs) -> Pairs:
    """One change."""
    changed = list(pairs) or [('"symbol"', '"BTC/USDT"')]
    chance.choice(_CHANGES)(chance, changed, chance.randrange(len(changed)))
    return changed


def written(chance: random.Random, pairs: Pairs) -> bytes:
    """The pairs as an object, with any white space."""
    gap = chance.choice(("", "", "", " ", "\n", "\t \r\n"))
    text = "{" + gap + f",{gap}".join(f"{key}{gap}:{gap}{value}" for key, value in pairs) + gap + "}"
    return text.encode("utf-8", "surrogatepass")


def damaged(chance: random.Random, body: bytes) -> bytes:
    """Cut off, or a few bytes put in, changed or appended."""
    at = chance.randrange(len(body) + 1)
    return chance.choice(
        (
            body[:at],
            body[:at] + chance.randbytes(chance.randint(1, 4)) + body[at:],
            body[:at] + chance.randbytes(1) + body[at + 1 :],
            b"\xef\xbb\xbf" + body,
            body + chance.choice((b"\x00", b" {}", b"\n\n", b"]")),
        )
    )

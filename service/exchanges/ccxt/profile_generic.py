"""The ids that other ccxt classes hand to their exchange, and under which name; a test drives them.

Left out are those whose format is not known to fit any of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from service.core.client_ids import ClientIdFormat, IdKind
from service.exchanges.ccxt.profile_codes import BASE32, UUID


class PlacedId(NamedTuple):
    """`param` is the key of create_order's params."""

    id_format: ClientIdFormat
    param: str = "clientOrderId"


_SHORT = ClientIdFormat(IdKind.PREFIXED_BASE32, prefix="fp", max_length=20)
_NUMBER = ClientIdFormat(IdKind.NUMERIC, max_length=19, bits=63)

_TAKE_TEXT = (
    "alpaca",
    "bigone",
    "binancecoinm",
    "bithumb",
    "bitrue",
    "btcmarkets",
    "btcturk",
    "btse",
    "coinbaseinternational",
    "deepcoin",
    "delta",
    "gemini",
    "hashkey",
    "lbank",
    "poloniex",
    "tokocrypto",
    "upbit",
    "weex",
    "zebpay",
)

PLACED_IDS: Mapping[str, PlacedId] = {
    **dict.fromkeys(_TAKE_TEXT, PlacedId(BASE32)),
    **dict.fromkeys(("coinbaseexchange", "krakenfutures", "onetrading", "revolutx"), PlacedId(UUID)),
    **dict.fromkeys(("ndax", "woo"), PlacedId(_NUMBER)),
    "blockchaincom": PlacedId(_SHORT),
    # Its unified name is dropped and an id made up instead.
    "coinbase": PlacedId(UUID, "client_order_id"),
}
"""By ccxt id; for the rest our id is not sent."""

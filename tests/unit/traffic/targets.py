"""Senders and targets for tests, made without any file."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal

from scripts.lib.traffic.target import Lane, Sender, Target
from service.exchanges.paper.settings import PaperSettings
from service.secrets import Secret

KEY = b"0123456789abcdef0123456789abcdef"
PAPER = PaperSettings()
LANES = tuple(Lane(account, symbol.market(), symbol.price) for account in PAPER.accounts for symbol in PAPER.symbols)
STANDARD = Sender(
    name="default",
    auth="standard",
    secret=Secret("whsec_" + base64.b64encode(KEY).decode()),
    lanes=LANES,
    rate=2000,
    burst=4000,
    stale_after=300,
    min_confidence=Decimal("0.6"),
)
TOKEN = replace(
    STANDARD, name="tradingview", auth="token", secret=Secret("a-token"), lanes=LANES[:16], rate=50, burst=200
)


def target(url: str, *senders: Sender) -> Target:
    return Target(url, senders or (STANDARD,), 16_384, 10)

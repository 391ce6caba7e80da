"""A simulated exchange as a process of its own: what goes wrong there, its prices, and the book of what it executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from scripts.lib.chaos.processes import simulator
from tests.simulator.ledger import Event, read
from tests.simulator.venue import API_KEY, API_PASSWORD, API_SECRET

NAME = "binance"
KEYS = {
    "FILLPATH_EXCHANGE_MAIN_API_KEY": API_KEY,
    "FILLPATH_EXCHANGE_MAIN_SECRET": API_SECRET,
    "FILLPATH_EXCHANGE_MAIN_PASSWORD": API_PASSWORD,
}
"""Of the account `main`."""

LOOKING = ("look_up", "open_orders", "orders", "trades")
"""The requests by which an order in doubt is looked for."""


class Venue(NamedTuple):
    address: str
    ledger: Path

    def fail(self, endpoint: str, kind: str, *, count: int = 1, client_id: str | None = None, **fault: Any) -> None:
        """What the next requests to an endpoint meet, with `client_id` only those about that order."""
        faults = [{"kind": kind, **fault}] * count
        self._post("faults", {"endpoint": endpoint, "faults": faults, "client_id": client_id})

    def mend(self) -> None:
        httpx.delete(f"{self.address}/-/faults", trust_env=False).raise_for_status()

    def hits(self, endpoint: str) -> list[dict[str, Any]]:
        """The requests to an endpoint that a fault has hit."""
        shown = httpx.get(f"{self.address}/-/faults", trust_env=False).raise_for_status().json()
        return [hit for hit in shown["history"] if hit["endpoint"] == endpoint]

    def price(self, symbol: str, bid: str, ask: str) -> None:
        self._post("price", {"symbol": symbol, "bid": bid, "ask": ask})

    def place_by_hand(self, symbol: str, side: str, quantity: str, price: str) -> None:
        """A resting order that is none of ours."""
        asked = {"symbol": symbol, "side": side, "quantity": quantity, "price": price, "client_id": "by-hand"}
        self._post("order", asked)

    def events(self) -> list[Event]:
        """All that was executed, in order."""
        return list(read(self.ledger))

    def _post(self, path: str, asked: dict[str, Any]) -> None:
        httpx.post(f"{self.address}/-/{path}", json=asked, trust_env=False).raise_for_status()


@contextmanager
def running(folder: Path) -> Iterator[Venue]:
    """One without faults."""
    ledger = folder / "ledger.jsonl"
    with simulator(NAME, fault_rate=0, seed=1, ledger=ledger) as address:
        yield Venue(address, ledger)

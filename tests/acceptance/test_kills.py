"""Killed again and again under a stream of alerts: each acknowledged alert is executed exactly once.

The judge knows acknowledgements from the sender and executions from the exchange's books, never from Fillpath.
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from typing import Self

import httpx

from tests.acceptance.conftest import PROGRAM, Running

KILLS = 8
SEED = 20
TOKEN = "the-token-of-this-test"
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "BNB/USDT")
QUANTITY = {"BTC/USDT": "0.0005", "ETH/USDT": "0.01", "SOL/USDT": "0.1", "BNB/USDT": "0.05"}


class Sender:
    """Sends numbered alerts, each again until it is acknowledged, as senders do."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: dict[str, str] = {}
        self.repeated = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number = 0
        with httpx.Client(base_url=self._base, timeout=5, trust_env=False) as client:
            while not self._stop.is_set():
                self._send(client, f"alert-{number}", SYMBOLS[number % len(SYMBOLS)])
                number += 1

    def _send(self, client: httpx.Client, name: str, symbol: str) -> None:
        alert = {"id": name, "symbol": symbol, "side": "buy", "quantity": QUANTITY[symbol], "token": TOKEN}
        while not self._stop.is_set():
            try:
                answer = client.post("/webhook/kills", json=alert)
            except httpx.HTTPError:
                self.repeated += 1
                time.sleep(0.02)  # between two attempts of a sender, not a wait of the test
                continue
            assert answer.status_code == 202, answer.text
            self.acknowledged[name] = answer.json()["order_id"]
            return


def test_each_acknowledged_alert_is_executed_exactly_once_across_kills(installation):
    folder, environ = installation.folder, installation.environ
    (folder / "fillpath.toml").write_text(
        '[sources.kills]\nauth = "token"\naccounts = ["paper-1"]\nrate = 100000\nburst = 100000\nmax_age_market = 300\n'
        "[paper]\nlatency = 0.02\nvolatility = 0.0\n",
        encoding="utf-8",
    )
    environ["FILLPATH_WEBHOOK_SECRET_KILLS"] = TOKEN
    chance = random.Random(SEED)

    with Sender(f"http://127.0.0.1:{environ['FILLPATH_PORT']}") as sender:
        for _ in range(KILLS):
            running = Running([PROGRAM, "serve"], folder, environ)
            running.ready()
            time.sleep(chance.uniform(0.1, 1.0))  # the moment of the kill is the point
            running.kill()
    with installation.serving():
        orders = _settled(installation)

    assert len(sender.acknowledged) > 10 * KILLS
    books = sqlite3.connect(folder / "var" / "paper.sqlite")
    executed = dict(books.execute("SELECT client_order_id, count(*) FROM orders GROUP BY client_order_id"))
    filled = dict(
        books.execute(
            "SELECT o.client_order_id, count(f.part) FROM orders o JOIN fills f ON f.order_number = o.number "
            "GROUP BY o.client_order_id"
        )
    )
    books.close()
    by_id = {order["order_id"]: order for order in orders}
    for name, order_id in sender.acknowledged.items():
        assert by_id[order_id]["status"] == "FILLED", (name, by_id[order_id])
        assert executed[by_id[order_id]["client_order_id"]] == 1
    assert set(filled.values()) == {1}
    # Nothing was executed that is not in the journal as executed, and nothing is there twice.
    assert set(filled) == {order["client_order_id"] for order in orders if order["status"] == "FILLED"}
    assert len({order["trace_id"] for order in orders}) == len(orders)


def _settled(installation) -> list[dict]:
    """All orders, once none is unfinished."""
    deadline = time.monotonic() + 180
    while True:
        orders = _all_orders(installation)
        unfinished = [order["status"] for order in orders if order["status"] in {"RECEIVED", "SUBMITTED", "IN_DOUBT"}]
        if not unfinished:
            return orders
        assert time.monotonic() < deadline, f"still unfinished: {unfinished}"
        time.sleep(0.2)


def _all_orders(installation) -> list[dict]:
    token = (installation.folder / "var" / "secrets" / "operator-token").read_text("utf-8").strip()
    base = f"http://127.0.0.1:{installation.environ['FILLPATH_OPERATOR_PORT']}"
    headers = {"Authorization": f"Bearer {token}"}
    found: list[dict] = []
    with httpx.Client(base_url=base, headers=headers, timeout=30, trust_env=False) as client:
        parameters: dict[str, str] = {"limit": "500"}
        while True:
            page = json.loads(client.get("/orders", params=parameters).text)
            found += page["orders"]
            if page["next"] is None:
                return found
            parameters["after"] = page["next"]

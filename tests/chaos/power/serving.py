"""A service process on a disk, and by a clock, that the test disturbs; and senders that send until they are heard."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from contextlib import asynccontextmanager, closing

import httpx

from tests.acceptance.conftest import PROGRAM, Running, on_free_ports
from tests.chaos.power.recording import Faults, build, environment
from tests.support.waiting import until

TOKEN = "the-token-of-this-test"
CONFIG = """
[sources.chaos]
auth = "token"
accounts = ["paper-1"]
rate = 100000
burst = 100000
max_age_market = 300
[paper]
latency = 0.0
volatility = 0.0
"""
BUY = {"symbol": "BTC/USDT", "side": "buy", "quantity": "0.0002"}
DENIED = {"symbol": "DOT/USDT", "side": "sell", "quantity": "5"}
"""Journaled, then denied for want of anything to sell: no exchange takes part."""
ENDED = {"FILLED", "DENIED", "EXPIRED", "CANCELED", "REJECTED", "ABSENT"}
PATIENCE_S = 60.0


class Disturbed:
    """Fillpath in `folder`, with faults that reach its journal alone, and its wall clock."""

    def __init__(self, folder):
        self.folder = folder
        self.data = folder / "var"
        self.data.mkdir()
        self.faults = Faults(folder / "faults")
        shim = environment(build(folder), below=self.data, faults=folder / "faults", only="journal.sqlite")
        self.environ = on_free_ports() | shim | {"FILLPATH_WEBHOOK_SECRET_CHAOS": TOKEN}
        self.public = f"http://127.0.0.1:{self.environ['FILLPATH_PORT']}"
        self.operator = f"http://127.0.0.1:{self.environ['FILLPATH_OPERATOR_PORT']}"
        (folder / "fillpath.toml").write_text(CONFIG, encoding="utf-8")

    def start(self):
        return Running([PROGRAM, "serve"], self.folder, self.environ)

    @asynccontextmanager
    async def serving(self, *, kill=False):
        """Killed at the end of the block, or stopped."""
        running = self.start()
        try:
            running.ready(within=PATIENCE_S)
            yield running
        finally:
            self.faults.set()
            await asyncio.to_thread(running.kill if kill else running.stop)

    def operating(self):
        """A client with the operator's token."""
        token = (self.data / "secrets" / "operator-token").read_text("utf-8").strip()
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.AsyncClient(base_url=self.operator, headers=headers, timeout=PATIENCE_S, trust_env=False)

    async def metric(self, name):
        async with self.operating() as client:
            text = (await client.get("/metrics")).text
        found = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        assert found, f"{name} is no metric"
        return sum(map(float, found))

    async def ready(self):
        async with self.operating() as client:
            return (await client.get("/readyz")).status_code

    async def orders(self):
        """All of them, through the operator interface, by id."""
        async with self.operating() as client:
            parameters, found = {"limit": "500"}, []
            while parameters:
                page = (await client.get("/orders", params=parameters)).json()
                found += page["orders"]
                parameters = {**parameters, "after": page["next"]} if page["next"] else {}
        return {order["order_id"]: order for order in found}

    async def settled(self):
        async def all_ended():
            orders = await self.orders()
            return orders if {order["status"] for order in orders.values()} <= ENDED else None

        return await until(all_ended, within=PATIENCE_S, every=0.1)

    def executed(self):
        """How often the paper exchange executed each client order id, by its own books."""
        with closing(sqlite3.connect(self.data / "paper.sqlite")) as books:
            return dict(books.execute("SELECT client_order_id, count(*) FROM orders GROUP BY client_order_id"))


class Senders:
    """Several tasks, each with one alert after another: each is sent until it is acknowledged."""

    def __init__(self, disturbed, alert, count=6):
        self._disturbed = disturbed
        self._alert = alert
        self._count = count
        self._numbers = itertools.count()
        self.acknowledged = {}
        self.refused = []

    @asynccontextmanager
    async def sending(self):
        """While the block runs; afterwards every alert that was begun is acknowledged."""
        self._over = False
        async with (
            httpx.AsyncClient(base_url=self._disturbed.public, timeout=30, trust_env=False) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(self._count):
                tasks.create_task(self._run(client))
            try:
                yield
            finally:
                self._over = True

    async def heard(self, more):
        """Return after so many further acknowledgements."""
        before = len(self.acknowledged)

        async def enough():
            return len(self.acknowledged) >= before + more

        await until(enough, within=PATIENCE_S)

    async def repeat_all(self):
        """Send every alert once more; each must be known as the order that it was."""
        async with httpx.AsyncClient(base_url=self._disturbed.public, timeout=30, trust_env=False) as client:
            for name, order_id in self.acknowledged.items():
                answer = await client.post("/webhook/chaos", json={**self._alert, "id": name, "token": TOKEN})
                assert answer.json()["order_id"] == order_id

    async def turned_away(self, more):
        before = len(self.refused)

        async def enough():
            return len(self.refused) >= before + more

        await until(enough, within=PATIENCE_S)

    async def _run(self, client):
        while not self._over:
            name = f"alert-{next(self._numbers)}"
            while name not in self.acknowledged:
                answer = await client.post("/webhook/chaos", json={**self._alert, "id": name, "token": TOKEN})
                if answer.status_code == 202:
                    self.acknowledged[name] = answer.json()["order_id"]
                else:
                    self.refused.append(answer)
                    await asyncio.sleep(0.05)  # a sender's pause, not a wait of the test

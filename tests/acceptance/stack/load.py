"""Alerts by a fixed schedule, from a process of its own, to a service of a test's own; and what became of each."""

from __future__ import annotations

import base64
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from scripts.lib.bench import lanes, machine, processes
from scripts.lib.bench.open_loop import schedule
from scripts.lib.bench.sending import Plan, Sent
from tests.acceptance.stack.fillpath import Fillpath
from tests.acceptance.stack.waiting import eventually

_LANES = 64
_CONNECTIONS = 32
CONFIGURATION = lanes.toml(_LANES)
"""Of a service that takes such a load."""


class Order(NamedTuple):
    """As the journal has it; times are Unix nanoseconds."""

    order_id: str
    client_order_id: str
    trace_id: str
    status: str
    received_ns: int
    updated_ns: int

    @property
    def milliseconds(self) -> float:
        """From the alert to the last change."""
        return (self.updated_ns - self.received_ns) / 1e6


@contextmanager
def sending(service: Fillpath, rate: float, seconds: float) -> Iterator[Callable[[], Sent]]:
    """The sender at work, begun; what it calls for returns once all is answered. Its latencies are in milliseconds."""
    key = base64.b64decode(service.secrets[lanes.SOURCE].removeprefix("whsec_"))
    plan = Plan(
        port=int(service.public.rpartition(":")[2]),
        secret=key,
        lanes=list(lanes.lanes(_LANES)),
        connections=_CONNECTIONS,
        seconds=seconds,
        count=0,
        name="load",
    )
    plans = schedule(plan, rate, seconds, 1)
    with processes.sending(plans, machine.cores()) as senders:

        def sent() -> Sent:
            (found,) = processes.collect(senders, plans)
            return found

        yield sent


def settled(service: Fillpath, *, within: float = 60.0) -> list[Order]:
    """All orders of a service, by their time, once each is FILLED; as they are when that takes longer."""

    def look() -> list[Order]:
        return [Order(*row) for row in _rows(service.data / "journal.sqlite", _ORDERS)]

    with suppress(AssertionError):  # the orders tell more
        eventually(lambda: all(order.status == "FILLED" for order in look()), within=within)
    return look()


def executed(service: Fillpath) -> Counter[str]:
    """How many orders the paper exchange executed, by client order id. Its books are its own: the service is ended."""
    service.stop()
    return Counter(client_order_id for (client_order_id,) in _rows(service.data / "paper.sqlite", _EXECUTED))


_ORDERS = "SELECT id, client_order_id, trace_id, status, received_ns, updated_ns FROM orders ORDER BY id"
_EXECUTED = "SELECT client_order_id FROM orders WHERE status = 'FILLED'"


def _rows(file: Path, query: str) -> list[tuple]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)) as connection:
        return connection.execute(query).fetchall()

"""What was executed: the book that tests and judges read, kept by the engine and nothing else.

With a file every event is one JSON line, handed to the operating system before the venue answers, so that it can be
read after the simulator or the service was killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal

from tests.simulator.model import SimOrder, SimTrade


@dataclass(frozen=True, kw_only=True)
class Event:
    """`placed`: the engine took the order; `fill`: one execution; `status`: its state changed; `refused`: not placed.

    `quantity` is the order's, for a fill the execution's, in the venue's unit; `fee` is the execution's, positive when
    paid. `reason` is the refusal's.
    """

    kind: Literal["placed", "fill", "status", "refused"]
    ts_ns: int
    order_id: str = ""
    client_id: str | None = None
    symbol: str = ""
    side: str = ""
    order_type: str = ""
    quantity: Decimal = Decimal(0)
    price: Decimal | None = None
    status: str = ""
    reason: str = ""
    reduce_only: bool = False
    fee: Decimal = Decimal(0)
    fee_currency: str = ""


class Ledger:
    """All events in order; `file` is appended to, and events that it holds already are part of the ledger."""

    def __init__(self, file: Path | None = None) -> None:
        self.events: list[Event] = []
        self._by_client: dict[str | None, list[Event]] = {}
        for event in read(file) if file is not None and file.exists() else ():
            self._note(event)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(file, flags, 0o600) if file is not None else None

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._by_client.setdefault(event.client_id, []).append(event)

    def add(self, event: Event) -> None:
        self._note(event)
        if self._file is not None:
            os.write(self._file, (json.dumps(asdict(event), default=str) + "\n").encode())

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def placed(self, client_id: str | None) -> int:
        """How many orders were placed under a client id."""
        return len(self.order_ids(client_id))

    def order_ids(self, client_id: str | None) -> list[str]:
        return [event.order_id for event in self._of(client_id) if event.kind == "placed"]

    def refused(self, client_id: str | None) -> list[str]:
        """The reasons of refusals under a client id."""
        return [event.reason for event in self._of(client_id) if event.kind == "refused"]

    def filled(self, client_id: str | None) -> Decimal:
        """The quantity executed under a client id, over all its orders, in the venue's unit."""
        return sum((event.quantity for event in self._of(client_id) if event.kind == "fill"), Decimal(0))

    def status(self, client_id: str | None) -> str | None:
        """The last state of the last order under a client id; None when none was placed."""
        last = next(reversed(self.order_ids(client_id)), None)
        states = [event.status for event in self._of(client_id) if event.order_id == last and event.status]
        return states[-1] if last is not None and states else None

    def client_ids(self) -> list[str]:
        """All under which something was placed, in order of the first."""
        return [client_id for client_id in self._by_client if client_id is not None and self.placed(client_id)]

    def doubled(self) -> dict[str, int]:
        """Client ids under which more than one order was placed, with their number."""
        return {client_id: count for client_id in self.client_ids() if (count := self.placed(client_id)) > 1}

    def summary(self) -> dict[str, dict[str, object]]:
        """By client id: how many orders, the filled quantity, the last state."""
        return {
            client_id: {
                "placed": self.placed(client_id),
                "filled": str(self.filled(client_id)),
                "status": self.status(client_id),
                "order_ids": self.order_ids(client_id),
            }
            for client_id in self.client_ids()
        }

    def _of(self, client_id: str | None) -> Iterable[Event]:
        return self._by_client.get(client_id, [])


def event_of(kind: Literal["placed", "fill", "status"], order: SimOrder, trade: SimTrade | None = None) -> Event:
    """What happened to an order, as it is now."""
    return Event(
        kind=kind,
        ts_ns=order.updated_ns,
        order_id=order.id,
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.type,
        quantity=order.quantity if trade is None else trade.quantity,
        price=order.price if trade is None else trade.price,
        status=order.status.value,
        reduce_only=order.reduce_only,
        fee=Decimal(0) if trade is None else trade.fee,
        fee_currency="" if trade is None else trade.fee_currency,
    )


def read(file: Path) -> Iterator[Event]:
    """The events of a ledger's file; a last line cut short by a kill is left out."""
    for line in file.read_text("utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            yield _event(json.loads(line))


def _event(fields: Mapping[str, object]) -> Event:
    price = fields["price"]
    values = dict(fields) | {
        "quantity": Decimal(str(fields["quantity"])),
        "fee": Decimal(str(fields.get("fee", 0))),
        "price": None if price is None else Decimal(str(price)),
    }
    return Event(**values)  # type: ignore[arg-type]

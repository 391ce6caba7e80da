"""`Simulator`: a venue behind a loopback port, with its faults and an admin interface for other processes.

Admin requests (`/-/...`) meet no faults and need no signature:

    GET    /-/ledger     by client order id: how often placed, how much filled, the last state
    GET    /-/faults     the faults that hit something, and how many still wait
    POST   /-/faults     {"endpoint": "place", "faults": [{"kind": "close", "after": true}], "client_id": null},
                         a plan as {"kind": "plan", "after": true, "plan": {"parts": [["0.5", 0]], "then": "cancel"}},
                         or {"rate": 0.1, "endpoints": ["place"]} or {"skew_ms": 5000}
    DELETE /-/faults     no more faults
    POST   /-/price      {"symbol": "BTCUSDT", "bid": "50000", "ask": "50001"}
    POST   /-/funds      {"currency": "USDT", "amount": "100000"}
    POST   /-/order      {"symbol": "BTCUSDT", "side": "buy", "quantity": "0.1", "price": "40000", "client_id": "x"}
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from tests.simulator.engine import Engine
from tests.simulator.faults import Endpoint, Fault, FaultKind, Hit, Schedule
from tests.simulator.http import Answer, Request, read_request, write_answer
from tests.simulator.ledger import Ledger
from tests.simulator.model import FillPlan, Rejection
from tests.simulator.venue import Venue

_PAGE = "<html><head><title>{0}</title></head><body><h1>{0}</h1><p>gateway</p></body></html>"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request that arrived, whatever became of it; `connection` counts connections, from 1."""

    method: str
    path: str
    endpoint: Endpoint
    client_id: str | None
    connection: int
    fault: FaultKind | None
    ts_ns: int


@dataclass(frozen=True)
class _Drop:
    """No answer: the connection ends, with `reset` by RST."""

    reset: bool = False


@dataclass(frozen=True)
class _Hang:
    """No answer as long as the client waits."""


@dataclass(frozen=True)
class _Cut:
    """Half of the answer's body, then the end of the connection."""

    answer: Answer


_Reply = Answer | _Drop | _Hang | _Cut


class Simulator:
    """Use it as an async context manager, or `start` and `stop` it; `base_url` has no slash at its end."""

    def __init__(
        self, venue: Venue, schedule: Schedule | None = None, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.venue = venue
        self.schedule = schedule or Schedule()
        self.requests: list[Seen] = []
        self._address = (host, port)
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._count = 0

    @property
    def engine(self) -> Engine:
        return self.venue.engine

    @property
    def ledger(self) -> Ledger:
        return self.venue.engine.ledger

    @property
    def base_url(self) -> str:
        return "http://{}:{}".format(*self._address)

    async def start(self) -> Self:
        """Listen; the same port again after a `stop`."""
        self._server = await asyncio.start_server(self._connected, *self._address)
        self._address = (self._address[0], self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        """End all connections at once, as a machine that loses power; what waits in a delay is not executed."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for task, writer in list(self._connections.items()):
            writer.transport.abort()
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        # The sockets themselves are closed in the loop's next round.
        await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def count(self, endpoint: Endpoint, client_id: str | None = None) -> int:
        """How many requests of this kind arrived, of all or of one client order id."""
        return sum(s.endpoint == endpoint and client_id in {None, s.client_id} for s in self.requests)

    def drop_idle(self) -> None:
        """Close every connection now: those that clients keep for later end without a word."""
        for writer in self._connections.values():
            writer.transport.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[task] = writer
        self._count += 1
        try:
            await self._serve(reader, writer, self._count)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            del self._connections[task]
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: int) -> None:
        while (request := await read_request(reader, connection)) is not None:
            reply = self._admin(request) if request.path.startswith("/-/") else await self._reply(request)
            match reply:
                case Answer():
                    await write_answer(writer, reply)
                    if request.headers.get("connection", "").lower() == "close":
                        return
                case _Cut(answer=answer):
                    await write_answer(writer, answer, cut=True)
                    return
                case _Hang():
                    await reader.read()
                    return
                case _Drop(reset=reset):
                    if reset:
                        linger = struct.pack("ii", 1, 0)
                        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return

    async def _reply(self, request: Request) -> _Reply:
        endpoint, client_id = self.venue.endpoint(request), self.venue.client_id(request)
        hit = self.schedule.take(endpoint, client_id)
        seen = Seen(
            method=request.method,
            path=request.path,
            endpoint=endpoint,
            client_id=client_id,
            connection=request.connection,
            fault=None if hit is None else hit.fault.kind,
            ts_ns=self.engine.clock(),
        )
        self.requests.append(seen)
        if hit is None:
            return self._deliver(request, None)
        fault = hit.fault
        if fault.kind is FaultKind.DELAY and not fault.after:
            await asyncio.sleep(fault.seconds)
        answer = self._deliver(request, hit) if fault.after or fault.kind in _DELIVERED else Answer()
        if fault.kind is FaultKind.DUPLICATE:
            answer = self._deliver(request, hit)
        if fault.kind is FaultKind.DELAY and fault.after:
            await asyncio.sleep(fault.seconds)
        spoil = _SPOIL.get(fault.kind)
        return answer if spoil is None else spoil(self.venue, request, fault, answer)

    def _deliver(self, request: Request, hit: Hit | None) -> Answer:
        """Hand the request to the venue, under the conditions that its fault sets."""
        fault = _HARMLESS if hit is None else hit.fault
        kind, on_cancel = fault.kind, hit is not None and hit.endpoint == "cancel"
        self.venue.skew_ms = fault.skew_ms if kind is FaultKind.CLOCK_SKEW else self.schedule.skew_ms
        before = len(self.ledger.events)
        with self.engine.conditions(
            invisible=fault.seconds if kind is FaultKind.INVISIBLE else 0.0,
            trades_late=fault.seconds if kind is FaultKind.LATE_TRADES else 0.0,
            plan=fault.plan,
            cancel_comes_late=kind is FaultKind.CANCEL_COMES_LATE and on_cancel,
        ):
            answer = self.venue.answer(request)
        if hit is not None:
            hit.delivered += 1
            hit.placed += sum(event.kind == "placed" for event in self.ledger.events[before:])
        return answer

    def _admin(self, request: Request) -> Answer:
        handler = _ADMIN.get((request.method, request.path))
        if handler is None:
            return Answer(status=404, body={"error": f"no {request.method} {request.path}; there are: {list(_ADMIN)}"})
        try:
            return Answer(body=handler(self, request.json()))
        except (KeyError, TypeError, ValueError, InvalidOperation) as error:
            return Answer(status=400, body={"error": f"{type(error).__name__}: {error}"})


_HARMLESS = Fault(kind=FaultKind.DELAY)
_DELIVERED = {FaultKind.DELAY, FaultKind.CLOCK_SKEW}

_Spoil = Callable[[Venue, Request, Fault, Answer], _Reply]


def _redirect(venue: Venue, request: Request, fault: Fault, _: Answer) -> _Reply:
    return Answer(
        status=fault.status, body="", headers={"Location": f"http://{request.headers['host']}{request.target}"}
    )


def _half(answer: Answer) -> Answer:
    payload = answer.payload()
    return Answer(status=answer.status, body=payload[: len(payload) // 2], headers=answer.headers)


_SPOIL: dict[FaultKind, _Spoil] = {
    FaultKind.HANG: lambda *_: _Hang(),
    FaultKind.CLOSE: lambda _v, _r, fault, _a: _Drop(fault.reset),
    FaultKind.INVISIBLE: lambda _v, _r, fault, answer: _Drop() if fault.reset else answer,
    FaultKind.STATUS: lambda _v, _r, fault, _a: Answer(status=fault.status, body=_PAGE.format(fault.status)),
    FaultKind.HTML: lambda _v, _r, fault, _a: Answer(status=fault.status, body=_PAGE.format("One moment, please")),
    FaultKind.REDIRECT: _redirect,
    FaultKind.EMPTY: lambda *_: Answer(body=b""),
    FaultKind.OTHER_JSON: lambda *_: Answer(body={"message": "Welcome"}),
    FaultKind.TRUNCATED_JSON: lambda _v, _r, _f, answer: _half(answer),
    FaultKind.CUT_BODY: lambda _v, _r, _f, answer: _Cut(answer),
    FaultKind.MISSING_ID: lambda venue, _r, _f, answer: venue.without_order_id(answer),
    FaultKind.REJECTED: lambda venue, request, _f, _a: venue.rejected(request),
    FaultKind.UNKNOWN_STATUS: lambda venue, request, _f, _a: venue.unknown_status(request),
    FaultKind.RATE_LIMITED: lambda venue, request, fault, _a: venue.rate_limited(
        request, fault.retry_after, banned=fault.status == 418
    ),
}
"""What is made of the answer; kinds that are not here leave it as it is."""


def _show_faults(simulator: Simulator, _: Any) -> object:
    hits = [asdict(hit) | {"executed": hit.executed} for hit in simulator.schedule.history]
    return {"history": hits, "waiting": simulator.schedule.waiting()}


def _set_faults(simulator: Simulator, asked: Any) -> object:
    schedule = simulator.schedule
    if "rate" in asked:
        schedule.random(float(asked["rate"]), endpoints=asked.get("endpoints"))
    if "skew_ms" in asked:
        schedule.skew_ms = int(asked["skew_ms"])
    faults = [_fault(fields) for fields in asked.get("faults", [])]
    schedule.queue(asked.get("endpoint", "any"), *faults, client_id=asked.get("client_id"))
    return {"waiting": schedule.waiting()}


def _fault(fields: dict[str, Any]) -> Fault:
    plan = fields.get("plan")
    if plan is not None:
        parts = tuple((Decimal(str(share)), float(delay)) for share, delay in plan.pop("parts", []))
        plan = FillPlan(parts=parts, **plan)
    return Fault(**{**fields, "kind": FaultKind(fields["kind"]), "plan": plan})


def _clear_faults(simulator: Simulator, _: Any) -> object:
    simulator.schedule.clear()
    return {"waiting": 0}


def _set_price(simulator: Simulator, asked: Any) -> object:
    if asked["symbol"] not in simulator.engine.instruments:
        raise ValueError(f"unknown symbol {asked['symbol']!r}; there are: {list(simulator.engine.instruments)}")
    simulator.engine.set_price(asked["symbol"], str(asked["bid"]), str(asked["ask"]))
    return {}


def _set_funds(simulator: Simulator, asked: Any) -> object:
    simulator.engine.account.set_funds(asked["currency"], Decimal(str(asked["amount"])))
    return {}


def _place_limit(simulator: Simulator, asked: Any) -> object:
    """As its owner does by hand: a limit order that no client of ours knows."""
    quantity, price = Decimal(str(asked["quantity"])), Decimal(str(asked["price"]))
    placed = simulator.engine.place(
        asked["symbol"], asked["side"], "limit", quantity, price=price, client_id=asked["client_id"]
    )
    match placed:
        case Rejection(code=code, message=message):
            raise ValueError(f"refused: {code} {message}")
        case _:
            return {"order_id": placed.id}


def _show_ledger(simulator: Simulator, _: Any) -> object:
    simulator.engine.advance()
    return simulator.ledger.summary()


_ADMIN: dict[tuple[str, str], Callable[[Simulator, Any], object]] = {
    ("GET", "/-/ledger"): _show_ledger,
    ("GET", "/-/faults"): _show_faults,
    ("POST", "/-/faults"): _set_faults,
    ("DELETE", "/-/faults"): _clear_faults,
    ("POST", "/-/price"): _set_price,
    ("POST", "/-/funds"): _set_funds,
    ("POST", "/-/order"): _place_limit,
}

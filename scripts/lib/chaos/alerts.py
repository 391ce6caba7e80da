"""A stream of alerts, and a sender that repeats each as TradingView does: on 5xx and on no answer within 3 s."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx

from scripts.lib.chaos.evidence import Acknowledgement, Sent
from scripts.lib.chaos.places import PLACES, SOURCE, Place, Traded

_ANSWER_WITHIN_S = 3.0
_ATTEMPTS = 120
"""Two minutes: on a busy machine a service that is killed again and again is hardly ever ready for half of one."""
_PAUSE_S = 1.0
_LIMITS_TAKEN = 0.05
_LIMITS_RESTING = 0.05
_RESTS_FOR_S = 4.0
_AT_ONCE = 256
_AHEAD = 0.1
_TURN_S = 0.1

Body = dict[str, Any]
Cancel = Callable[[str], Awaitable[None]]


class Alert(NamedTuple):
    """`name` is its id; `rests`: a limit that nobody takes, to be cancelled."""

    name: str
    body: Body
    rests: bool = False


def stream(venue: str, seed: int, count: int) -> Iterator[Alert]:
    """So many alerts, the same for the same seed; each names itself in `id` and in `comment`."""
    chance = random.Random(f"{seed}:alerts")  # noqa: S311 - replayed by its seed
    place = PLACES[venue]
    for number in range(count):
        name = f"{seed}-{number}"
        traded, side = chance.choice(place.traded), chance.choice(("buy", "sell"))
        body = {"id": name, "comment": name, **_where(place, traded, chance)}
        kind = chance.random()
        if kind < _LIMITS_RESTING:
            yield Alert(name, {**body, **_limit("buy", traded, traded.resting), "tag": f"rests-{name}"}, rests=True)
        elif kind < _LIMITS_RESTING + _LIMITS_TAKEN:
            price = traded.buying if side == "buy" else traded.selling
            yield Alert(name, {**body, **_limit(side, traded, price)})
        else:
            yield Alert(name, {**body, "side": side, "quantity": traded.quantity})


def _where(place: Place, traded: Traded, chance: random.Random) -> Body:
    return {"account": chance.choice(place.account_names), "symbol": traded.symbol}


def _limit(side: str, traded: Traded, price: str) -> Body:
    return {"side": side, "quantity": traded.quantity, "order_type": "limit", "price": price}


def cancelling(alert: Alert) -> Alert:
    """The alert that cancels what `alert` left resting, and nothing else."""
    name = f"{alert.name}-cancel"
    kept = {key: alert.body[key] for key in ("account", "symbol", "tag")}
    return Alert(name, {"id": name, "comment": name, "action": "cancel", **kept})


async def _turn(share: float, progress: Callable[[], float]) -> None:
    while True:
        if share <= progress() + _AHEAD:
            return
        await asyncio.sleep(_TURN_S)


class Sender:
    """Sends to the webhook at `url`; `cancel` is the operator's way to cancel an order by its id.

    Half of what rests is cancelled by a second alert, half by the operator.
    """

    def __init__(self, url: str, token: str, seed: int, cancel: Cancel) -> None:
        self._url = f"{url}/webhook/{SOURCE}"
        self._token = token
        self._cancel = cancel
        self._chance = random.Random(f"{seed}:sender")  # noqa: S311 - replayed by its seed
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._acknowledgements: list[Acknowledgement] = []
        self._refused: list[str] = []
        self._alerts = self._resent = self._given_up = 0

    @property
    def sent(self) -> Sent:
        """What it knows so far."""
        return Sent(self._alerts, tuple(self._acknowledgements), self._resent, self._given_up, tuple(self._refused))

    async def send_all(self, alerts: Sequence[Alert], a_second: float, progress: Callable[[], float]) -> None:
        """At random moments, so many a second on average; returns when each is answered or given up.

        `progress` is the share of the run that is over: where the machine is slow, alerts wait for it.
        """
        limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)
        async with (
            httpx.AsyncClient(timeout=_ANSWER_WITHIN_S, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for number, alert in enumerate(alerts):
                await asyncio.sleep(self._chance.expovariate(a_second))
                await _turn(number / len(alerts), progress)
                tasks.create_task(self._work(client, alert))

    async def _work(self, client: httpx.AsyncClient, alert: Alert) -> None:
        order_id = await self._send(client, alert)
        if not alert.rests or order_id is None:
            return
        await asyncio.sleep(self._chance.expovariate(1 / _RESTS_FOR_S))
        if self._chance.random() < 1 / 2:
            await self._send(client, cancelling(alert))
        else:
            await self._cancel(order_id)

    async def _send(self, client: httpx.AsyncClient, alert: Alert) -> str | None:
        """The order's id; None when it was refused or given up."""
        self._alerts += 1
        for attempt in range(_ATTEMPTS):
            self._resent += attempt > 0
            try:
                async with self._free:
                    answer = await client.post(self._url, json={**alert.body, "token": self._token})
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
                return self._note(alert, answer)
            await asyncio.sleep(self._chance.uniform(0.5, 1.5) * _PAUSE_S)
        self._given_up += 1
        return None

    def _note(self, alert: Alert, answer: httpx.Response) -> str | None:
        if not answer.is_success:
            self._refused.append(f"{alert.name}: {answer.status_code} {answer.text[:300]}")
            return None
        told = answer.json()
        note = Acknowledgement(alert.name, told["order_id"], told["client_order_id"], told["trace_id"])
        self._acknowledgements.append(note)
        return note.order_id

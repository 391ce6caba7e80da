"""An open load: signed alerts, each at its time, however long the answers take."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import NamedTuple

import httpx

from scripts.lib.census.alerts import Alert
from service.cli.signing import sign
from service.secrets import Secret

ANSWER_WITHIN_S = 30.0
_CONNECTIONS = 64


class Answer(NamedTuple):
    """What an alert was answered: an order, or why there is none.

    `at`: when it was to be sent, `time.monotonic`; `seconds`: from then to the answer, so that a sender that comes late
    counts as waiting.
    """

    alert: Alert
    at: float
    seconds: float
    order_id: str | None
    refusal: str = ""


Tell = Callable[[Answer], None]


async def send(
    url: str, secret: Secret, alerts: Iterable[Alert], a_second: float, tell: Tell, *, source: str = "default"
) -> None:
    """So many alerts a second to the source of the service at `url`; returns when each is answered."""
    limits = httpx.Limits(max_connections=_CONNECTIONS, max_keepalive_connections=_CONNECTIONS)
    started = time.monotonic()
    async with (
        httpx.AsyncClient(timeout=ANSWER_WITHIN_S, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as tasks,
    ):
        for number, alert in enumerate(alerts):
            at = started + number / a_second
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            tasks.create_task(_send(client, f"{url}/webhook/{source}", secret, alert, at, tell))


async def _send(client: httpx.AsyncClient, url: str, secret: Secret, alert: Alert, at: float, tell: Tell) -> None:
    request = sign("standard", secret, alert.body, msg_id=alert.name, now_s=int(time.time()))
    order_id, refusal = None, ""
    try:
        response = await client.post(url, content=request.body, headers=request.headers)
        if response.status_code in {HTTPStatus.OK, HTTPStatus.ACCEPTED}:
            order_id = str(response.json()["order_id"])
        else:
            refusal = f"status {response.status_code}: {response.text[:200]}"
    except httpx.HTTPError as error:
        refusal = f"{type(error).__name__}: {error}"
    tell(Answer(alert, at, time.monotonic() - at, order_id, refusal))

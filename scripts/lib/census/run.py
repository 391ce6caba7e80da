"""One census: a stack of its own, an open load of alerts, and every order looked for."""

from __future__ import annotations

import asyncio
import base64
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple, Protocol

from scripts.lib.census.alerts import Kind, mixed
from scripts.lib.census.jaeger import Jaeger
from scripts.lib.census.looking import Found, look_for_all, seconds_to_searchable
from scripts.lib.census.orders import Operator
from scripts.lib.census.report import Result
from scripts.lib.census.sending import Answer, send
from scripts.lib.stack import Addresses, Ports, Stack
from scripts.lib.stack.errors import Tell
from service.secrets import Secret

SERVERS = frozenset({"service", "collector", "jaeger"})
_FIND_WITHIN_S = 120.0
_SEARCHABLE_WITHIN_S = 60.0
_SAMPLES = 200
_BLOCK_BYTES = 512


class Asked(NamedTuple):
    """So many orders, so many a second, in an empty folder."""

    orders: int
    rate: float
    folder: Path


class Keys(NamedTuple):
    """Made for one census."""

    webhook: Secret
    operator: Secret

    @classmethod
    def new(cls) -> Keys:
        return cls(
            Secret("whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()), Secret(secrets.token_urlsafe(24))
        )

    def environment(self) -> dict[str, str]:
        """As the service reads them."""
        return {
            "FILLPATH_WEBHOOK_SECRET_DEFAULT": self.webhook.reveal(),
            "FILLPATH_OPERATOR_TOKEN": self.operator.reveal(),
        }


class View(Protocol):
    """Sees how it goes on."""

    def answered(self) -> None: ...

    def found(self, found: Found) -> None: ...


def run(asked: Asked, view: View, tell: Tell, environ: Mapping[str, str] = os.environ) -> Result:
    """Raises StackError where the stack does not start; its servers have ended when it returns."""
    started = time.monotonic()
    keys = Keys.new()
    stack = Stack(asked.folder, Ports.free(), only=SERVERS, environ={**environ, **keys.environment()}, tell=tell)
    try:
        stack.up()
        result = asyncio.run(_Census(asked, stack.addresses, keys, view).run())
    finally:
        stack.down()
    result.jaeger_bytes = _disk_use(stack.layout.data("jaeger"))
    result.seconds = time.monotonic() - started
    return result


class _Census:
    def __init__(self, asked: Asked, addresses: Addresses, keys: Keys, view: View) -> None:
        self._asked = asked
        self._addresses = addresses
        self._keys = keys
        self._view = view
        self._operator = Operator(addresses.service_operator, keys.operator.reveal())
        self._jaeger = Jaeger(addresses.jaeger_query, since=time.time())
        self._every = max(1, asked.orders // _SAMPLES)
        self._result = Result(asked.orders, asked.rate)

    async def run(self) -> Result:
        asked, result = self._asked, self._result
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._operator)
            await stack.enter_async_context(self._jaeger)
            started = time.monotonic()
            async with asyncio.TaskGroup() as beside:
                alerts = mixed(secrets.token_hex(4), asked.orders)
                await send(
                    self._addresses.service_public,
                    self._keys.webhook,
                    alerts,
                    asked.rate,
                    lambda answer: self._answered(answer, beside),
                )
                result.sending_s = time.monotonic() - started
            orders = [answer.order_id for answer in result.answers if answer.order_id is not None]
            await look_for_all(orders, self._operator, self._jaeger, within=_FIND_WITHIN_S, tell=self._found)
            result.dropped = await self._operator.dropped()
        return result

    def _answered(self, answer: Answer, beside: asyncio.TaskGroup) -> None:
        number = len(self._result.answers)
        self._result.answers.append(answer)
        self._view.answered()
        if answer.order_id is None:
            return
        if answer.alert.kind is Kind.RESTS:
            beside.create_task(self._operator.cancel(answer.order_id))
        if number % self._every == 0:
            beside.create_task(self._sample(answer.order_id))

    async def _sample(self, order_id: str) -> None:
        self._result.searchable.append(
            await seconds_to_searchable(order_id, self._operator, self._jaeger, within=_SEARCHABLE_WITHIN_S)
        )

    def _found(self, found: Found) -> None:
        self._result.found.append(found)
        self._view.found(found)


def _disk_use(folder: Path) -> int:
    """Bytes on disk: Jaeger's files are longer than what is in them."""
    return sum(file.stat().st_blocks * _BLOCK_BYTES for file in folder.rglob("*") if file.is_file())

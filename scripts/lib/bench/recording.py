"""Records what the service really asks of telemetry for orders on the paper exchange, from webhook to FILLED."""

from __future__ import annotations

import asyncio
import base64
import logging
import secrets
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx

from scripts.lib.bench import lanes
from scripts.lib.bench.calls import Binding, Recorded
from scripts.lib.bench.processes import BenchError
from scripts.lib.bench.recorder import Preset, Recorder
from service.app import Service, telemetry_config
from service.clock import SystemClock
from service.core.orders import OrderStatus
from service.core.signatures import sign_standard
from service.settings import Loaded, decode
from telemetry.config import TelemetryConfig
from telemetry.logs import OtlpHandler

_FILLED_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.005
_WARM = 4
"""Orders before the recorded ones: the first of an exchange read what the others find read."""


class Recording(NamedTuple):
    """`config`, `presets` and `bindings` are what an engine is told at the service's start."""

    orders: Recorded
    config: TelemetryConfig
    presets: Sequence[Preset]
    bindings: Sequence[Binding]


def record(count: int = lanes.LEAST_LANES) -> Recording:
    """Run a service in this process, send it so many alerts one after another, each to the next lane; seconds.

    Raises BenchError where one is not filled.
    """
    with tempfile.TemporaryDirectory(prefix="fillpath-bench-") as folder:
        return asyncio.run(_record(Path(folder), count))


async def _record(folder: Path, count: int) -> Recording:
    secret = secrets.token_bytes(32)
    document = lanes.document(lanes.LEAST_LANES) | {"server": {"port": 0, "operator_port": 0}}
    loaded = Loaded(settings=decode(document), file=None, data_dir=folder)
    config = telemetry_config(loaded)
    recorder = Recorder(config)
    environ = {"FILLPATH_WEBHOOK_SECRET": "whsec_" + base64.b64encode(secret).decode()}
    service = Service(loaded, recorder, SystemClock(), environ)
    with _logging_to(recorder):
        await service.start()
        try:
            async with httpx.AsyncClient(base_url=service.public_address, timeout=30, trust_env=False) as client:
                traded = lanes.lanes(lanes.LEAST_LANES)
                for number in range(-_WARM, count):
                    recorder.begin(discard=number < 0)
                    await _fill(service, client, secret, traded[number % len(traded)])
        finally:
            await service.stop()
    return Recording(Recorded(recorder.orders()), config, recorder.presets, recorder.bindings)


async def _fill(service: Service, client: httpx.AsyncClient, secret: bytes, lane: lanes.Lane) -> None:
    body, msg_id, now = lane.alert(), f"bench_{secrets.token_hex(16)}", int(time.time())
    headers = {
        "content-type": "application/json",
        "webhook-id": msg_id,
        "webhook-timestamp": str(now),
        "webhook-signature": sign_standard(secret, msg_id=msg_id, timestamp=now, body=body),
    }
    answer = await client.post(f"/webhook/{lanes.SOURCE}", content=body, headers=headers)
    answer.raise_for_status()
    order_id = answer.json()["order_id"]
    deadline = time.monotonic() + _FILLED_WITHIN_S
    while service.execution.register.live:
        if time.monotonic() > deadline:
            raise BenchError(f"order {order_id} was not filled within {_FILLED_WITHIN_S:g} s; nothing to measure by")
        await asyncio.sleep(_LOOK_EVERY_S)
    order = await service.journal.find_order(order_id)
    if order is None or order.status is not OrderStatus.FILLED:
        raise BenchError(f"order {order_id} did not end FILLED, but {order and order.status}; nothing to measure by")
    # The commit's own figures are told right after the order has heard of it.
    await asyncio.sleep(_LOOK_EVERY_S)


@contextmanager
def _logging_to(recorder: Recorder) -> Iterator[None]:
    """As the service logs by default, for the length of the block; nothing is written to standard error."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    root.handlers[:] = [OtlpHandler(recorder)]
    root.setLevel(logging.INFO)
    quiet = logging.getLogger("httpx")
    quiet_before = quiet.level
    quiet.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
        quiet.setLevel(quiet_before)

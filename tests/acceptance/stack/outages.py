"""Outages of a minute under load, each on servers of its own, and what was seen meanwhile and after them."""

from __future__ import annotations

import os
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from scripts.lib.bench.sending import Sent
from scripts.lib.chaos.receiver import answering
from tests.acceptance.stack import load
from tests.acceptance.stack.exposition import OPEN_METRICS, read
from tests.acceptance.stack.fillpath import RESTING, Fillpath
from tests.acceptance.stack.jaeger import Jaeger
from tests.acceptance.stack.lab import METRIC_WITHIN_S, Lab, standing
from tests.acceptance.stack.load import Order
from tests.acceptance.stack.relay import Relay, ignore
from tests.acceptance.stack.seen import CollectorKilled, CollectorStopped, JaegerStopped, ServicesKilled, Telemetry
from tests.acceptance.stack.waiting import eventually

ENGINE = "FILLPATH_TELEMETRY_ENGINE"
OUTAGE_S = 60.0
QUEUE_SPANS = 8192
"""The service's own default, which a minute at this load overflows."""
WARM_S, BEFORE_S, AFTER_S = 4.0, 12.0, 5.0
RATE = 30.0
LIGHT_RATE = 8.0
KILL_RATE = 15.0
KILLS = 6

_SECONDS_OF_A_LOOK = 10
_LOOKERS = 4
_DELIVERED_WITHIN_S = 60.0
_QUEUED = re.compile(r'^otelcol_exporter_queue_size\{[^}]*"otlp_http/jaeger"[^}]*\} ([\d.e+]+)$', re.MULTILINE)


def collector_stopped(folder: Path) -> CollectorStopped:
    """Stopped for a minute, and started again; spans wait in the service as long as there is room."""
    with _loaded(folder, RATE) as (lab, service, sending):
        stopped_at = time.time()
        lab.stack.stop("collector")
        memory, waiting = _watch(service, until=time.monotonic() + OUTAGE_S)
        back_at = time.time()
        lab.stack.start("collector")
        sent = sending()
        orders = load.settled(service)
        eventually(lambda: _waiting(service) == 0)
        lab.after_pushes(service)
        telemetry = _telemetry(lab, service, orders)
        executed = load.executed(service)
    begun = sent.begun_ns / 1e9
    stop, back = round((stopped_at - begun) * RATE), round((back_at - begun) * RATE)
    warm_ns = sent.begun_ns + int(WARM_S * 1e9)
    return CollectorStopped(
        sent=sent,
        before=sent.latencies[round(WARM_S * RATE) : stop],
        during=sent.latencies[stop:back],
        orders=orders,
        executed=executed,
        filled_before=[one.milliseconds for one in orders if warm_ns <= one.received_ns < stopped_at * 1e9],
        filled_during=[one.milliseconds for one in orders if stopped_at * 1e9 <= one.received_ns < back_at * 1e9],
        memory=memory,
        waiting=waiting,
        telemetry=telemetry,
    )


def jaeger_stopped(folder: Path) -> JaegerStopped:
    """Stopped for a minute, and started again; the collector goes on."""
    with _loaded(folder, LIGHT_RATE) as (lab, service, sending):
        lab.stack.stop("jaeger")
        time.sleep(OUTAGE_S)
        queued = float(
            _QUEUED.findall(httpx.get(f"{lab.addresses.collector_metrics}/metrics", trust_env=False).text)[0]
        )
        lab.stack.start("jaeger")
        back_at = time.monotonic()
        sent = sending()
        orders = load.settled(service)
        telemetry = _telemetry(lab, service, orders)
        delivered_s = time.monotonic() - back_at
        return JaegerStopped(sent, orders, load.executed(service), float(queued), delivered_s, telemetry)


def collector_killed(folder: Path) -> CollectorKilled:
    """`kill -9` in turn at its acknowledgement of spans and while spans are on their way to it."""
    with ExitStack() as stack:
        lab = stack.enter_context(standing(folder / "stack", "collector", "jaeger"))
        relay = Relay(lab.addresses.otlp_http)
        stack.callback(relay.close)
        port = int(stack.enter_context(answering(relay)).rpartition(":")[2])
        service = stack.enter_context(_serving(lab, folder / "service", otlp_http=port))
        sending = stack.enter_context(load.sending(service, KILL_RATE, KILLS * 5.0))
        for kill in range(KILLS):
            _kill(lab, relay, at_acknowledgement=kill % 2 == 0, delay=random.Random(kill).uniform(0, 0.02))
            lab.stack.start("collector")
        sending()
        orders = load.settled(service)
        eventually(lambda: _waiting(service) == 0)
        acknowledged = relay.spans
        expected = Counter(trace_id for trace_id, _ in acknowledged)
        found = _look(lab.jaeger, expected, enough=len(acknowledged))
        ids = {(trace_id, span_id) for trace_id, spans in found.items() for span_id in spans}
        return CollectorKilled(KILLS, orders, load.executed(service), acknowledged, ids)


def services_killed(folder: Path, lab: Lab) -> ServicesKilled:
    """Two at once, right after an export of theirs: then what they told lives longest."""
    with ExitStack() as stack:
        restarted, elsewhere, successor = (
            stack.enter_context(_closed(lab.fillpath(folder / name, **_engine())))
            for name in ("restarted", "elsewhere", "successor")
        )
        _rest(lab, restarted, 2)
        _rest(lab, elsewhere, 1)
        _rest(lab, successor, 0)
        lab.after_pushes(elsewhere)
        elsewhere.kill()
        restarted.kill()
        killed_at = time.monotonic()
        stack.enter_context(ThreadPoolExecutor(1)).submit(restarted.start)  # looked at meanwhile
        return _seen_after(killed_at, lab, restarted, elsewhere, successor)


def _rest(lab: Lab, service: Fillpath, orders: int) -> None:
    """Start it; returns once Prometheus knows of so many resting orders."""
    service.start()
    for _ in range(orders):
        assert service.send(RESTING).json()["status"] == "ACCEPTED"
    eventually(
        lambda: lab.prometheus.value(f'execution_orders_open{{instance="{service.instance}"}}') == orders, within=30
    )


def _seen_after(
    killed_at: float, lab: Lab, restarted: Fillpath, elsewhere: Fillpath, successor: Fillpath
) -> ServicesKilled:
    of_restarted = f'{{instance="{restarted.instance}"}}'
    names = f'{{instance=~"{elsewhere.instance}|{successor.instance}"}}'
    gone: dict[str, float] = {}
    is_open: list[float] = []
    at_once: list[float] = []
    together: list[float] = []
    heartbeats: list[float] = []

    def look() -> bool:
        after = time.monotonic() - killed_at
        assert after < 2 * OUTAGE_S, f"the dead service's series are still there: {gone}"
        if not lab.collected(elsewhere).values:
            gone.setdefault("collector", after)
        if lab.prometheus.value(f'count({{__name__=~"execution_.+",instance="{elsewhere.instance}"}})') is None:
            gone.setdefault("prometheus", after)
        is_open.append(lab.prometheus.value(f"sum(execution_orders_open{of_restarted})") or 0.0)
        at_once.append(lab.prometheus.value(f"count(execution_build_info{of_restarted})") or 0.0)
        together.append(lab.prometheus.value(f"sum(execution_build_info{names})") or 0.0)
        beat = lab.prometheus.value(f"time() - min(execution_heartbeat_timestamp_seconds{names})")
        heartbeats.append(beat or 0.0)
        return len(gone) == len(("collector", "prometheus")) and after > METRIC_WITHIN_S

    eventually(look, within=2 * OUTAGE_S, every=0.25)
    return ServicesKilled(gone["collector"], gone["prometheus"], is_open, at_once, together, heartbeats)


@contextmanager
def _loaded(folder: Path, rate: float) -> Iterator[tuple[Lab, Fillpath, Callable[[], Sent]]]:
    """Servers, a service and its load, begun long enough ago to have something to compare with."""
    with (
        standing(folder / "stack", "collector", "jaeger") as lab,
        _serving(lab, folder / "service") as service,
        load.sending(service, rate, WARM_S + BEFORE_S + OUTAGE_S + AFTER_S) as sending,
    ):
        time.sleep(WARM_S + BEFORE_S)
        yield lab, service, sending


@contextmanager
def _serving(lab: Lab, folder: Path, **ports: int) -> Iterator[Fillpath]:
    """A service that exports there, or to the ports named, and takes a load."""
    service = Fillpath(
        folder,
        replace(lab.stack.ports, **ports),
        lab.log_file,
        load.CONFIGURATION,
        OTEL_BSP_MAX_QUEUE_SIZE=str(QUEUE_SPANS),
        **_engine(),
    )
    with _closed(service):
        service.start()
        yield service


@contextmanager
def _closed(service: Fillpath) -> Iterator[Fillpath]:
    try:
        yield service
    finally:
        service.close()


def _engine() -> dict[str, str]:
    """The environment may name another one for a run by hand."""
    return {ENGINE: os.environ.get(ENGINE, "lean")}


def _watch(service: Fillpath, *, until: float) -> tuple[list[float], list[int]]:
    memory, waiting = [], []
    while time.monotonic() < until:
        memory.append(service.memory_mib)
        if len(memory) % _SECONDS_OF_A_LOOK == 0:
            waiting.append(_waiting(service))
        time.sleep(1)
    return memory, waiting


def _waiting(service: Fillpath) -> int:
    """Spans in the service's queue."""
    values = read(service.metrics_url, OPEN_METRICS).values
    return int(values["execution_telemetry_queue_items", frozenset({("signal", "traces")})])


def _telemetry(lab: Lab, service: Fillpath, orders: Sequence[Order]) -> Telemetry:
    """Once everything that is not counted as dropped has arrived, or will not any more."""
    with ThreadPoolExecutor(_LOOKERS) as pool:
        counts = pool.map(lambda order: len(service.spans_of(order.order_id)), orders)
        made = {order.trace_id: count for order, count in zip(orders, counts, strict=True)}
    metrics = lab.collected(service).values
    dropped = {
        dict(labels)["reason"]: int(count)
        for (name, labels), count in metrics.items()
        if name == "execution_telemetry_dropped_total" and ("signal", "traces") in labels and count
    }
    spans = sum(made.values())
    found = _look(lab.jaeger, made, enough=spans - sum(dropped.values()))
    return Telemetry(spans, {trace_id: len(ids) for trace_id, ids in found.items()}, dropped)


def _look(jaeger: Jaeger, most: Mapping[str, int], *, enough: int) -> dict[str, set[str]]:
    """The ids of each trace's spans, so many at most, once they are enough, or as they are after a minute."""
    found: dict[str, set[str]] = {trace_id: set() for trace_id in most}
    until = time.monotonic() + _DELIVERED_WITHIN_S
    with ThreadPoolExecutor(_LOOKERS) as pool:
        while sum(map(len, found.values())) < enough and time.monotonic() < until:
            asked = [trace_id for trace_id, ids in found.items() if len(ids) < most[trace_id]]
            found |= zip(asked, pool.map(jaeger.span_ids, asked), strict=True)
    return found


def _kill(lab: Lab, relay: Relay, *, at_acknowledgement: bool, delay: float) -> None:
    """At the next export; returns when it is dead."""
    dead = threading.Event()
    once = threading.Lock()

    def kill() -> None:
        if once.acquire(blocking=False):
            lab.stack.kill("collector")
            dead.set()

    if at_acknowledgement:
        relay.acknowledged = kill
    else:
        relay.on_its_way = lambda: threading.Timer(delay, kill).start()
    assert dead.wait(30), "no spans were exported within 30 s"
    relay.acknowledged = relay.on_its_way = ignore

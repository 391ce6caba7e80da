"""The thread that exports metrics: when it sends, what it counts, how it ends, and what a fork leaves of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Event, Semaphore
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.resources import Resource

from telemetry import conventions as c
from telemetry.holding import Holder
from telemetry.lean.metrics import LeanMetrics
from telemetry.lean.periodic import PeriodicExport
from telemetry.series import Drops
from tests.unit.telemetry.lean.metric_pair import CONFIG, named

NEVER = {"OTEL_METRIC_EXPORT_INTERVAL": "3600000"}
OFTEN = {"OTEL_METRIC_EXPORT_INTERVAL": "5"}


class Sink:
    """Stands for an endpoint: keeps what it is sent; hangs while it is told to."""

    timeout = 10.0

    def __init__(self, *, taking: bool = True) -> None:
        self.bodies: list[bytes] = []
        self.deadlines: list[float] = []
        self.taking = taking
        self.hurried = self.closed = False
        self.arrived = Semaphore(0)
        self.released = Event()
        self.released.set()

    def post(self, body: bytes, deadline: float) -> bool:
        self.deadlines.append(deadline)
        self.released.wait(10)
        if self.taking:
            self.bodies.append(body)
            self.arrived.release()
        return self.taking

    def wait_for(self, exports: int) -> bool:
        return all(self.arrived.acquire(timeout=10) for _ in range(exports))

    def hurry(self) -> None:
        self.hurried = True

    def close(self) -> None:
        self.closed = True


def metrics(sink: Sink, environ: dict[str, str]) -> tuple[LeanMetrics, Drops]:
    drops = Drops()
    poster: Any = sink
    return LeanMetrics(CONFIG, Resource({}), drops, Holder(lambda _span: None, drops), poster, environ), drops


def export(sink: Sink, collect: Callable[[], bytes]) -> tuple[PeriodicExport, Drops]:
    drops = Drops()
    poster: Any = sink
    return PeriodicExport(collect, poster, drops, NEVER), drops


def test_it_exports_again_and_again() -> None:
    sink = Sink()
    lean, _ = metrics(sink, OFTEN)

    assert sink.wait_for(3)

    lean.shutdown(5)


def test_the_last_export_has_what_came_since_and_the_endpoint_is_closed() -> None:
    sink = Sink()
    lean, drops = metrics(sink, NEVER)
    lean.add(c.DUPLICATE_ALERTS, 1, {"source": "tv"})

    lean.shutdown(5)
    lean.shutdown(5)

    (body,) = sink.bodies
    points = named(ExportMetricsServiceRequest.FromString(body), c.DUPLICATE_ALERTS.name).sum.data_points
    assert sum(point.as_double for point in points) == 1
    assert sink.hurried
    assert sink.closed
    assert drops.snapshot() == {}


def test_a_failed_export_counts_once_and_the_next_one_tells() -> None:
    sink = Sink(taking=False)
    lean, drops = metrics(sink, NEVER)
    assert lean._export is not None

    assert not lean._export.export()
    sink.taking = True
    lean.shutdown(5)

    assert drops.snapshot() == {("metrics", "export_failed"): 1}
    dropped = named(ExportMetricsServiceRequest.FromString(sink.bodies[0]), c.TELEMETRY_DROPPED.name).sum.data_points
    assert sum(point.as_double for point in dropped) == 1


def test_an_export_has_its_time_and_the_last_one_no_more_than_closing_has() -> None:
    sink = Sink()
    exporter, _ = export(sink, lambda: b"x")
    before = time.monotonic()
    exporter.export()
    exporter.shutdown(2)

    assert before + 10 <= sink.deadlines[0] <= time.monotonic() + 10
    assert before + 2 <= sink.deadlines[1] <= time.monotonic() + 2


def test_a_hanging_endpoint_does_not_hold_up_closing_and_is_counted() -> None:
    sink = Sink()
    sink.released.clear()
    exporter, drops = export(sink, lambda: b"x")
    before = time.monotonic()

    exporter.shutdown(0.05)

    assert time.monotonic() - before < 5
    assert drops.snapshot() == {("metrics", "shutdown"): 1}
    assert not sink.closed
    sink.released.set()


def test_a_collection_that_raises_is_counted_and_the_next_one_goes_on() -> None:
    sink = Sink()
    bodies = iter([None, b"x"])

    def collect() -> bytes:
        body = next(bodies)
        if body is None:
            raise ZeroDivisionError
        return body

    exporter, drops = export(sink, collect)

    assert [exporter.export(), exporter.export()] == [False, True]
    assert drops.snapshot() == {("metrics", "internal_error"): 1}
    exporter.shutdown(0)


def test_nothing_to_say_is_not_sent() -> None:
    sink = Sink()
    exporter, drops = export(sink, lambda: b"")

    assert exporter.export()
    exporter.shutdown(5)

    assert sink.bodies == []
    assert drops.snapshot() == {}


# A process with threads may fork: that is what is tested.
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_exports_on() -> None:
    sink = Sink()
    lean, _ = metrics(sink, OFTEN)
    lean.add(c.DUPLICATE_ALERTS, 1, {"source": "tv"})
    read, write = os.pipe()

    child = os.fork()
    if child == 0:
        try:
            lean.add(c.DUPLICATE_ALERTS, 1, {"source": "tv"})
            # Another thread of the parent may have held the old one.
            sink.arrived = Semaphore(0)
            sink.wait_for(2)
            os.write(write, sink.bodies[-1])
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        request = ExportMetricsServiceRequest.FromString(pipe.read())
    os.waitpid(child, 0)
    lean.shutdown(5)

    points = named(request, c.DUPLICATE_ALERTS.name).sum.data_points
    assert sum(point.as_double for point in points) == 2


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_of_what_is_closed_starts_nothing() -> None:
    sink = Sink()
    exporter, _ = export(sink, lambda: b"x")
    exporter.shutdown(5)

    child = os.fork()
    if child == 0:
        os._exit(int(exporter._thread.is_alive()))

    assert os.waitpid(child, 0)[1] == 0

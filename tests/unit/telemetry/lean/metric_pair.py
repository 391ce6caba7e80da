"""Both engines' metrics side by side: each operation goes to both, each collection is compared as decoded OTLP."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.http.metric_exporter import _get_temporality
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from scripts.lib.judge.values import CONFIG
from telemetry import conventions as c
from telemetry.holding import Holder
from telemetry.lean.metrics import LeanMetrics
from telemetry.lean.temporality import VARIABLE
from telemetry.sdk.metrics import SdkMetrics
from telemetry.series import Drops

RESOURCE = Resource(
    {"service.name": "fillpath", "n": 7, "ratio": 0.5, "on": True, "list": ["a", "ü"], "text": "größe"},
    schema_url="https://opentelemetry.io/schemas/1.30.0",
)


class Engine:
    """One engine with drops and a holder of its own, and what it would send."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self.drops = Drops()
        self.holder: Holder[object] = Holder(lambda _span: None, self.drops, clock=lambda: 0.0)
        self.metrics, self.collect = build(self.drops, self.holder)


def sdk_engine(preference: str, monkeypatch: Any) -> Engine:
    # The SDK's exporter reads the process's environment.
    monkeypatch.setenv(VARIABLE, preference)
    reader = InMemoryMetricReader(preferred_temporality=_get_temporality(None))

    def build(drops: Drops, holder: Holder[object]) -> tuple[SdkMetrics, Callable[[], bytes]]:
        def collect() -> bytes:
            data = reader.get_metrics_data()
            assert data is not None
            return encode_metrics(data).SerializeToString()

        return SdkMetrics(CONFIG, RESOURCE, drops, holder, [reader]), collect

    return Engine(build)


def lean_engine(preference: str) -> Engine:
    def build(drops: Drops, holder: Holder[object]) -> tuple[LeanMetrics, Callable[[], bytes]]:
        metrics = LeanMetrics(CONFIG, RESOURCE, drops, holder, None, {VARIABLE: preference})
        return metrics, metrics.request

    return Engine(build)


class Pair:
    """The SDK's engine and the lean one."""

    def __init__(self, preference: str, monkeypatch: Any) -> None:
        self.engines = (sdk_engine(preference, monkeypatch), lean_engine(preference))
        self._times: tuple[dict[int, int], ...] = ({0: 0}, {0: 0})

    def add(self, instrument: c.Counter | c.UpDownCounter, value: Any, labels: dict[str, Any]) -> None:
        for engine in self.engines:
            engine.metrics.series.add(instrument, value, labels)

    def set(self, instrument: c.Gauge, value: Any, labels: dict[str, Any]) -> None:
        for engine in self.engines:
            engine.metrics.series.set(instrument, value, labels)

    def record(self, instrument: c.Histogram, value: Any, labels: dict[str, Any]) -> None:
        for engine in self.engines:
            engine.metrics.record(instrument, value, labels)

    def preset(self, instrument: Any, **values: Sequence[str]) -> None:
        for engine in self.engines:
            engine.metrics.series.preset(instrument, values)

    def observe(self, instrument: c.Gauge, read: Callable[[], Iterable[tuple[float, dict[str, str]]]]) -> None:
        for engine in self.engines:
            engine.metrics.series.observe(instrument, read)

    def open(self, trace_id: int) -> None:
        for engine in self.engines:
            engine.holder.open(trace_id)

    def keep(self, trace_id: int) -> None:
        for engine in self.engines:
            engine.holder.keep(trace_id)

    def close(self, trace_id: int) -> None:
        for engine in self.engines:
            engine.holder.closed(trace_id, object(), failed=False)

    def collected(self) -> tuple[ExportMetricsServiceRequest, ExportMetricsServiceRequest]:
        """What the SDK's engine and the lean one send now, times replaced by the collection that they belong to."""
        sdk, lean = (
            canonical(ExportMetricsServiceRequest.FromString(engine.collect()), times)
            for engine, times in zip(self.engines, self._times, strict=True)
        )
        return sdk, lean


def canonical(request: ExportMetricsServiceRequest, times: dict[int, int]) -> ExportMetricsServiceRequest:
    """Each time becomes the number of the collection that it is the time of; 99 where it is none's."""
    for point in points(request):
        assert point.start_time_unix_nano <= point.time_unix_nano
        times.setdefault(point.time_unix_nano, len(times))
        for exemplar in point.exemplars:
            assert 0 < exemplar.time_unix_nano <= point.time_unix_nano
            exemplar.time_unix_nano = 0
        point.start_time_unix_nano = times.get(point.start_time_unix_nano, 99)
        point.time_unix_nano = times[point.time_unix_nano]
    return request


def points(request: ExportMetricsServiceRequest) -> Iterator[Any]:
    for metric in metrics(request):
        yield from getattr(metric, metric.WhichOneof("data")).data_points


def metrics(request: ExportMetricsServiceRequest) -> Iterator[Any]:
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            yield from scope.metrics


def named(request: ExportMetricsServiceRequest, name: str) -> Any:
    return next(metric for metric in metrics(request) if metric.name == name)


@contextmanager
def inside(trace_id: int, span_id: int = 5, *, sampled: bool = True) -> Iterator[None]:
    """A block whose current span has these ids."""
    context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(int(sampled)))
    with trace.use_span(NonRecordingSpan(context)):
        yield

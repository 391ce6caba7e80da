"""Both telemetry engines with a sink in memory: they encode and export whole requests, to a receiver or nowhere."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, Self
from unittest.mock import patch

from opentelemetry.exporter.otlp.common import http as otlp_http
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from scripts.lib.bench.processes import BenchError
from scripts.lib.bench.recorder import Preset
from telemetry.config import TelemetryConfig
from telemetry.conventions import Counter, Histogram, UpDownCounter
from telemetry.facade import Attributes, SpanContext, Telemetry
from telemetry.lean import LeanTelemetry
from telemetry.lean.batching import Sends
from telemetry.lean.sender import poster
from telemetry.off import OffSeries, OffTelemetry
from telemetry.sdk import SdkTelemetry
from telemetry.series import Drops

Measurable = Literal["lean", "sdk"]

CLOSE_WITHIN_S = 60.0
_NOWHERE = "http://127.0.0.1:9"
_SIGNALS = ("traces", "metrics", "logs")
_ENVIRON = {
    # Nothing may be dropped: what is not exported costs nothing.
    "OTEL_BSP_MAX_QUEUE_SIZE": "262144",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "262144",
    # Metrics are exported when the engine is closed, so that one export can be measured alone.
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
}
_EMPTY_WITHIN_S = 30.0
_LOOK_EVERY_S = 0.1
_WAITING = re.compile(rb"^execution_telemetry_queue_items\S* ([\d.e+]+)$", re.MULTILINE)


class Sink:
    """Requests by signal, as an exporter hands them to its HTTP client."""

    def __init__(self) -> None:
        self.requests: defaultdict[str, list[bytes]] = defaultdict(list)

    def counts(self) -> tuple[int, int]:
        """Spans and log records in it."""
        spans = logs = 0
        for body in self.requests["traces"]:
            traces = ExportTraceServiceRequest.FromString(body)
            spans += sum(len(scope.spans) for one in traces.resource_spans for scope in one.scope_spans)
        for body in self.requests["logs"]:
            records = ExportLogsServiceRequest.FromString(body)
            logs += sum(len(scope.log_records) for one in records.resource_logs for scope in one.scope_logs)
        return spans, logs


class _NoSpan:
    """A span on which nothing is done."""

    context = SpanContext("1" * 32, "1" * 16)
    recording = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing."""

    def set(self, attributes: Attributes) -> None:
        """Nothing."""

    def event(self, name: str, attributes: Attributes | None = None) -> None:
        """Nothing."""

    def fail(self, error_type: str, message: str = "") -> None:
        """Nothing."""

    def keep(self) -> None:
        """Nothing."""

    def link(self, context: SpanContext) -> None:
        """Nothing."""


_NO_SPAN: Any = _NoSpan()


class _NoSeries(dict[Any, OffSeries]):
    """Series of which nothing is kept, found as fast as a dictionary finds."""

    def __missing__(self, values: str | tuple[str, ...]) -> OffSeries:
        return self.setdefault(values, OffSeries())


class Nothing(OffTelemetry):
    """See the facade: less than the engine that is off, not even ids. Calls of it cost what calls cost."""

    def request(self, name: str, attributes: Attributes, *, traceparent: str | None, trust: bool) -> Any:
        del name, attributes, traceparent, trust
        return _NO_SPAN

    def span(
        self,
        name: str,
        attributes: Attributes | None = None,
        *,
        parent: SpanContext | None = None,
        links: Sequence[SpanContext] = (),
        client: bool = False,
    ) -> Any:
        del name, attributes, parent, links, client
        return _NO_SPAN

    def counters(self, instrument: Counter | UpDownCounter, *varying: str, **labels: str) -> _NoSeries:
        del instrument, varying, labels
        return _NoSeries()

    def histograms(self, instrument: Histogram, *varying: str, **labels: str) -> _NoSeries:
        del instrument, varying, labels
        return _NoSeries()

    def current(self) -> SpanContext | None:
        return None


class _Sends:
    """One signal's way into the sink for the lean engine, and by `poster` to a receiver too."""

    timeout = 10.0

    def __init__(self, into: list[bytes], poster: Sends | None = None) -> None:
        self._into = into
        self._poster = poster

    def post(self, body: bytes, deadline: float) -> bool:
        self._into.append(body)
        return self._poster is None or self._poster.post(body, deadline)

    def hurry(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


@contextmanager
def engine(
    name: Measurable,
    config: TelemetryConfig,
    presets: Sequence[Preset] = (),
    *,
    exported: Collection[str] = ("traces", "logs"),
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.monotonic,
    receiver: str | None = None,
) -> Iterator[tuple[Telemetry, Sink]]:
    """One engine as the service has it, closed after the block; `exported` are signals, `environ` more variables.

    What the sink gets is sent to `receiver` as well, a base URL, where there is one: by the engine's own HTTP client.
    Metrics are exported by the interval and not by the order: they are left out unless they are asked for.
    """
    sink = Sink()
    variables = _ENVIRON | dict(environ or {})
    config = replace(config, otlp_endpoint=receiver or _NOWHERE)
    telemetry = _build(name, config, sink, exported, variables, clock, sending=receiver is not None)
    for instrument, values in presets:
        telemetry.preset(instrument, **values)
    client = otlp_http._OTLPHTTPClient  # noqa: SLF001 - where requests leave the SDK
    with patch.object(client, "export", _export_to(sink, client.export if receiver else None)):
        try:
            yield telemetry, sink
        finally:
            telemetry.close(CLOSE_WITHIN_S)


def empty(telemetry: Telemetry) -> None:
    """Return once no span or log record waits for export."""
    deadline = time.monotonic() + _EMPTY_WITHIN_S
    while any(map(float, _WAITING.findall(telemetry.metrics("")[0]))):
        if time.monotonic() > deadline:
            raise BenchError(f"telemetry still waits for export after {_EMPTY_WITHIN_S:g} s; expected an empty queue")
        time.sleep(_LOOK_EVERY_S)


def _build(
    name: Measurable,
    config: TelemetryConfig,
    sink: Sink,
    exported: Collection[str],
    environ: dict[str, str],
    clock: Callable[[], float],
    *,
    sending: bool,
) -> Telemetry:
    if name == "lean":
        ways = {
            signal: _Sends(
                sink.requests[signal], poster(signal, config.otlp_endpoint, environ, Drops()) if sending else None
            )
            for signal in exported
        }
        return LeanTelemetry(config, environ, clock, ways)
    off = {f"OTEL_{signal.upper()}_EXPORTER": "none" for signal in _SIGNALS if signal not in exported}
    return SdkTelemetry(config, environ | off, clock)


def _export_to(sink: Sink, send: Any) -> Any:
    signals = {"spans": "traces", "metrics": "metrics", "logs": "logs"}
    done = otlp_http._ExportResult(success=True, status_code=200, reason=None, error=None)  # noqa: SLF001 - its answer

    def export(client: Any, data: bytes) -> Any:
        sink.requests[signals[client._kind]].append(data)  # noqa: SLF001 - the client tells its signal nowhere else
        return done if send is None else send(client, data)

    return export

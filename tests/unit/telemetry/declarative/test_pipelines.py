"""What a configuration file asks for is what leaves the SDK's engine, to real receivers by HTTP and by gRPC."""

from __future__ import annotations

import logging
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from telemetry import conventions as c
from telemetry.declarative import building
from telemetry.facade import LogEntry, Telemetry
from telemetry.off import OffTelemetry
from telemetry.sdk import SdkTelemetry
from tests.support.receivers import BOUND, GrpcReceiver, Receiver, dropped, wait_until
from tests.unit.telemetry.certificates import Certificates
from tests.unit.telemetry.declarative.conftest import Declare, Obey

REQUESTS: dict[str, Any] = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}


@pytest.fixture
def grpc_receiver() -> Iterator[GrpcReceiver]:
    server = GrpcReceiver()
    yield server
    server.close()


def all_signals(exporter: Callable[[str], str], rest: str = "", batch: str = "", reader: str = "") -> str:
    """A file with one pipeline a signal; `exporter` makes its exporter of the signal."""
    return f"""
tracer_provider: {{processors: [{{batch: {{{batch}exporter: {{{exporter("traces")}}}}}}}]}}
meter_provider: {{readers: [{{periodic: {{{reader}exporter: {{{exporter("metrics")}}}}}}}]}}
logger_provider: {{processors: [{{batch: {{{batch}exporter: {{{exporter("logs")}}}}}}}]}}
{rest}"""


def by_http(receiver: Receiver, options: str = "") -> Callable[[str], str]:
    return lambda signal: f"otlp_http: {{endpoint: '{receiver.url}/v1/{signal}', {options}}}"


def one_of_each(telemetry: Telemetry) -> None:
    with telemetry.span("x", {"a": "long", "b": "text", "c": "more"}) as span:
        span.event("e", {"a": "long", "b": "text"})
        span.event("f")
        telemetry.record(c.ACK_DURATION, 0.003, source="tv")
        telemetry.add(c.EXCHANGE_RATE_LIMITS, exchange="paper")
        telemetry.log(LogEntry(1, logging.WARNING, "WARNING", "hello", {"a": "long", "b": "text"}))


def sent(receiver: Receiver, path: str) -> Any:
    return REQUESTS[path].FromString(receiver.bodies[path][-1])


def attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value for pair in pairs}


def metric(receiver: Receiver, name: str) -> Any:
    (resource,) = sent(receiver, "/v1/metrics").resource_metrics
    return next(metric for metric in resource.scope_metrics[0].metrics if metric.name == name)


def test_every_signal_goes_where_the_file_says_with_its_headers_compressed(obey: Obey, receiver: Receiver) -> None:
    headers = "headers: [{name: X-Tenant, value: blue}], headers_list: 'x-tenant=red,x-note=a%20b'"
    telemetry = obey(all_signals(by_http(receiver, f"compression: gzip, {headers}")))
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert isinstance(telemetry, SdkTelemetry)
    assert {path: len(bodies) for path, bodies in receiver.bodies.items()} == dict.fromkeys(REQUESTS, 1)
    told = {(one["x-tenant"], one["x-note"], one["content-encoding"]) for one in receiver.headers}
    assert told == {("blue", "a b", "gzip")}


def test_nothing_of_the_environment_goes_to_the_receivers_of_the_file(
    obey: Obey, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=hunter2",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere",
        "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta",
        "OTEL_RESOURCE_ATTRIBUTES": "team=other",
        "OTEL_TRACES_SAMPLER": "always_off",
        "OTEL_BSP_MAX_QUEUE_SIZE": "1",
        "OTEL_SPAN_EVENT_COUNT_LIMIT": "1",
    }.items():
        monkeypatch.setenv(name, value)
    telemetry = obey(all_signals(by_http(receiver)))
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert [headers for headers in receiver.headers if {"authorization", "content-encoding"} & headers.keys()] == []
    resource = sent(receiver, "/v1/traces").resource_spans[0]
    assert "team" not in attributes(resource.resource.attributes)
    assert len(resource.scope_spans[0].spans[0].events) == 2
    assert metric(receiver, c.ACK_DURATION.name).histogram.aggregation_temporality == 2


def test_the_resource_is_the_files_and_where_it_says_nothing_the_settings(obey: Obey, receiver: Receiver) -> None:
    rest = """
resource:
  attributes: [{name: service.name, value: mine}, {name: racks, value: [1, 2], type: int_array}]
  attributes_list: team=blue,service.version=9
"""
    telemetry = obey(all_signals(by_http(receiver), rest))
    one_of_each(telemetry)
    telemetry.close(BOUND)

    for path, kind in (("/v1/traces", "spans"), ("/v1/metrics", "metrics"), ("/v1/logs", "logs")):
        resource = getattr(sent(receiver, path), f"resource_{kind}")[0].resource
        told = attributes(resource.attributes)
        assert (told["service.name"], told["service.version"], told["team"]) == ("mine", "9", "blue")
        assert (told["service.instance.id"], told["deployment.environment.name"]) == ("one", "test")
        assert "telemetry.sdk.name" not in told


@pytest.mark.parametrize(
    ("preference", "histogram", "counter"), [("cumulative", 2, 2), ("delta", 1, 1), ("low_memory", 1, 2)]
)
def test_metrics_are_told_as_the_file_prefers_with_our_buckets_and_scraped_as_ever(
    obey: Obey, receiver: Receiver, preference: str, histogram: int, counter: int
) -> None:
    options = f"temporality_preference: {preference}, default_histogram_aggregation: base2_exponential_bucket_histogram"
    telemetry = obey(
        f"""
meter_provider:
  readers:
    - periodic: {{exporter: {{otlp_http: {{endpoint: '{receiver.url}/v1/metrics', {options}}}}}}}
  views: [{{selector: {{}}, stream: {{name: other, aggregation: {{drop: }}}}}}]
"""
    )
    one_of_each(telemetry)
    telemetry.close(BOUND)

    duration = metric(receiver, c.ACK_DURATION.name).histogram
    assert duration.aggregation_temporality == histogram
    assert tuple(duration.data_points[0].explicit_bounds) == c.ACK_DURATION.buckets
    assert metric(receiver, c.EXCHANGE_RATE_LIMITS.name).sum.aggregation_temporality == counter
    assert 'execution_ack_duration_seconds_count{source="tv"} 1' in telemetry.metrics("")[0].decode()


def test_queues_batches_and_intervals_are_the_files(obey: Obey, receiver: Receiver) -> None:
    receiver.released.clear()
    sizes = "max_queue_size: 6, max_export_batch_size: 2, schedule_delay: 3600000, "
    telemetry = obey(all_signals(by_http(receiver), batch=sizes, reader="interval: 20, "))
    for _ in range(30):
        one_of_each(telemetry)
    receiver.released.set()
    wait_until(lambda: len(receiver.bodies["/v1/metrics"]) >= 3)
    telemetry.close(BOUND)

    spans = [
        len(REQUESTS["/v1/traces"].FromString(body).resource_spans[0].scope_spans[0].spans)
        for body in receiver.bodies["/v1/traces"]
    ]
    assert max(spans) == 2
    # What was on its way and what the queue held; all else gave way, and the SDK may count two too many.
    assert 6 <= sum(spans) <= 12
    assert 0 <= sum(spans) + dropped(telemetry, "traces", "queue_full") - 30 <= 2


def test_where_the_file_says_nothing_the_format_has_defaults(obey: Obey, receiver: Receiver) -> None:
    telemetry = obey(all_signals(by_http(receiver), batch="max_queue_size: 100, "))
    plain = obey(all_signals(by_http(receiver)))

    # While the receiver is there: without it each end would take all the time it is given.
    for engine in (telemetry, plain):
        engine.close(BOUND)

    assert isinstance(telemetry, SdkTelemetry)
    assert isinstance(plain, SdkTelemetry)
    held = [
        (inner._max_queue_size, inner._max_export_batch_size, inner._schedule_delay_millis)
        for engine in (telemetry, plain)
        for inner in (engine._spans[0]._inner, engine._logs[0]._inner)
    ]
    assert held == [(100, 100, 5000), (100, 100, 1000), (2048, 512, 5000), (2048, 512, 1000)]


def test_an_export_is_given_up_after_the_time_of_the_file(obey: Obey, receiver: Receiver) -> None:
    receiver.released.clear()
    telemetry = obey(all_signals(by_http(receiver, "timeout: 200"), batch="schedule_delay: 10, "))
    one_of_each(telemetry)

    # The receiver itself would keep it for ten seconds.
    wait_until(
        lambda: dropped(telemetry, "traces", "export_failed") == dropped(telemetry, "logs", "export_failed") == 1
    )
    assert not receiver.released.is_set()


def test_limits_of_the_file_hold_where_they_are_lower_than_ours(obey: Obey, receiver: Receiver) -> None:
    rest = "attribute_limits: {attribute_count_limit: 2, attribute_value_length_limit: 3}"
    exporter = by_http(receiver)
    telemetry = obey(
        f"""
tracer_provider:
  processors: [{{batch: {{exporter: {{{exporter("traces")}}}}}}}]
  limits: {{event_count_limit: 1, event_attribute_count_limit: 1000000, attribute_value_length_limit: 4}}
logger_provider:
  processors: [{{simple: {{exporter: {{{exporter("logs")}}}}}}}]
{rest}
"""
    )
    one_of_each(telemetry)
    with telemetry.span("y") as span:
        span.event("z", {f"k{number}": "v" for number in range(40)})
    telemetry.close(BOUND)

    spans = sent(receiver, "/v1/traces").resource_spans[0].scope_spans[0].spans
    first, second = sorted(spans, key=lambda one: str(one.name))
    (record,) = sent(receiver, "/v1/logs").resource_logs[0].scope_logs[0].log_records
    assert attributes(first.attributes) == {"b": "text", "c": "more"}
    assert [len(one.events) for one in (first, second)] == [1, 1]
    assert len(second.events[0].attributes) == 16
    assert attributes(record.attributes) == {"a": "lon", "b": "tex"}


def test_a_signal_without_its_provider_is_not_exported_and_shown_as_ever(obey: Obey) -> None:
    telemetry = obey("resource: {}")
    with telemetry.request("x", {}, traceparent=None, trust=False) as request:
        request.keep()
        telemetry.record(c.ACK_DURATION, 0.003, source="tv")

    assert not telemetry.exports_logs
    assert b'"name":"x"' in telemetry.trace(request.context.trace_id).replace(b": ", b":")
    assert b"execution_ack_duration_seconds_count" in telemetry.metrics("")[0]


def test_a_file_that_switches_telemetry_off_is_obeyed(obey: Obey) -> None:
    assert isinstance(obey("disabled: true"), OffTelemetry)


def test_all_signals_arrive_by_grpc_with_their_metadata(obey: Obey, grpc_receiver: GrpcReceiver) -> None:
    options = f"endpoint: '{grpc_receiver.url}', compression: gzip, headers: [{{name: X-Tenant, value: blue}}]"
    telemetry = obey(all_signals(lambda _signal: f"otlp_grpc: {{{options}}}"))
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert {signal: len(requests) for signal, requests in grpc_receiver.requests.items()} == dict.fromkeys(c.SIGNALS, 1)
    assert {metadata["x-tenant"] for metadata in grpc_receiver.metadata} == {"blue"}


@pytest.mark.parametrize(
    ("said", "compression"),
    [("", "NoCompression"), ("compression: none", "NoCompression"), ("compression: gzip", "Gzip")],
)
def test_what_leaves_by_grpc_is_compressed_as_the_file_says(obey: Obey, said: str, compression: str) -> None:
    telemetry = obey(f"tracer_provider: {{processors: [{{batch: {{exporter: {{otlp_grpc: {{{said}}}}}}}}}]}}")

    assert isinstance(telemetry, SdkTelemetry)
    # No server of gRPC's library tells how a message came.
    exporter = telemetry._spans[0]._inner._exporter.exporter
    assert exporter._compression is grpc.Compression[compression]
    assert exporter._endpoint == "localhost:4317"


def test_certificates_are_shown_and_asked_for(obey: Obey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # With requests these two win over what the SDK's exporters set.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    made = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.server_key)
    context.load_verify_locations(made.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    receiver = Receiver(context)
    files = {"traces": made.authority, "metrics": made.authority, "logs": made.server}

    def exporter(signal: str) -> str:
        tls = f"ca_file: {files[signal]}, key_file: {made.client_key}, cert_file: {made.client}"
        return f"otlp_http: {{endpoint: '{receiver.url}/v1/{signal}', timeout: 2000, tls: {{{tls}}}}}"

    telemetry = obey(all_signals(exporter))
    one_of_each(telemetry)
    telemetry.close(BOUND)
    receiver.close()

    # The logs' file is no authority that signed the server's certificate.
    assert {path for path, bodies in receiver.bodies.items() if bodies} == {"/v1/traces", "/v1/metrics"}
    assert dropped(telemetry, "logs", "export_failed") == 1


def test_certificates_are_shown_and_asked_for_by_grpc(obey: Obey, tmp_path: Path) -> None:
    made = Certificates(tmp_path)
    pair = (made.server_key.read_bytes(), made.server.read_bytes())
    receiver = GrpcReceiver(grpc.ssl_server_credentials([pair], made.authority.read_bytes(), require_client_auth=True))
    tls = f"tls: {{ca_file: {made.authority}, key_file: {made.client_key}, cert_file: {made.client}}}"
    nameless = f"tls: {{ca_file: {made.authority}}}"

    def exporter(signal: str) -> str:
        return f"otlp_grpc: {{endpoint: '{receiver.url}', timeout: 2000, {nameless if signal == 'logs' else tls}}}"

    telemetry = obey(all_signals(exporter))
    one_of_each(telemetry)
    telemetry.close(BOUND)
    receiver.close()

    assert {signal: len(requests) for signal, requests in receiver.requests.items()} == {
        "traces": 1,
        "metrics": 1,
        "logs": 0,
    }
    assert dropped(telemetry, "logs", "export_failed") == 1


SCRIPT = """
import logging
from telemetry import conventions as c
from telemetry.facade import LogEntry
from telemetry.setup import TelemetryConfig, build_telemetry
engine = build_telemetry(TelemetryConfig(service_version="1", instance_id="one"))
with engine.span("printed"):
    engine.log(LogEntry(1, logging.WARNING, "WARNING", "hello", {}))
engine.close(10)
"""


def test_the_console_is_an_exporter_of_every_signal(declare: Declare) -> None:
    environ = declare(all_signals(lambda _signal: "console: "))

    # A process of its own, because the exporters write to what was standard output when they were imported.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=os.environ | environ, capture_output=True, text=True, check=True, timeout=60
    )

    assert '"name": "printed"' in done.stdout
    assert f'"name": "{c.TELEMETRY_DROPPED.name}"' in done.stdout
    assert '"body": "hello"' in done.stdout


class Entry:
    """What an installed package offers, in place of an entry point."""

    def __init__(self, made: Any) -> None:
        self._made = made

    def load(self) -> Any:
        return self._made


def test_an_exporter_of_an_installed_package_takes_its_options_from_the_file(
    obey: Obey, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[dict[str, Any]] = []

    class Mine:
        def __init__(self, **options: Any) -> None:
            given.append(options)

        def shutdown(self) -> None:
            pass

    for module in (building, building.rules):
        monkeypatch.setattr(module, "entry_of", lambda *_: Entry(Mine))
    obey("tracer_provider: {processors: [{batch: {exporter: {mine: {colour: blue}}}}]}").close(BOUND)

    assert given == [{"colour": "blue"}]


def test_an_option_that_an_exporter_does_not_take_stops_the_start_without_its_value(
    obey: Obey, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mine(*, key: int) -> None:
        int(key)

    for module in (building, building.rules):
        monkeypatch.setattr(module, "entry_of", lambda *_: Entry(mine))

    with pytest.raises(ValueError, match="exporter mine for traces does not take the options") as raised:
        obey("tracer_provider: {processors: [{batch: {exporter: {mine: {key: hunter2}}}}]}")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_reader_is_none_of_what_periodic_takes(obey: Obey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building.rules, "entry_of", lambda *_: Entry(InMemoryMetricReader))

    with pytest.raises(ValueError, match="expected an exporter that sends"):
        obey("meter_provider: {readers: [{periodic: {exporter: {mine: }}}]}")

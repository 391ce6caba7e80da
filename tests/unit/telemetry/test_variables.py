"""Each `OTEL_*` variable that the documentation calls obeyed is, by each engine that it names; the others are not."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from telemetry import conventions as c
from telemetry import variables
from telemetry.config import Engine, TelemetryConfig
from telemetry.environment import CONFIG_FILES
from telemetry.facade import LogEntry, Telemetry
from telemetry.off import OffTelemetry
from telemetry.sdk import SdkTelemetry
from telemetry.setup import build_telemetry
from tests.support.receivers import BOUND, Receiver, dropped, wait_until
from tests.unit.telemetry.certificates import Certificates

HOUR = "3600000"
ENTRY = LogEntry(1, logging.WARNING, "WARNING", "hello", {})
SHOWN: set[tuple[str, str]] = set()

Start = Callable[..., Telemetry]


def shows(*names: str, engines: tuple[str, ...] = variables.BOTH) -> Callable[[Any], Any]:
    """The test shows that these variables, as the documentation writes them, are obeyed by these engines."""
    SHOWN.update((name, engine) for name in names for engine in engines)
    return pytest.mark.parametrize("engine", engines)


@pytest.fixture
def start(
    config: TelemetryConfig, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Telemetry]]:
    """An engine that exports to the receiver, in a process with these variables."""
    running: list[Telemetry] = []

    def begin(engine: Engine, endpoint: str | None = None, **environ: str) -> Telemetry:
        # The SDK's exporters and resources read the process's environment.
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        wanted = replace(config, engine=engine, otlp_endpoint=endpoint or receiver.url)
        running.append(build_telemetry(wanted, environ))
        return running[-1]

    yield begin
    receiver.released.set()
    for one in running:
        one.close(BOUND)


def spans_in(body: bytes) -> list[Any]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def metric_in(body: bytes, name: str) -> Any:
    (resource,) = ExportMetricsServiceRequest.FromString(body).resource_metrics
    return next(metric for metric in resource.scope_metrics[0].metrics if metric.name == name)


def one_of_each(telemetry: Telemetry) -> None:
    with telemetry.span("x"):
        telemetry.record(c.ACK_DURATION, 0.003, source="tv")
        telemetry.log(ENTRY)


def test_every_variable_that_is_called_obeyed_is_shown_here_for_each_engine() -> None:
    assert {(v.name, engine) for v in variables.OBEYED for engine in v.engines} == SHOWN


def test_each_variable_is_listed_once_in_a_table() -> None:
    for table in (variables.OBEYED, variables.IGNORED, variables.REFUSED):
        names = [variable.name for variable in table]
        assert len(names) == len(set(names))


@shows("OTEL_SDK_DISABLED")
def test_telemetry_can_be_switched_off(start: Start, engine: Engine) -> None:
    assert isinstance(start(engine, OTEL_SDK_DISABLED="true"), OffTelemetry)


@shows("OTEL_CONFIG_FILE, OTEL_EXPERIMENTAL_CONFIG_FILE", engines=variables.SDK)
@pytest.mark.parametrize("variable", CONFIG_FILES)
def test_a_declarative_configuration_is_obeyed(
    start: Start, receiver: Receiver, tmp_path: Path, engine: Engine, variable: str
) -> None:
    file = tmp_path / "otel.yaml"
    exporter = f"otlp_http: {{endpoint: '{receiver.url}/v1/traces', headers: [{{name: x-tenant, value: blue}}]}}"
    processor = f"{{batch: {{exporter: {{{exporter}}}}}}}"
    file.write_text(f"file_format: '1.0'\ntracer_provider: {{processors: [{processor}]}}\n", "utf-8")
    # Asked for the lean engine, which selects the SDK's.
    telemetry = start("lean", **{variable: str(file)})
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert isinstance(telemetry, SdkTelemetry)
    assert [headers["x-tenant"] for headers in receiver.headers] == ["blue"]
    assert receiver.bodies["/v1/metrics"] == receiver.bodies["/v1/logs"] == []


@shows("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES")
def test_the_resource_of_every_signal_is_named(start: Start, receiver: Receiver, engine: Engine) -> None:
    telemetry = start(engine, OTEL_SERVICE_NAME="mine", OTEL_RESOURCE_ATTRIBUTES="team=blue,service.name=other")
    one_of_each(telemetry)
    telemetry.close(BOUND)

    resources = (
        ExportTraceServiceRequest.FromString(receiver.bodies["/v1/traces"][0]).resource_spans[0].resource,
        ExportMetricsServiceRequest.FromString(receiver.bodies["/v1/metrics"][-1]).resource_metrics[0].resource,
        ExportLogsServiceRequest.FromString(receiver.bodies["/v1/logs"][0]).resource_logs[0].resource,
    )
    for resource in resources:
        told = {pair.key: pair.value.string_value for pair in resource.attributes}
        assert (told["service.name"], told["team"]) == ("mine", "blue")


@shows("OTEL_<SIGNAL>_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL, _<SIGNAL>_PROTOCOL")
def test_a_signal_stays_or_leaves_by_the_protocol(start: Start, receiver: Receiver, engine: Engine) -> None:
    telemetry = start(
        engine, OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="otlp", OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"
    )
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert receiver.bodies["/v1/traces"] == []
    assert len(receiver.bodies["/v1/logs"]) == 1
    assert {headers["content-type"] for headers in receiver.headers} == {"application/x-protobuf"}


@shows("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_<SIGNAL>_ENDPOINT")
def test_endpoints_win_over_the_settings(start: Start, receiver: Receiver, engine: Engine) -> None:
    telemetry = start(
        engine,
        "http://127.0.0.1:1",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"{receiver.url}/v1/traces",
    )
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert {path: bool(bodies) for path, bodies in receiver.bodies.items()} == {
        "/v1/traces": True,
        "/v1/metrics": True,
        "/v1/logs": False,
    }
    assert len(receiver.bodies["/v1/traces"]) == 2


@shows("OTEL_EXPORTER_OTLP_HEADERS, _<SIGNAL>_HEADERS", "OTEL_EXPORTER_OTLP_COMPRESSION, _<SIGNAL>_COMPRESSION")
def test_headers_and_compression_of_all_and_of_one_signal(start: Start, receiver: Receiver, engine: Engine) -> None:
    telemetry = start(
        engine,
        OTEL_METRICS_EXPORTER="none",
        OTEL_EXPORTER_OTLP_HEADERS="x-tenant=blue",
        OTEL_EXPORTER_OTLP_LOGS_HEADERS="x-tenant=dark%20red",
        OTEL_EXPORTER_OTLP_COMPRESSION="gzip",
        OTEL_EXPORTER_OTLP_LOGS_COMPRESSION="deflate",
    )
    one_of_each(telemetry)
    telemetry.close(BOUND)

    sent = {(headers["x-tenant"], headers["content-encoding"]) for headers in receiver.headers}
    assert sent == {("blue", "gzip"), ("dark red", "deflate")}


@shows("OTEL_EXPORTER_OTLP_TIMEOUT, _<SIGNAL>_TIMEOUT")
def test_an_export_is_given_up_after_its_time(start: Start, receiver: Receiver, engine: Engine) -> None:
    receiver.released.clear()
    telemetry = start(
        engine,
        OTEL_BSP_SCHEDULE_DELAY="10",
        OTEL_BLRP_SCHEDULE_DELAY="10",
        OTEL_EXPORTER_OTLP_TIMEOUT="0.2",
        OTEL_EXPORTER_OTLP_LOGS_TIMEOUT="3600",
    )
    one_of_each(telemetry)

    # The receiver itself would keep it for ten seconds.
    wait_until(lambda: dropped(telemetry, "traces", "export_failed") == 1)
    assert not receiver.released.is_set()
    assert dropped(telemetry, "logs", "export_failed") == 0


@shows("OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_KEY, _CLIENT_CERTIFICATE")
def test_certificates_are_shown_and_asked_for(
    start: Start, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With requests these two win over what the SDK's exporters set.
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    made = Certificates(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.server, made.server_key)
    context.load_verify_locations(made.authority)
    context.verify_mode = ssl.CERT_REQUIRED
    receiver = Receiver(context)
    telemetry = start(
        engine,
        receiver.url,
        OTEL_METRICS_EXPORTER="none",
        OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE=str(made.authority),
        OTEL_EXPORTER_OTLP_CERTIFICATE=str(made.server),
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE=str(made.client),
        OTEL_EXPORTER_OTLP_CLIENT_KEY=str(made.client_key),
        OTEL_EXPORTER_OTLP_TIMEOUT="2",
    )
    one_of_each(telemetry)
    telemetry.close(BOUND)
    receiver.close()

    # The certificate for all signals is no authority that signed the server's: what leaves without it is a log record.
    assert {path for path, bodies in receiver.bodies.items() if bodies} == {"/v1/traces"}
    assert dropped(telemetry, "logs", "export_failed") == 1


@shows("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER, _HTTP_<SIGNAL>_CREDENTIAL_PROVIDER", engines=variables.SDK)
def test_a_provider_of_credentials_gives_the_session(
    start: Start, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, engine: Engine
) -> None:
    class Entry:
        def load(self) -> Callable[[], requests.Session]:
            session = requests.Session()
            session.headers["x-signed"] = "yes"
            return lambda: session

    monkeypatch.setattr("opentelemetry.exporter.otlp.proto.http._common.entry_points", lambda **_: [Entry()])
    # Asked for the lean engine, which selects the SDK's.
    telemetry = start("lean", OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER="mine")
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert [headers["x-signed"] for headers in receiver.headers if "x-signed" in headers] == ["yes"]


@shows("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE")
def test_changes_are_told_where_they_are_preferred(start: Start, receiver: Receiver, engine: Engine) -> None:
    telemetry = start(engine, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta")
    one_of_each(telemetry)
    telemetry.close(BOUND)

    assert metric_in(receiver.bodies["/v1/metrics"][-1], c.ACK_DURATION.name).histogram.aggregation_temporality == 1
    assert 'execution_ack_duration_seconds_count{source="tv"} 1' in telemetry.metrics("")[0].decode()


@shows("OTEL_METRIC_EXPORT_INTERVAL")
def test_metrics_are_exported_every_interval(start: Start, receiver: Receiver, engine: Engine) -> None:
    start(engine, OTEL_METRIC_EXPORT_INTERVAL="20")

    wait_until(lambda: len(receiver.bodies["/v1/metrics"]) >= 3)


@shows("OTEL_METRIC_EXPORT_TIMEOUT", engines=variables.SDK)
def test_a_collection_is_given_up_after_its_time(
    start: Start, receiver: Receiver, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    telemetry = start(engine, OTEL_METRIC_EXPORT_INTERVAL="20", OTEL_METRIC_EXPORT_TIMEOUT="1")

    def slow() -> list[tuple[float, dict[str, str]]]:
        time.sleep(0.01)
        return [(1, {})]

    telemetry.observe(c.JOURNAL_FREE, slow)

    wait_until(lambda: any("collection timed out" in record.getMessage() for record in caplog.records))


@shows("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE, _MAX_EXPORT_BATCH_SIZE")
def test_spans_and_records_wait_for_company_as_long_as_is_said(
    start: Start, receiver: Receiver, engine: Engine
) -> None:
    telemetry = start(engine, OTEL_BSP_SCHEDULE_DELAY="20", OTEL_BLRP_SCHEDULE_DELAY=HOUR)
    one_of_each(telemetry)
    wait_until(lambda: bool(receiver.bodies["/v1/traces"]))
    # Longer than the default, so that a record that is still here was told to wait.
    time.sleep(1.2)

    assert receiver.bodies["/v1/logs"] == []
    telemetry.close(BOUND)
    assert len(receiver.bodies["/v1/logs"]) == 1


@shows(
    "OTEL_BSP_MAX_QUEUE_SIZE",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
    "OTEL_BLRP_SCHEDULE_DELAY, _MAX_QUEUE_SIZE, _MAX_EXPORT_BATCH_SIZE",
)
def test_queues_and_batches_are_as_large_as_is_said(start: Start, receiver: Receiver, engine: Engine) -> None:
    sizes = {"MAX_QUEUE_SIZE": "6", "MAX_EXPORT_BATCH_SIZE": "2", "SCHEDULE_DELAY": HOUR}
    environ = {f"OTEL_{family}_{name}": value for family in ("BSP", "BLRP") for name, value in sizes.items()}
    receiver.released.clear()
    telemetry = start(engine, **environ)
    for _ in range(30):
        one_of_each(telemetry)
    receiver.released.set()
    telemetry.close(BOUND)

    batches = [len(spans_in(body)) for body in receiver.bodies["/v1/traces"]]
    records = [
        len(ExportLogsServiceRequest.FromString(body).resource_logs[0].scope_logs[0].log_records)
        for body in receiver.bodies["/v1/logs"]
    ]
    for sent, signal in ((batches, "traces"), (records, "logs")):
        assert max(sent) == 2
        # What was on its way and what the queue held; all else gave way.
        assert 6 <= sum(sent) <= 12
        # The SDK's thread may make room right after the SDK found its queue full: then one is counted too many.
        too_many = sum(sent) + dropped(telemetry, signal, "queue_full") - 30
        assert 0 <= too_many <= (2 if engine == "sdk" else 0)


@pytest.mark.parametrize("engine", variables.BOTH)
def test_what_is_called_ignored_changes_nothing(start: Start, receiver: Receiver, engine: Engine) -> None:
    limits = ("SPAN_ATTRIBUTE", "SPAN_EVENT", "SPAN_LINK", "EVENT_ATTRIBUTE", "LINK_ATTRIBUTE", "LOGRECORD_ATTRIBUTE")
    telemetry = start(
        engine,
        **{f"OTEL_{name}_COUNT_LIMIT": "1" for name in (*limits, "ATTRIBUTE")},
        OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="1",
        OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT="1",
        OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT="1",
        OTEL_TRACES_SAMPLER="always_off",
        OTEL_METRICS_EXEMPLAR_FILTER="always_off",
        OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="base2_exponential_bucket_histogram",
        OTEL_EXPERIMENTAL_RESOURCE_DETECTORS="process,host",
        OTEL_PYTHON_ID_GENERATOR="nonsense",
        OTEL_PROPAGATORS="none",
        OTEL_BSP_EXPORT_TIMEOUT="1",
        OTEL_BLRP_EXPORT_TIMEOUT="1",
        OTEL_LOG_LEVEL="fatal",
    )
    with telemetry.span("x", {"a": "long", "b": "text"}) as span:
        span.event("e", {"a": "long", "b": "text"})
        span.event("f")
        telemetry.record(c.ACK_DURATION, 0.003, source="tv")
        telemetry.log(ENTRY._replace(attributes={"a": "long", "b": "text"}))
    telemetry.close(BOUND)

    (sent,) = spans_in(receiver.bodies["/v1/traces"][0])
    point = metric_in(receiver.bodies["/v1/metrics"][-1], c.ACK_DURATION.name).histogram.data_points[0]
    resource = ExportLogsServiceRequest.FromString(receiver.bodies["/v1/logs"][0]).resource_logs[0]
    (record,) = resource.scope_logs[0].log_records
    for attributes in (sent.attributes, sent.events[0].attributes, record.attributes):
        assert {pair.key: pair.value.string_value for pair in attributes} == {"a": "long", "b": "text"}
    assert len(sent.events) == 2
    assert tuple(point.explicit_bounds) == c.ACK_DURATION.buckets
    assert point.exemplars[0].trace_id == sent.trace_id
    assert "process.pid" not in {pair.key for pair in resource.resource.attributes}

"""A service that was started with OpenTelemetry's declarative configuration, and receivers of what it exports."""

from __future__ import annotations

import json
from textwrap import dedent
from urllib.request import urlopen

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.support.receivers import GrpcReceiver, Receiver, wait_until

BUY = ("send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01", "--json", "--no-trace")
KEY = "hunter2hunter2"

BY_HTTP = """
    file_format: "1.0"
    resource:
      attributes: [{name: service.name, value: declared}]
    tracer_provider:
      sampler: {trace_id_ratio_based: {ratio: 0}}
      processors:
        - batch: {schedule_delay: 100, exporter: {otlp_http: &here {
            endpoint: "HERE/v1/traces", compression: gzip, headers: [{name: X-Key, value: "${RECEIVER_KEY}"}]}}}
        - batch: {schedule_delay: 100, exporter: {otlp_http: {endpoint: "STUCK/v1/traces", timeout: 200}}}
    meter_provider:
      readers: [{periodic: {interval: 200, exporter: {otlp_http: {<<: *here, endpoint: "HERE/v1/metrics"}}}}]
      views: [{selector: {}, stream: {aggregation: {drop: }}}]
    logger_provider:
      processors: [{batch: {schedule_delay: 100, exporter: {otlp_http: {<<: *here, endpoint: "HERE/v1/logs"}}}}]
"""

BY_GRPC = """
    file_format: "1.0"
    tracer_provider: {processors: [{batch: {exporter: {otlp_grpc: &here {endpoint: HERE, compression: gzip}}}}]}
    meter_provider: {readers: [{periodic: {exporter: {otlp_grpc: *here}}}]}
    logger_provider: {processors: [{batch: {exporter: {otlp_grpc: *here}}}]}
"""


def declare(installation, text, **places):
    file = installation.folder / "otel.yaml"
    text = dedent(text)
    for place, url in places.items():
        text = text.replace(place, url)
    file.write_text(text, "utf-8")
    installation.environ |= {"OTEL_CONFIG_FILE": str(file), "RECEIVER_KEY": KEY}
    return file


def metrics_of(installation):
    with urlopen(f"http://127.0.0.1:{installation.environ['FILLPATH_OPERATOR_PORT']}/metrics") as answer:
        return answer.read().decode()


def spans_in(requests):
    return [
        span
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def metrics_in(request):
    return {metric.name: metric for scope in request.resource_metrics[0].scope_metrics for metric in scope.metrics}


def records_in(requests):
    return [
        record
        for request in requests
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


@pytest.fixture
def receiver():
    server = Receiver()
    yield server
    server.close()


@pytest.fixture
def stuck():
    """A receiver that answers no more in this test's time."""
    server = Receiver()
    server.released.clear()
    yield server
    server.close()


@pytest.fixture
def grpc_receiver():
    server = GrpcReceiver()
    yield server
    server.close()


def test_an_order_is_exported_as_the_file_says_and_what_is_not_done_is_one_line(installation, receiver, stuck):
    file = declare(installation, BY_HTTP, HERE=receiver.url, STUCK=stuck.url)

    with installation.serving() as running:
        order = json.loads(installation.fillpath(*BUY).stdout)["order"]
        given_up = 'execution_telemetry_dropped_total{signal="traces",reason="export_failed"} 0'
        # The receiver that is stuck would keep its request for ten seconds: the file says a fifth of one.
        wait_until(lambda: given_up not in metrics_of(installation))
        scraped = metrics_of(installation)
        lines = [json.loads(line) for line in running.errors.splitlines()]
    check = installation.fillpath("check", "--json")

    traces = [ExportTraceServiceRequest.FromString(body) for body in receiver.bodies["/v1/traces"]]
    trace = [span for span in spans_in(traces) if span.trace_id.hex() == order["trace_id"]]
    assert {"POST /webhook/{source}", "order.execute", "exchange.create_order"} <= {span.name for span in trace}
    told = metrics_in(ExportMetricsServiceRequest.FromString(receiver.bodies["/v1/metrics"][-1]))
    assert [point.as_double for point in told["execution.orders"].sum.data_points] == [1]
    assert told["execution.ack.duration"].histogram.data_points[0].count == 1
    assert "execution_ack_duration_seconds_count" in scraped
    records = records_in(ExportLogsServiceRequest.FromString(body) for body in receiver.bodies["/v1/logs"])
    assert any(record.body.string_value.startswith("telemetry engine: sdk") for record in records)
    names = {pair.value.string_value for pair in traces[0].resource_spans[0].resource.attributes}
    assert "declared" in names
    assert {(headers["x-key"], headers["content-encoding"]) for headers in receiver.headers} == {(KEY, "gzip")}
    said = [line["message"] for line in lines if line["message"].startswith("telemetry ")]
    assert said[0] == "telemetry engine: sdk, because of OTEL_CONFIG_FILE"
    assert said[1].startswith(f"telemetry is exported as {file} says, except: meter_provider.views (")
    assert "tracer_provider.sampler (every order's trace is kept" in said[1]
    (row,) = [row for row in json.loads(check.stdout) if row["check"] == "telemetry"]
    assert row["result"] == f"engine sdk, because of OTEL_CONFIG_FILE; {said[1]}"
    assert KEY not in installation.said


def test_every_signal_arrives_by_grpc_where_the_file_says_so(installation, grpc_receiver):
    declare(installation, BY_GRPC, HERE=grpc_receiver.url)

    with installation.serving() as running:
        order = json.loads(installation.fillpath(*BUY).stdout)["order"]

    trace = [
        span.name for span in spans_in(grpc_receiver.requests["traces"]) if span.trace_id.hex() == order["trace_id"]
    ]
    assert "order.execute" in trace
    assert "execution.orders" in metrics_in(grpc_receiver.requests["metrics"][-1])
    assert records_in(grpc_receiver.requests["logs"])
    # All that it asks for is done.
    assert f'telemetry is exported as {installation.environ["OTEL_CONFIG_FILE"]} says"' in running.errors


def test_a_mistake_in_the_file_ends_the_start_in_one_line(installation):
    file = declare(
        installation,
        """
        file_format: "1.0"
        tracer_provider:
          processors: [{batch: {exporter: {otlp_http: {headers: {api-key: hunter2hunter2}}}}}]
        """,
    )

    started = installation.fillpath("serve")
    checked = installation.fillpath("check", "--json")

    place = "tracer_provider.processors[0].batch.exporter.otlp_http.headers"
    assert started.returncode != 0
    assert started.stderr.splitlines() == [f"fillpath: {file}, {place}: expected array; correct it"]
    (row,) = [row for row in json.loads(checked.stdout) if row["check"] == "telemetry"]
    assert (row["ok"], row["result"], row["fix"]) == (False, f"{file}, {place}: expected array", "correct it")
    assert KEY not in installation.said

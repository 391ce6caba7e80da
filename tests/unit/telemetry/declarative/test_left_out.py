"""What a file asks for and does not get is named with its place and the reason; what it gets is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from telemetry import environment
from telemetry.choice import choose
from telemetry.declarative import rules
from telemetry.declarative.document import Declaration
from tests.acceptance.conftest import ROOT
from tests.unit.telemetry.declarative.conftest import Declare

EXAMPLE = ROOT / "deploy/otel-sdk.yaml"
OTLP = "batch: {exporter: {otlp_http: }}"
READER = "periodic: {exporter: {otlp_http: "


def tracing(rest: str, processor: str = OTLP) -> str:
    return f"tracer_provider: {{processors: [{{{processor}}}], {rest}}}"


def metering(rest: str, reader: str = f"{READER}}}}}") -> str:
    return f"meter_provider: {{readers: [{{{reader}}}], {rest}}}"


def logging(rest: str, processors: str = f"{{{OTLP}}}") -> str:
    return f"logger_provider: {{processors: [{processors}], {rest}}}"


CASES = [
    (tracing("sampler: {always_off: }"), "tracer_provider.sampler"),
    (tracing("sampler: {parent_based: {root: {always_on: }}}"), "tracer_provider.sampler"),
    (tracing("sampler: {trace_id_ratio_based: {ratio: 0.5}}"), "tracer_provider.sampler"),
    (tracing("sampler: {mine: {}}"), "tracer_provider.sampler"),
    (tracing("id_generator: {xray: {}}"), "tracer_provider.id_generator"),
    (tracing("", "simple: {exporter: {console: }}"), "tracer_provider.processors[0].simple"),
    (logging("", "{simple: {exporter: {console: }}}"), "logger_provider.processors[0].simple"),
    (
        tracing("", "batch: {export_timeout: 5, exporter: {console: }}"),
        "tracer_provider.processors[0].batch.export_timeout",
    ),
    (
        tracing("", "batch: {exporter: {otlp_http: {timeout: 0}}}"),
        "tracer_provider.processors[0].batch.exporter.otlp_http.timeout",
    ),
    (
        tracing("", "batch: {exporter: {otlp_grpc: {timeout: 0}}}"),
        "tracer_provider.processors[0].batch.exporter.otlp_grpc.timeout",
    ),
    (metering("views: [{selector: {}, stream: {name: other}}]"), "meter_provider.views"),
    (
        metering("", f"{READER}{{default_histogram_aggregation: base2_exponential_bucket_histogram}}}}}}"),
        "meter_provider.readers[0].periodic.exporter.otlp_http.default_histogram_aggregation",
    ),
    (metering("exemplar_filter: always_off"), "meter_provider.exemplar_filter"),
    (
        metering("", "periodic: {exporter: {console: }, cardinality_limits: {default: 10}}"),
        "meter_provider.readers[0].periodic.cardinality_limits",
    ),
    (
        metering("", "periodic: {exporter: {console: }, producers: [{opencensus: }]}"),
        "meter_provider.readers[0].periodic.producers",
    ),
    (
        metering("", "periodic: {exporter: {console: }, max_export_batch_size/development: 5}"),
        "meter_provider.readers[0].periodic.max_export_batch_size/development",
    ),
    (
        tracing("tracer_configurator/development: {default_config: {enabled: false}}"),
        "tracer_provider.tracer_configurator/development",
    ),
    (
        metering("meter_configurator/development: {default_config: {enabled: false}}"),
        "meter_provider.meter_configurator/development",
    ),
    (
        logging("logger_configurator/development: {default_config: {enabled: false}}"),
        "logger_provider.logger_configurator/development",
    ),
    (
        logging("", "{event_to_span_event_bridge/development: }"),
        "logger_provider.processors[0].event_to_span_event_bridge/development",
    ),
    *(
        (tracing(f"limits: {{{name}: {limit + 1}}}"), f"tracer_provider.limits.{name}")
        for name, limit in (
            ("attribute_count_limit", 64),
            ("attribute_value_length_limit", 4096),
            ("event_count_limit", 64),
            ("event_attribute_count_limit", 16),
            ("link_count_limit", 16),
            ("link_attribute_count_limit", 16),
        )
    ),
    (logging("limits: {attribute_count_limit: 65}"), "logger_provider.limits.attribute_count_limit"),
    (logging("limits: {attribute_value_length_limit: 8193}"), "logger_provider.limits.attribute_value_length_limit"),
    ("attribute_limits: {attribute_count_limit: 65}", "attribute_limits.attribute_count_limit"),
    ("attribute_limits: {attribute_value_length_limit: 4097}", "attribute_limits.attribute_value_length_limit"),
    ("propagator: {composite: [{tracecontext: }, {baggage: }]}", "propagator.composite[1]"),
    ("propagator: {composite_list: 'tracecontext,b3'}", "propagator.composite_list"),
    ("log_level: debug", "log_level"),
    ("instrumentation/development: {python: {}}", "instrumentation/development"),
    ("distribution: {mine: {}}", "distribution"),
]


@pytest.mark.parametrize(("text", "place"), CASES)
def test_the_place_is_named_with_the_reason(read: Callable[[str], Declaration], text: str, place: str) -> None:
    (named,) = read(text).left_out

    assert named.startswith(f"{place} (")
    assert named.endswith(")")


def test_every_exception_that_the_documentation_lists_is_shown_here() -> None:
    shown = [rules._NO_NUMBER.sub("[]", place) for _, place in CASES]

    assert [rule.name for rule in rules.LEFT_OUT if not any(place.endswith(rule.name) for place in shown)] == []


def test_nothing_is_named_of_a_file_that_is_obeyed_to_the_letter(read: Callable[[str], Declaration]) -> None:
    declaration = read(
        """
        disabled: false
        attribute_limits: {attribute_count_limit: 64, attribute_value_length_limit: 4096}
        resource: {attributes: [{name: service.name, value: mine}], schema_url: https://example.org/1}
        propagator: {composite: [{tracecontext: }], composite_list: tracecontext}
        tracer_provider:
          processors: [{batch: {exporter: {otlp_http: {compression: gzip, timeout: 1, encoding: protobuf}}}}]
          limits: {event_count_limit: 3}
          sampler: {always_on: {}}
          id_generator: {random: }
        meter_provider:
          readers: [{periodic: {interval: 1, timeout: 1, exporter: {otlp_grpc: {temporality_preference: delta}}}}]
          exemplar_filter: trace_based
        logger_provider: {processors: [{batch: {exporter: {console: }}}], limits: {attribute_count_limit: 5}}
        """
    )

    assert declaration.left_out == ()
    assert str(declaration) == f"telemetry is exported as {declaration.path} says"


def test_what_stands_beside_the_file_without_effect_is_named(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EMPTY", "UNSET"):
        monkeypatch.delenv(name, raising=False)
    environ = declare("resource: {schema_url: '${OTEL_MINE:-x}${UNSET}${EMPTY:-}$${NONE}', attributes_list: a}")
    environ |= {"OTEL_MINE": "1", "OTEL_SDK_DISABLED": "false", "OTEL_B": "hunter2", "OTEL_A": "1", "OTEL_C": ""}

    declaration = choose("sdk", "http://collector:4318", environ).declaration

    assert declaration is not None
    assert declaration.left_out == (
        "what OpenTelemetry's library warns of (Invalid resource attribute pair in attributes_list: a)",
        "values that refer to UNSET, which are empty (set them, or write a default)",
        "telemetry.otlp_endpoint of the settings (the file names every receiver)",
        "OTEL_A, OTEL_B of the environment (where a file is named, it alone decides)",
    )


def test_a_variable_that_a_detector_reads_is_not_called_without_effect(declare: Declare) -> None:
    environ = declare("resource: {detection/development: {detectors: [{service: }]}}") | {"OTEL_SERVICE_NAME": "x"}

    declaration = choose("lean", None, environ).declaration

    assert declaration is not None
    assert declaration.left_out == ()


def test_a_newer_minor_version_is_read_and_named(read: Callable[[str], Declaration]) -> None:
    (named,) = read('file_format: "1.9"').left_out

    assert "newer minor version than this SDK supports" in named


def test_a_file_can_switch_telemetry_off(declare: Declare) -> None:
    environ = declare("disabled: true")

    selection, declaration = choose("lean", None, environ)

    assert str(selection) == f"off, because of `disabled: true` in {environ['OTEL_CONFIG_FILE']}"
    assert declaration is None


@pytest.mark.parametrize(("engine", "beside"), [("off", {}), ("lean", {"OTEL_SDK_DISABLED": "true"})])
def test_where_telemetry_is_off_no_file_is_read(engine: environment.Engine, beside: dict[str, str]) -> None:
    choice = choose(engine, None, {"OTEL_CONFIG_FILE": "/nowhere.yaml"} | beside)

    assert (choice.selection.engine, choice.declaration) == ("off", None)


def test_no_secret_is_in_what_a_declaration_looks_like(read: Callable[[str], Declaration]) -> None:
    declaration = read(
        tracing("", "batch: {exporter: {otlp_http: {headers: [{name: authorization, value: hunter2}]}}}")
    )

    assert "hunter2" not in f"{declaration!r}{declaration}"


def test_the_example_says_what_the_service_does_without_a_file() -> None:
    selection, declaration = choose("lean", None, {"OTEL_CONFIG_FILE": str(EXAMPLE)})

    assert selection.engine == "sdk"
    assert declaration is not None
    model = declaration.model
    for provider in (model.tracer_provider, model.logger_provider):
        assert provider is not None
        (processor,) = provider.processors
        assert processor.batch is not None
        batch = processor.batch
        assert (batch.max_queue_size, batch.max_export_batch_size, batch.schedule_delay) == (
            environment.QUEUE_SIZE,
            environment.BATCH_SIZE,
            environment.SPAN_DELAY_MS,
        )
    assert model.meter_provider is not None
    (reader,) = model.meter_provider.readers
    assert reader.periodic is not None
    assert reader.periodic.interval == environment.METRIC_INTERVAL_MS
    assert declaration.left_out == ()

"""A configuration file that cannot be obeyed stops the start, in one line that holds nothing of its values."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from telemetry import environment
from telemetry.choice import choose
from telemetry.declarative import rules
from telemetry.environment import OTLP_GRPC
from tests.unit.telemetry.declarative.conftest import Declare

SECRET = "hunter2hunter2"
AT_EXPORTER = "tracer_provider.processors[0].batch.exporter"


def exporting(exporter: str, batch: str = "") -> str:
    return f"tracer_provider: {{processors: [{{batch: {{{batch}exporter: {{{exporter}}}}}}}]}}"


def by_http(options: str) -> str:
    return exporting(f"otlp_http: {{{options}}}")


def by_grpc(options: str) -> str:
    return exporting(f"otlp_grpc: {{{options}}}")


def metering(reader: str) -> str:
    return f"meter_provider: {{readers: [{{{reader}}}]}}"


def message(environ: dict[str, str]) -> str:
    with pytest.raises(ValueError, match=r"\.yaml|\.json|OTEL_") as raised:
        choose("lean", None, environ)
    return str(raised.value)


SCHEMA = [
    ("- file_format", ": expected OpenTelemetry's configuration, file_format 1.0"),
    ("file_format: 1.0", "file_format: expected string; correct it"),
    ("file_format: '0.3'", "(Unsupported file_format '0.3': this SDK supports schema version 1.x); correct it"),
    ("tracer_provider: {}", "tracer_provider: expected `processors`, which is missing; correct it"),
    ("tracer_provider: {processors: []}", "tracer_provider.processors: expected a list with something in it; correct"),
    ("disabled: [hunter2hunter2]", "disabled: expected boolean or null; correct it"),
    ("log_level: hunter2hunter2", "log_level: expected one of trace, trace2,"),
    (by_http("timeout: -1"), f"{AT_EXPORTER}.otlp_http.timeout: expected at least 0; correct it"),
    (exporting("console: ", "max_queue_size: 0, "), "batch.max_queue_size: expected more than 0; correct it"),
    (by_http("retries: hunter2hunter2"), f"{AT_EXPORTER}.otlp_http: expected none but compression, encoding, endpoint"),
    (by_http("retries: 1"), "; there is `retries`".replace(";", ",")),
    (by_http("headers: {api-key: hunter2hunter2}"), f"{AT_EXPORTER}.otlp_http.headers: expected array; correct it"),
    (by_http("headers: [{name: a, value: [hunter2hunter2]}]"), ".headers[0].value: expected string or null; correct"),
    (exporting("console: , otlp_http: "), f"{AT_EXPORTER}: expected exactly one of console, otlp_file/development"),
    (metering(""), "meter_provider.readers[0]: expected exactly one of periodic, pull; correct it"),
    ("resource: {attributes: [{name: a, value: {b: hunter2hunter2}}]}", "attributes[0].value: expected a text, a"),
    ("resource: {attributes: [{name: a, value: hunter2hunter2, type: int}]}", "resource: expected values of the types"),
    ("resource: {detection/development: {detectors: [{container: }]}}", "resource: expected values of the types that"),
]

SYNTAX = [
    ("a: [hunter2hunter2", "line 2, column "),
    ("a: *hunter2hunter2", "line 2, column 4: expected YAML; correct what stands there"),
    ("a:\n\tb: 1", "line 3, column 1: expected YAML; correct"),
    ("disabled: false\nresource:\n  schema_url: a\n  schema_url: b", "line 5: expected each key once in a mapping;"),
    (by_http("headers: [{name: a, value: '${env:TOKEN}'}]"), "line 2: expected ${NAME} or ${NAME:-default} after a"),
    (by_http("endpoint: '${1}'"), "or $$ for a dollar that is meant"),
    ("resource: {schema_url: '${A:-'}", "line 2: expected ${NAME}"),
]

RULES = [
    ("tracer_providers: {}", "tracer_providers: expected at the top none but file_format, disabled,"),
    (metering("pull: {exporter: {prometheus/development: {}}}"), "readers[0].pull: expected periodic; remove this"),
    (metering("periodic: {exporter: {prometheus: {}}}"), "periodic.exporter: expected an exporter that sends; remove"),
    (exporting("zipkin: {}"), f"{AT_EXPORTER}: expected otlp_http, otlp_grpc, console, or what an installed package"),
    (exporting("otlp_file/development: {}"), f"{AT_EXPORTER}.otlp_file/development: expected otlp_http, otlp_grpc"),
    (by_http("encoding: json"), f"{AT_EXPORTER}.otlp_http.encoding: expected protobuf; http/json is spoken by no"),
    (by_http("compression: zstd"), f"{AT_EXPORTER}.otlp_http.compression: expected gzip, deflate or none; correct"),
    (by_grpc("compression: deflate"), f"{AT_EXPORTER}.otlp_grpc.compression: expected gzip or none; correct it"),
    (by_http("endpoint: 'collector:4318'"), f"{AT_EXPORTER}.otlp_http.endpoint: expected a whole URL, such as http"),
    (by_http("endpoint: 'hunter2hunter2:4318'"), f"{AT_EXPORTER}.otlp_http.endpoint: expected a whole URL"),
    (by_grpc("endpoint: 'collector:4317'"), f"{AT_EXPORTER}.otlp_grpc.endpoint: expected a URL, such as http://host"),
    (by_http("tls: {ca_file: /nowhere/ca.pem}"), f"{AT_EXPORTER}.otlp_http.tls.ca_file: expected a file that can be"),
    (by_http("tls: {key_file: /nowhere/k}"), f"{AT_EXPORTER}.otlp_http.tls: expected cert_file beside key_file"),
    (by_grpc("tls: {cert_file: /nowhere/c}"), f"{AT_EXPORTER}.otlp_grpc.tls.cert_file: expected a file that can be"),
    (by_grpc("tls: {key_file: /nowhere/k}"), f"{AT_EXPORTER}.otlp_grpc.tls: expected cert_file beside key_file"),
    (by_http('headers: [{name: a, value: "hunter2hunter2\\n"}]'), ".headers[0]: expected headers of printable ASCII"),
    (by_http("headers: [{name: 'a b', value: x}]"), ".headers[0]: expected headers of printable ASCII"),
    (by_http("headers_list: Bearer hunter2hunter2"), ".headers_list: expected key=value,... with headers of printable"),
    (by_grpc("headers_list: 'a=b,hunter2hunter2'"), ".headers_list: expected key=value,... with headers of printable"),
    (
        exporting("console: ", "max_queue_size: 10, max_export_batch_size: 11, "),
        "batch: expected max_export_batch_size",
    ),
    (exporting("console: ", "max_export_batch_size: 4096, "), "batch: expected max_export_batch_size no larger"),
    (exporting("console: ", "schedule_delay: 0, "), "batch.schedule_delay: expected more than 0 milliseconds; correct"),
    (metering("periodic: {interval: 0, exporter: {console: }}"), "periodic.interval: expected more than 0 millisecond"),
    ("tracer_provider: {processors: [{mine: {}}]}", "tracer_provider.processors[0]: expected batch or simple; name"),
    ("logger_provider: {processors: [{mine: {}}]}", "logger_provider.processors[0]: expected batch or simple; name"),
]


@pytest.mark.parametrize(("text", "said"), [*SCHEMA, *SYNTAX, *RULES])
def test_the_line_names_the_file_the_place_what_was_expected_and_what_to_do(
    declare: Declare, capfd: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    environ = declare(text)

    line = message(environ)

    assert line.startswith(environ["OTEL_CONFIG_FILE"])
    assert said in line
    assert line.count("; ") == 1
    assert "\n" not in line
    assert SECRET not in line
    assert capfd.readouterr() == ("", "")


def test_every_refusal_that_the_documentation_lists_is_shown_here() -> None:
    shown = [said for _, said in RULES]
    # gRPC without its package has a test of its own.
    missing = {rule.name for rule in rules.REFUSED if not any(rule.expected[:12] in said for said in shown)}

    assert missing == {"exporter.otlp_grpc"}


def test_grpc_without_its_package_names_the_extra(declare: Declare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "entry_of", lambda _signal, name: None if name == OTLP_GRPC else object())

    assert "otlp_grpc: expected the package opentelemetry-exporter-otlp-proto-grpc; install fillpath with" in message(
        declare(by_grpc(""))
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("otel.yaml", None, "which cannot be read (No such file or directory); correct the variable, or the file's"),
        ("otel.json", b"{}", "expected YAML in a file whose name ends in .yaml or .yml; rename it (JSON is YAML"),
        ("otel.yaml", b"file_format: '\xff'", "expected YAML in UTF-8; correct the file"),
        ("otel.yaml", b"", "(Configuration file is empty); correct it"),
        ("otel.yaml", b"[" * 3000, "expected YAML"),
    ],
)
def test_a_file_that_is_none_is_one_line_too(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)

    line = message({"OTEL_EXPERIMENTAL_CONFIG_FILE": str(path)})

    assert str(path) in line
    assert said in line


def test_two_different_files_are_one_too_many() -> None:
    environ = {"OTEL_CONFIG_FILE": "/a.yaml", "OTEL_EXPERIMENTAL_CONFIG_FILE": "/b.yaml"}

    assert message(environ).endswith("name different files; set one of them")
    assert environment.config_file(dict.fromkeys(environ, "/a.yaml")) == ("OTEL_CONFIG_FILE", "/a.yaml")


def test_what_the_library_logs_meanwhile_is_not_printed_and_afterwards_it_is_heard_again(
    declare: Declare, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("opentelemetry")

    message(declare("- file_format"))

    assert caplog.records == []
    assert logger.propagate
    assert logger.handlers == []

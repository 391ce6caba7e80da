"""Which engine runs: what the settings want, unless the environment asks for what only another one can do."""

from __future__ import annotations

from dataclasses import replace

import pytest
from opentelemetry.util.re import parse_env_headers

from telemetry import environment
from telemetry.config import Engine, TelemetryConfig
from telemetry.environment import OTLP_GRPC, Selection, select
from telemetry.lean import LeanTelemetry
from telemetry.off import OffTelemetry
from telemetry.sdk import SdkTelemetry
from telemetry.setup import build_telemetry

PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


@pytest.mark.parametrize(("engine", "kind"), [("lean", LeanTelemetry), ("sdk", SdkTelemetry), ("off", OffTelemetry)])
def test_the_settings_choose_the_engine(config: TelemetryConfig, engine: Engine, kind: type) -> None:
    telemetry = build_telemetry(replace(config, engine=engine), {})
    telemetry.close(5)

    assert type(telemetry) is kind


def test_the_lean_engine_is_the_default(config: TelemetryConfig) -> None:
    assert config.engine == "lean"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {PROTOCOL: " HTTP/protobuf "},
        {PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf", "OTEL_METRICS_EXPORTER": "none"}
        | {"OTEL_LOGS_EXPORTER": "none"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_METRICS_EXPORTER": "", "OTEL_LOGS_EXPORTER": " None "},
        {"OTEL_TRACES_EXPORTER": "otlp_proto_http"},
        {"OTEL_CONFIG_FILE": " "},
        {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta", "OTEL_TRACES_SAMPLER": "always_off"},
    ],
)
def test_what_the_lean_engine_can_do_leaves_it(environ: dict[str, str]) -> None:
    assert select("lean", environ) == Selection("lean")


@pytest.mark.parametrize(
    ("environ", "because"),
    [
        ({PROTOCOL: "grpc"}, ["OTEL_EXPORTER_OTLP_PROTOCOL=grpc"]),
        ({PROTOCOL: "http/json"}, ["OTEL_EXPORTER_OTLP_PROTOCOL=http/json"]),
        ({"OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc"}, ["OTEL_EXPORTER_OTLP_LOGS_PROTOCOL=grpc"]),
        ({"OTEL_TRACES_EXPORTER": "console"}, ["OTEL_TRACES_EXPORTER=console"]),
        ({"OTEL_METRICS_EXPORTER": "otlp, prometheus"}, ["OTEL_METRICS_EXPORTER=otlp, prometheus"]),
        (
            {"OTEL_LOGS_EXPORTER": "otlp_proto_grpc", PROTOCOL: "grpc"},
            ["OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_LOGS_EXPORTER=otlp_proto_grpc"],
        ),
        ({"OTEL_CONFIG_FILE": "/x.yaml"}, ["OTEL_CONFIG_FILE"]),
        ({"OTEL_EXPERIMENTAL_CONFIG_FILE": "/x.yaml"}, ["OTEL_EXPERIMENTAL_CONFIG_FILE"]),
        (
            {"OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER": "gcp"},
            ["OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER"],
        ),
    ],
)
def test_what_only_the_sdk_can_do_selects_it_and_is_named(environ: dict[str, str], because: list[str]) -> None:
    selection = select("lean", environ)

    assert (selection.engine, list(selection.because)) == ("sdk", because)
    assert str(selection) == f"sdk, because of {', '.join(because)}"
    assert str(select("sdk", environ)) == "sdk"


@pytest.mark.parametrize("engine", ["lean", "sdk"])
def test_the_environment_can_switch_telemetry_off(config: TelemetryConfig, engine: Engine) -> None:
    environ = {"OTEL_SDK_DISABLED": " TRUE ", PROTOCOL: "nonsense"}

    assert str(select(engine, environ)) == "off, because of OTEL_SDK_DISABLED"
    assert isinstance(build_telemetry(replace(config, engine=engine), environ), OffTelemetry)
    assert str(select("off", environ)) == "off"


@pytest.mark.parametrize("engine", ["lean", "sdk"])
@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({PROTOCOL: "http/json"}, "http/json is spoken by no engine; expected http/protobuf or grpc"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER names zipkin, which no installed package offers"),
        ({"OTEL_CONFIG_FILE": "/x.yaml"}, "OTEL_CONFIG_FILE names /x.yaml, which cannot be read"),
    ],
)
def test_what_no_engine_can_do_stops_the_start_and_says_why(
    config: TelemetryConfig, engine: Engine, environ: dict[str, str], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        build_telemetry(replace(config, engine=engine), environ)


@pytest.mark.parametrize("engine", ["lean", "sdk"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization Bearer hunter2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b;hunter2"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=b, c d=hunter2"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-key=hunter2%0A%20b"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-key=hunter2\u00e9"),
    ],
)
def test_what_is_no_header_stops_the_start_and_is_not_shown(
    config: TelemetryConfig,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    engine: Engine,
    protocol: str,
    name: str,
    text: str,
) -> None:
    environ = {name: text, PROTOCOL: protocol}
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(ValueError, match=f"^{name} holds what is no header") as raised:
        build_telemetry(replace(config, engine=engine, otlp_endpoint="http://127.0.0.1:1"), environ)
    assert "hunter2" not in str(raised.value) + "".join(capfd.readouterr())


@pytest.mark.parametrize("text", ["", ",", "a=", "a=b", " X-Key = a%20b=c , d=Bearer e ", "a=%22"])
def test_a_header_is_one_where_opentelemetry_sends_it(text: str, caplog: pytest.LogCaptureFixture) -> None:
    environment.check(Selection("lean"), "http://127.0.0.1:1", {"OTEL_EXPORTER_OTLP_HEADERS": text})

    sent = parse_env_headers(text, liberal=True)
    assert caplog.records == []
    assert len(sent) == text.count("=") - text.count("=c")


def test_grpc_without_its_package_stops_the_start_and_names_it(
    config: TelemetryConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "entry_of", lambda _signal, name: None if name == OTLP_GRPC else object())

    with pytest.raises(ValueError, match="opentelemetry-exporter-otlp-proto-grpc is not installed; install"):
        build_telemetry(config, {PROTOCOL: "grpc"})


@pytest.mark.parametrize(
    ("environ", "configured", "url"),
    [
        ({}, None, None),
        ({}, "http://c:4318", "http://c:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://e/otlp/"}, "http://c:4318", "https://e/otlp/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/x"}, None, "http://t:1/x"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:1/x"}, None, None),
        ({"OTEL_TRACES_EXPORTER": "none"}, "http://c:4318", None),
        ({"OTEL_TRACES_EXPORTER": "console"}, "http://c:4318", None),
    ],
)
def test_the_endpoint_is_found(environ: dict[str, str], configured: str | None, url: str | None) -> None:
    assert environment.endpoint("traces", configured, environ) == url


def test_by_grpc_all_signals_go_to_one_address() -> None:
    environ = {PROTOCOL: "grpc", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://l:1"}
    urls = [environment.endpoint(signal, "http://c:4317", environ, OTLP_GRPC) for signal in environment.SIGNALS]

    assert urls == ["http://c:4317", "http://c:4317", "https://l:1"]

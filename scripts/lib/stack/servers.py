"""The servers of the stack: what each is started with, where it listens, how to see that it is well."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.lib.stack.configuration import Layout
from scripts.lib.stack.ports import HOST, Ports, listen, url
from scripts.lib.stack.versions import ALERTMANAGER, JAEGER, OTELCOL, PROMETHEUS, Program

RETENTION = "30d"
_PROMETHEUS_FLAGS = (
    "--enable-feature=exemplar-storage",
    f"--storage.tsdb.retention.time={RETENTION}",
    # Sent again so soon, an alert that Alertmanager did not get, or forgot, is there within seconds, not a minute.
    "--rules.alert.resend-delay=10s",
)
_ALERTMANAGER_FLAGS = ("--data.retention=720h", "--cluster.listen-address=")

_SERVICE_KEEPS = (
    "FILLPATH_WEBHOOK_SECRET",
    "FILLPATH_EXCHANGE_",
    "FILLPATH_OPERATOR_TOKEN",
    "FILLPATH_LOG_LEVEL",
    "FILLPATH_ENVIRONMENT",
    "FILLPATH_TELEMETRY_ENGINE",
)
"""Of the variables that begin with FILLPATH_ the service gets these: the others are the stack's, or written down."""

_SERVICE_DEFAULTS = {
    "OTEL_METRIC_EXPORT_INTERVAL": "5000",
    "OTEL_BSP_MAX_QUEUE_SIZE": "32768",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "32768",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`ports` are those it listens on, the first the one to show; `health` is a port and a path that answers 200."""

    name: str
    program: Program | None
    ports: tuple[str, ...]
    health: tuple[str, str]
    start_within: float = 90.0

    def address(self, ports: Ports) -> str:
        return url(getattr(ports, self.ports[0]))

    def health_url(self, ports: Ports) -> str:
        port, path = self.health
        return url(getattr(ports, port)) + path


SERVERS: Mapping[str, Server] = {
    server.name: server
    for server in (
        Server(name="service", program=None, ports=("service", "operator"), health=("service", "/readyz")),
        Server(
            name="collector",
            program=OTELCOL,
            ports=("otlp_http", "otlp_grpc", "prometheus_exporter", "collector_metrics", "collector_health"),
            health=("collector_health", "/"),
        ),
        Server(
            name="jaeger",
            program=JAEGER,
            ports=(
                "jaeger_query",
                "jaeger_query_grpc",
                "jaeger_otlp_http",
                "jaeger_otlp_grpc",
                "jaeger_metrics",
                "jaeger_health",
            ),
            health=("jaeger_health", "/status"),
        ),
        Server(name="prometheus", program=PROMETHEUS, ports=("prometheus",), health=("prometheus", "/-/ready")),
        Server(name="alertmanager", program=ALERTMANAGER, ports=("alertmanager",), health=("alertmanager", "/-/ready")),
    )
}
ALL = frozenset(SERVERS)
START_ORDER = ("jaeger", "collector", "alertmanager", "prometheus", "service")
"""Who receives stands before who sends; stopped in the opposite order, so that what is sent last still arrives."""


def service_program() -> Path:
    """`fillpath` of the environment that runs this."""
    return Path(sys.executable).with_name("fillpath")


COLLECTOR_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "320MiB"}
"""Garbage is collected a quarter as often: a quarter less CPU an alert for some 35 MiB.

The second holds the heap below what the collector's `memory_limiter` starts to refuse at.
"""


def command(name: str, program: Path, layout: Layout, ports: Ports, overlays: Sequence[Path]) -> list[str | Path]:
    """What starts a server."""
    match name:
        case "service":
            return [program, "serve"]
        case "collector":
            return [program, *collector_configuration(layout, overlays)]
        case "jaeger":
            return [program, "--config", layout.source("deploy/jaeger.yaml")]
        case "prometheus":
            return [
                program,
                f"--config.file={layout.prometheus}",
                f"--storage.tsdb.path={layout.data('prometheus')}",
                f"--web.listen-address={listen(ports.prometheus)}",
                *_PROMETHEUS_FLAGS,
            ]
        case _:
            return [
                program,
                f"--config.file={layout.alertmanager}",
                f"--storage.path={layout.data('alertmanager')}",
                f"--web.listen-address={listen(ports.alertmanager)}",
                *_ALERTMANAGER_FLAGS,
            ]


def collector_configuration(layout: Layout, overlays: Sequence[Path]) -> list[str | Path]:
    """The collector's arguments that name its files, the base first."""
    files = [layout.source("otel-collector/base.yaml"), *overlays]
    return [part for file in files for part in ("--config", file)]


def environment(name: str, layout: Layout, ports: Ports, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables a server is started with."""
    match name:
        case "service":
            kept = {
                key: value
                for key, value in environ.items()
                if not key.startswith(("FILLPATH_", "OTEL_EXPORTER_")) or key.startswith(_SERVICE_KEEPS)
            }
            return {**_SERVICE_DEFAULTS, **kept, "FILLPATH_CONFIG": str(layout.service)}
        case "collector":
            defaults = {**COLLECTOR_MEMORY, "FILLPATH_ARCHIVE": str(layout.data("archive"))}
            return {**defaults, **environ, **collector_environment(layout, ports)}
        case "jaeger":
            return {**environ, **jaeger_environment(layout, ports)}
        case _:
            return dict(environ)


def collector_environment(layout: Layout, ports: Ports) -> dict[str, str]:
    """What `otel-collector/base.yaml` reads."""
    return {
        "FILLPATH_OTLP_HTTP": listen(ports.otlp_http),
        "FILLPATH_OTLP_GRPC": listen(ports.otlp_grpc),
        "FILLPATH_PROMETHEUS_EXPORTER": listen(ports.prometheus_exporter),
        "FILLPATH_COLLECTOR_METRICS_HOST": HOST,
        "FILLPATH_COLLECTOR_METRICS_PORT": str(ports.collector_metrics),
        "FILLPATH_COLLECTOR_HEALTH": listen(ports.collector_health),
        "FILLPATH_JAEGER_OTLP": url(ports.jaeger_otlp_http),
        "FILLPATH_COLLECTOR_STORAGE": str(layout.data("collector") / "storage"),
        "FILLPATH_LOG_FILE": str(layout.log_file),
    }


def jaeger_environment(layout: Layout, ports: Ports) -> dict[str, str]:
    """What `deploy/jaeger.yaml` reads."""
    return {
        "FILLPATH_JAEGER_QUERY": listen(ports.jaeger_query),
        "FILLPATH_JAEGER_QUERY_GRPC": listen(ports.jaeger_query_grpc),
        "FILLPATH_JAEGER_OTLP_HTTP": listen(ports.jaeger_otlp_http),
        "FILLPATH_JAEGER_OTLP_GRPC": listen(ports.jaeger_otlp_grpc),
        "FILLPATH_JAEGER_METRICS_HOST": HOST,
        "FILLPATH_JAEGER_METRICS_PORT": str(ports.jaeger_metrics),
        "FILLPATH_JAEGER_HEALTH": listen(ports.jaeger_health),
        "FILLPATH_JAEGER_STORAGE": str(layout.data("jaeger")),
    }

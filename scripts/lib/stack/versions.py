"""The programs of the stack as data: which versions will do, how each is built, which Debian package has it."""

from __future__ import annotations

from dataclasses import dataclass, field

GO = (1, 25)
"""The oldest Go that builds all of them."""

_COLLECTOR = "0.159.0"
_JAEGER = "2.13.0"
_PROMETHEUS = "3.5.0"
_ALERTMANAGER = "0.28.1"
_PINT = "0.87.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Commands that are run in an empty folder holding copies of `inputs`, with `GOBIN` its `bin`.

    `outputs` maps each program to where the commands leave it. What a step reads beside the inputs stands in its
    text, so that text and inputs together say what comes out.
    """

    name: str
    inputs: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    outputs: dict[str, str] = field(hash=False)
    minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program: `variable` names its path, `commands` are its names on the PATH, `least` the oldest that will do."""

    name: str
    variable: str
    commands: tuple[str, ...]
    least: tuple[int, ...]
    ask: tuple[str, ...] = ("--version",)
    build: Build
    package: str | None = None


_STRIPPED = "-s -w"
_PROMETHEUS_VERSION = "-X github.com/prometheus/common/version.Version="

OTELCOL_BUILD = Build(
    name="otelcol",
    inputs=("otel-collector/manifest.yaml",),
    steps=(
        ("go", "install", "-v", f"go.opentelemetry.io/collector/cmd/builder@v{_COLLECTOR}"),
        ("bin/builder", "--verbose", "--config", "manifest.yaml"),
    ),
    outputs={"otelcol": "build/otelcol"},
    minutes=3,
)
JAEGER_BUILD = Build(
    name="jaeger",
    inputs=("deploy/jaeger/go.mod", "deploy/jaeger/go.sum"),
    steps=(
        (
            "go",
            "build",
            "-v",
            "-trimpath",
            "-ldflags",
            f"{_STRIPPED} -X github.com/jaegertracing/jaeger/internal/version.latestVersion=v{_JAEGER}",
            "-o",
            "bin/",
            "github.com/jaegertracing/jaeger/cmd/jaeger",
        ),
    ),
    outputs={"jaeger": "bin/jaeger"},
    minutes=5,
)
PROMETHEUS_BUILD = Build(
    name="prometheus",
    inputs=("deploy/prometheus/go.mod", "deploy/prometheus/go.sum"),
    steps=(
        (
            "go",
            "build",
            "-v",
            "-trimpath",
            "-ldflags",
            f"{_STRIPPED} {_PROMETHEUS_VERSION}{_PROMETHEUS}",
            "-o",
            "bin/",
            "github.com/prometheus/prometheus/cmd/prometheus",
            "github.com/prometheus/prometheus/cmd/promtool",
        ),
    ),
    outputs={"prometheus": "bin/prometheus", "promtool": "bin/promtool"},
    minutes=4,
)
ALERTMANAGER_BUILD = Build(
    name="alertmanager",
    inputs=(),
    steps=(
        (
            "go",
            "install",
            "-v",
            "-trimpath",
            "-ldflags",
            f"{_STRIPPED} {_PROMETHEUS_VERSION}{_ALERTMANAGER}",
            f"github.com/prometheus/alertmanager/cmd/alertmanager@v{_ALERTMANAGER}",
            f"github.com/prometheus/alertmanager/cmd/amtool@v{_ALERTMANAGER}",
        ),
    ),
    outputs={"alertmanager": "bin/alertmanager", "amtool": "bin/amtool"},
    minutes=2,
)
PINT_BUILD = Build(
    name="pint",
    inputs=("deploy/pint/go.mod", "deploy/pint/go.sum"),
    steps=(
        (
            "go",
            "build",
            "-v",
            "-trimpath",
            "-ldflags",
            f"{_STRIPPED} -X main.version={_PINT}",
            "-o",
            "bin/",
            "github.com/cloudflare/pint/cmd/pint",
        ),
    ),
    outputs={"pint": "bin/pint"},
    minutes=2,
)

OTELCOL = Program(
    name="otelcol",
    variable="FILLPATH_OTELCOL",
    commands=("otelcol", "otelcol-contrib"),
    least=(0, 159),
    build=OTELCOL_BUILD,
)
JAEGER = Program(
    name="jaeger", variable="FILLPATH_JAEGER", commands=("jaeger",), least=(2, 13), ask=("version",), build=JAEGER_BUILD
)
PROMETHEUS = Program(
    name="prometheus",
    variable="FILLPATH_PROMETHEUS",
    commands=("prometheus",),
    least=(2, 42),
    build=PROMETHEUS_BUILD,
    package="prometheus",
)
PROMTOOL = Program(
    name="promtool",
    variable="FILLPATH_PROMTOOL",
    commands=("promtool",),
    least=(2, 42),
    build=PROMETHEUS_BUILD,
    package="prometheus",
)
ALERTMANAGER = Program(
    name="alertmanager",
    variable="FILLPATH_ALERTMANAGER",
    commands=("alertmanager", "prometheus-alertmanager"),
    least=(0, 25),
    build=ALERTMANAGER_BUILD,
    package="prometheus-alertmanager",
)
AMTOOL = Program(
    name="amtool",
    variable="FILLPATH_AMTOOL",
    commands=("amtool",),
    least=(0, 25),
    build=ALERTMANAGER_BUILD,
    package="prometheus-alertmanager",
)
PINT = Program(
    name="pint", variable="FILLPATH_PINT", commands=("pint",), least=(0, 87), ask=("version",), build=PINT_BUILD
)
"""The linter of alert rules; no part of the stack. Its build asks for Go 1.26, which an older one fetches."""

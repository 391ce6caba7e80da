"""What the `OTEL_*` variables of the process ask for; `telemetry.variables` lists them all."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from telemetry.headers import is_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from telemetry.config import Engine

SIGNALS = ("traces", "metrics", "logs")

METRIC_INTERVAL_MS = 5_000
SPAN_DELAY_MS = 1_000
QUEUE_SIZE = 8_192
BATCH_SIZE = 512

CONFIG_FILES = ("OTEL_CONFIG_FILE", "OTEL_EXPERIMENTAL_CONFIG_FILE")
CREDENTIAL_PROVIDERS = tuple(
    f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{signal}CREDENTIAL_PROVIDER" for signal in ("", "TRACES_", "METRICS_", "LOGS_")
)
OTLP_HTTP, OTLP_GRPC = "otlp_proto_http", "otlp_proto_grpc"
"""Two exporters by the names of their entry points."""

_PROTOCOLS = {"": OTLP_HTTP, "http/protobuf": OTLP_HTTP, "grpc": OTLP_GRPC}
_SHOWN = 60


class ConfigFile(NamedTuple):
    """A declarative configuration file, and the variable that names it."""

    variable: str
    path: str


class Selection(NamedTuple):
    """The engine that runs, and the variables that chose it in place of the settings' one; none where they did not."""

    engine: Engine
    because: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.engine}, because of {', '.join(self.because)}" if self.because else self.engine


def select(engine: Engine, environ: Mapping[str, str]) -> Selection:
    """What runs where the settings say `engine`.

    What only the SDK can do selects the SDK's engine, whoever asked for the lean one: data that is not where it was
    sent to is worse than data that costs more.
    """
    if engine == "off":
        return Selection("off")
    if disabled(environ):
        return Selection("off", ("OTEL_SDK_DISABLED",))
    because = tuple(_beyond_lean(environ)) if engine == "lean" else ()
    return Selection("sdk", because) if because else Selection(engine)


def check(selection: Selection, configured: str | None, environ: Mapping[str, str]) -> None:
    """Look whether this engine can do what the environment asks for; `configured` is the settings' endpoint.

    What a configuration file asks for is looked at where it is read (`telemetry.choice`).

    Raises:
        ValueError: it cannot; the message says what would be right.
    """
    if selection.engine == "off" or config_file(environ) is not None:
        return
    for signal in SIGNALS:
        for name in exporters(signal, environ):
            if name in {OTLP_HTTP, OTLP_GRPC} and endpoint(signal, configured, environ, name) is not None:
                _check_headers(signal, environ)
            if entry_of(signal, name) is None:
                raise ValueError(missing(signal, name))


def _check_headers(signal: str, environ: Mapping[str, str]) -> None:
    general, own = "OTEL_EXPORTER_OTLP_HEADERS", f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS"
    variable = own if environ.get(own, "").strip() else general
    if not is_list(environ.get(variable, "")):
        raise ValueError(
            f"{variable} holds what is no header and would not be sent; expected name=value,... with other characters "
            'than printable ASCII, and any of " , ; \\, percent-encoded (what stands there is not shown)'
        )


def config_file(environ: Mapping[str, str]) -> ConfigFile | None:
    """The declarative configuration file that is to be obeyed; where there is one, no variable below counts.

    Raises:
        ValueError: two different ones are named.
    """
    files = [ConfigFile(name, path) for name in CONFIG_FILES if (path := environ.get(name, "").strip())]
    if len({file.path for file in files}) > 1:
        raise ValueError(f"{' and '.join(CONFIG_FILES)} name different files; set one of them")
    return files[0] if files else None


def _beyond_lean(environ: Mapping[str, str]) -> Iterator[str]:
    files = [name for name in CONFIG_FILES if environ.get(name, "").strip()]
    yield from files
    if files:
        return
    yield from (name for name in CREDENTIAL_PROVIDERS if environ.get(name, "").strip())
    named: dict[str, None] = {}
    for signal in SIGNALS:
        if set(_exporter_names(signal, environ)) - {"otlp", OTLP_HTTP}:
            named[_shown(f"OTEL_{signal.upper()}_EXPORTER", environ)] = None
        elif "otlp" in _exporter_names(signal, environ):
            variable, protocol = _protocol(signal, environ)
            if _PROTOCOLS.get(protocol) != OTLP_HTTP:
                named[_shown(variable, environ)] = None
    yield from named


def exporters(signal: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Entry points of a signal's exporters; none where it is not to be exported.

    Raises:
        ValueError: a protocol that no engine speaks.
    """
    found = []
    for name in _exporter_names(signal, environ):
        if name != "otlp":
            found.append(name)
            continue
        variable, protocol = _protocol(signal, environ)
        if protocol not in _PROTOCOLS:
            raise ValueError(f"{_shown(variable, environ)} is spoken by no engine; expected http/protobuf or grpc")
        found.append(_PROTOCOLS[protocol])
    return tuple(dict.fromkeys(found))


@cache
def entry_of(signal: str, name: str) -> EntryPoint | None:
    """Where an exporter is found; looked up once, because it reads what every installed package offers."""
    return next(iter(entry_points(group=f"opentelemetry_{signal}_exporter", name=name)), None)


def _exporter_names(signal: str, environ: Mapping[str, str]) -> list[str]:
    names = [name.strip().lower() for name in environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").split(",")]
    names = [name for name in names if name] or ["otlp"]
    return [name for name in names if name != "none"]


def _protocol(signal: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The variable that says which protocol OTLP is spoken for this signal, and what it says."""
    general = "OTEL_EXPORTER_OTLP_PROTOCOL"
    own = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL"
    variable = own if environ.get(own, "").strip() else general
    return variable, environ.get(variable, "").strip().lower()


def missing(signal: str, name: str) -> str:
    """What to say where no installed package offers an exporter."""
    if name == OTLP_GRPC:
        return (
            f"{signal} are to be exported by gRPC, and the package opentelemetry-exporter-otlp-proto-grpc is not "
            "installed; install fillpath with the extra `grpc`, or set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"
        )
    return (
        f"OTEL_{signal.upper()}_EXPORTER names {name[:_SHOWN]}, which no installed package offers; install one that "
        "does, or name otlp, console or none"
    )


def _shown(variable: str, environ: Mapping[str, str]) -> str:
    return f"{variable}={environ.get(variable, '')[:_SHOWN]}"


def disabled(environ: Mapping[str, str]) -> bool:
    return environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def endpoint(signal: str, configured: str | None, environ: Mapping[str, str], exporter: str = OTLP_HTTP) -> str | None:
    """The URL that an OTLP exporter sends a signal to; None means that it does not.

    Raises:
        ValueError: what is configured is no HTTP URL.
    """
    upper = signal.upper()
    if exporter not in exporters(signal, environ):
        return None
    own = environ.get(f"OTEL_EXPORTER_OTLP_{upper}_ENDPOINT", "").strip()
    base = environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip() or configured
    # By gRPC all signals go to one address.
    common = base if exporter == OTLP_GRPC or not base else f"{base.rstrip('/')}/v1/{signal}"
    url = own or common or None
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            # The URL itself stays out of the message: it may carry credentials.
            raise ValueError(f"the OTLP endpoint for {signal} is no http:// or https:// URL; expected http://host:4318")
    return url


def number(name: str, default: int, environ: Mapping[str, str], *, least: int = 1) -> int:
    """A whole number from the environment; what is none, or below `least`, counts as not set, as the SDK rules."""
    try:
        value = int(float(environ.get(name, default)))
    except (ValueError, OverflowError):
        return default
    return value if value >= least else default

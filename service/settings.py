"""The configuration: one TOML file decoded into typed settings, environment variables over it.

Durations are seconds, rates a second. Secrets are never here: see `service.secrets`.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from service.errors import ConfigurationError
from service.exchanges.paper import PaperSettings
from service.exchanges.settings import AccountSettings, ExchangeSettings

__all__ = ["AccountSettings", "ExchangeSettings", "Loaded", "PaperSettings", "Settings", "load"]

PAPER = "paper"
"""The name of the built-in exchange."""

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
"""Names of sources and accounts: they stand in paths, labels and file names."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    host: Annotated[str, Meta(description="address of the public listener")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="its port; 0 takes a free one")] = 8080
    operator_host: Annotated[str, Meta(description="address of the operator's listener")] = "127.0.0.1"
    operator_port: Annotated[int, Meta(ge=0, le=65535, description="its port; 0 takes a free one")] = 8081
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="addresses or networks whose `X-Forwarded-For` is believed")
    ] = ()
    max_body_bytes: Annotated[int, Meta(ge=1, description="largest alert body, bytes")] = 16_384
    body_timeout: Annotated[float, Meta(gt=0, description="time for a body to arrive, s")] = 3.0
    max_connections: Annotated[int, Meta(ge=1, description="connections at once, each listener")] = 2_000
    failures_per_minute: Annotated[float, Meta(gt=0, description="failed requests allowed an address and minute")] = (
        100.0
    )
    failure_burst: Annotated[int, Meta(ge=1, description="failed requests allowed an address at once")] = 10
    shutdown_timeout: Annotated[float, Meta(ge=0, description="time to finish what is on the wire at a stop, s")] = 10.0


class TelemetrySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    engine: Annotated[
        Literal["lean", "sdk", "off"],
        Meta(
            description="`lean` (ours), `sdk` (OpenTelemetry's: the same for more, and what only it can do) or `off`; "
            "see [telemetry.md](telemetry.md#engines)"
        ),
    ] = "lean"
    environment: Annotated[str, Meta(description="`deployment.environment.name`")] = "development"
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="lowest level that is logged")
    ] = "info"
    otlp_endpoint: Annotated[
        str, Meta(description="OTLP/HTTP receiver, like `http://127.0.0.1:4318`; empty: no export")
    ] = ""
    trace_url: Annotated[
        str, Meta(description="where a trace is shown, with `{trace_id}` in it; empty: no link in answers")
    ] = ""
    log_file: Annotated[
        str, Meta(description="the collector's log file, which `fillpath logs` reads; empty: none is known")
    ] = ""
    loki_url: Annotated[
        str, Meta(description="Loki, like `http://127.0.0.1:3100`, which `fillpath logs` asks instead; empty: none")
    ] = ""


class ExecutionSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    request_timeout: Annotated[
        float, Meta(gt=0, description="an exchange call without an answer is given up after, s")
    ] = 10.0
    follow_interval: Annotated[
        float, Meta(gt=0, description="between two looks at the paper exchange's open orders, s")
    ] = 0.5
    reconcile_first_delay: Annotated[
        float, Meta(ge=0, description="before the second look-up of an order in doubt, s")
    ] = 0.25
    reconcile_max_delay: Annotated[float, Meta(gt=0, description="longest pause between look-ups, s")] = 5.0
    breaker_failures: Annotated[int, Meta(ge=1, description="failed calls in a row that open the circuit breaker")] = 5
    breaker_open: Annotated[float, Meta(gt=0, description="how long it stays open, s")] = 60.0
    breaker_successes: Annotated[int, Meta(ge=1, description="answered calls that close it again")] = 2
    max_waiting: Annotated[int, Meta(ge=1, description="unfinished orders above which alerts get 503")] = 100_000


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    auth: Annotated[
        Literal["standard", "hmac", "token"],
        Meta(description="`standard` (Standard Webhooks), `hmac` (hex of the body) or `token` (in the body)"),
    ]
    accounts: Annotated[tuple[str, ...], Meta(description="accounts it may use; the first is the default")]
    addresses: Annotated[tuple[str, ...], Meta(description="senders' addresses or networks; empty: any")] = ()
    trust_trace: Annotated[bool, Meta(description="continue the sender's trace instead of linking to it")] = False
    rate: Annotated[float, Meta(gt=0, description="alerts a second")] = 50.0
    burst: Annotated[int, Meta(ge=1, description="alerts at once")] = 200
    stale_after: Annotated[float, Meta(gt=0, description="an older timestamp is refused, s")] = 300.0
    future_tolerance: Annotated[float, Meta(ge=0, description="a timestamp further ahead is refused, s")] = 60.0
    max_age_market: Annotated[float, Meta(gt=0, description="a market entry waits at most, s")] = 30.0
    max_age_other: Annotated[float, Meta(gt=0, description="any other entry waits at most, s")] = 300.0
    max_drift_bps: Annotated[
        Decimal, Meta(description="a market entry is not sent further from the price at arrival")
    ] = Decimal(100)
    min_confidence: Annotated[Decimal, Meta(description="an alert with less is refused; without one it passes")] = (
        Decimal("0.6")
    )
    max_deviation_percent: Annotated[
        Decimal, Meta(description="a limit may be this far from the market on the costly side")
    ] = Decimal(10)
    max_notional: Annotated[Decimal | None, Meta(description="largest order, quote units; none: no limit")] = None


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    data_dir: Annotated[str, Meta(description="journal, books and secrets, relative to the working directory")] = "var"
    server: ServerSettings = ServerSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    execution: ExecutionSettings = ExecutionSettings()
    sources: dict[str, SourceSettings] = {}
    paper: PaperSettings = PaperSettings()
    exchanges: dict[str, ExchangeSettings] = {}

    @property
    def accounts(self) -> Mapping[str, str]:
        """Every account, with the name of its exchange."""
        real = {account: name for name, exchange in self.exchanges.items() for account in exchange.accounts}
        return dict.fromkeys(self.paper.accounts, PAPER) | real

    @property
    def exchange_names(self) -> tuple[str, ...]:
        return (*((PAPER,) if self.paper.accounts else ()), *self.exchanges)

    @property
    def symbols(self) -> tuple[str, ...]:
        """All that the configuration names, each once."""
        paper = (market.symbol for market in self.paper.symbols if self.paper.accounts)
        real = (symbol for exchange in self.exchanges.values() for symbol in exchange.symbols)
        return tuple(dict.fromkeys((*paper, *real)))


ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    "FILLPATH_HOST": ("server", "host"),
    "FILLPATH_PORT": ("server", "port"),
    "FILLPATH_OPERATOR_HOST": ("server", "operator_host"),
    "FILLPATH_OPERATOR_PORT": ("server", "operator_port"),
    "FILLPATH_DATA_DIR": ("data_dir",),
    "FILLPATH_TELEMETRY_ENGINE": ("telemetry", "engine"),
    "FILLPATH_ENVIRONMENT": ("telemetry", "environment"),
    "FILLPATH_LOG_LEVEL": ("telemetry", "log_level"),
    "FILLPATH_OTLP_ENDPOINT": ("telemetry", "otlp_endpoint"),
    "FILLPATH_TRACE_URL": ("telemetry", "trace_url"),
    "FILLPATH_LOG_FILE": ("telemetry", "log_file"),
    "FILLPATH_LOKI_URL": ("telemetry", "loki_url"),
}
"""Environment variables and the setting that each one replaces."""

OTHER_ENVIRONMENT: Mapping[str, str] = {
    "FILLPATH_CONFIG": "path of the configuration file",
    "FILLPATH_WEBHOOK_SECRET": "secret of the source `default` (of the only source, where there is one)",
    "FILLPATH_WEBHOOK_SECRET_<SOURCE>": "secret of a source, its name in capitals, `-` as `_`",
    "FILLPATH_OPERATOR_TOKEN": "token of the operator interface",
    "FILLPATH_EXCHANGE_<ACCOUNT>_<CREDENTIAL>": "API key of an account: `API_KEY`, `SECRET`, `PASSWORD`, ...",
}
"""Environment variables that are no setting of the file."""

STACK_PREFIXES = (
    "FILLPATH_PORT_",
    "FILLPATH_OTELCOL",
    "FILLPATH_COLLECTOR_",
    "FILLPATH_OTLP_HTTP",
    "FILLPATH_OTLP_GRPC",
    "FILLPATH_JAEGER",
    "FILLPATH_PROMETHEUS",
    "FILLPATH_PROMTOOL",
    "FILLPATH_PINT",
    "FILLPATH_ALERTMANAGER",
    "FILLPATH_AMTOOL",
    "FILLPATH_GRAFANA_",
    "FILLPATH_LOKI_OTLP",
    "FILLPATH_BACKEND_",
    "FILLPATH_TEMPO_",
    "FILLPATH_MIMIR_",
    "FILLPATH_HONEYCOMB_",
    "FILLPATH_DATADOG_",
    "FILLPATH_NEWRELIC_",
    "FILLPATH_ARCHIVE",
    "FILLPATH_SAMPLING_",
)
"""Variables of the servers beside the service: they may stand in the same shell, and mean nothing here."""

_PASSED_OVER = ("FILLPATH_WEBHOOK_SECRET_", "FILLPATH_EXCHANGE_", *STACK_PREFIXES)


class Loaded(msgspec.Struct, frozen=True):
    """Settings, the file they came from (None: defaults only), and the data directory as a path."""

    settings: Settings
    file: Path | None
    data_dir: Path


def default_settings() -> dict[str, Any]:
    """What holds without a file: the paper exchange and one signed source for all of its accounts."""
    return {"sources": {"default": {"auth": "standard", "accounts": list(PaperSettings().accounts)}}}


def find_file(environ: Mapping[str, str], explicit: Path | None = None) -> Path | None:
    """`--config`, else FILLPATH_CONFIG, else ./fillpath.toml, else ./var/fillpath.toml, else none."""
    named = explicit or (Path(environ["FILLPATH_CONFIG"]) if environ.get("FILLPATH_CONFIG") else None)
    if named is not None:
        if not named.is_file():
            raise ConfigurationError(f"configuration file {named} does not exist; name one that does, or none")
        return named
    return next((path for path in (Path("fillpath.toml"), Path("var/fillpath.toml")) if path.is_file()), None)


def load(environ: Mapping[str, str] = os.environ, explicit: Path | None = None) -> Loaded:
    """Read, overlay, decode and check; raises ConfigurationError naming the key and what would be right."""
    file = find_file(environ, explicit)
    document = default_settings() if file is None else _read(file)
    _overlay(document, environ)
    settings = decode(document)
    return Loaded(settings=settings, file=file, data_dir=Path(settings.data_dir).expanduser().absolute())


def decode(document: Mapping[str, Any]) -> Settings:
    """Typed settings of a decoded TOML document, checked as a whole."""
    unknown = next(iter(_unknown_keys(document, Settings, ())), None)
    if unknown is not None:
        raise ConfigurationError(unknown)
    try:
        settings = msgspec.convert(_decimals(document), Settings, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"configuration: {error}") from None
    _check(settings)
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"), parse_float=Decimal)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"configuration file {file} cannot be read: {error}") from None


def _overlay(document: dict[str, Any], environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        path = ENVIRONMENT.get(name)
        if path is None:
            if not name.startswith("FILLPATH_") or name in OTHER_ENVIRONMENT or name.startswith(_PASSED_OVER):
                continue
            known = [*ENVIRONMENT, *OTHER_ENVIRONMENT]
            raise ConfigurationError(f"environment variable {name} is not known{_nearest(name, known)}")
        table = document
        for key in path[:-1]:
            table = table.setdefault(key, {})
        table[path[-1]] = value


def _decimals(value: Any) -> Any:
    """TOML's decimals as text, so that msgspec reads them as whichever number a field wants."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _decimals(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decimals(item) for item in value]
    return value


def _nearest(wrong: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(wrong, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known are: {', '.join(sorted(known))}"


def _unknown_keys(document: Mapping[str, Any], kind: Any, path: tuple[str, ...]) -> Iterable[str]:
    hints = typing.get_type_hints(kind)
    for key, value in document.items():
        where = ".".join((*path, key))
        if key not in hints:
            yield f"configuration key `{where}` is not known{_nearest(key, hints)}"
        elif isinstance(value, Mapping):
            yield from _unknown_below(value, hints[key], (*path, key))


def _unknown_below(value: Mapping[str, Any], kind: Any, path: tuple[str, ...]) -> Iterable[str]:
    if isinstance(kind, types.UnionType):
        return
    if typing.get_origin(kind) is dict:
        inner = typing.get_args(kind)[1]
        for name, item in value.items():
            if isinstance(item, Mapping) and isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                yield from _unknown_keys(item, inner, (*path, name))
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield from _unknown_keys(value, kind, path)


def _check(settings: Settings) -> None:
    if not settings.sources:
        raise ConfigurationError("no source is configured: add a table [sources.NAME] with `auth` and `accounts`")
    if not settings.accounts:
        raise ConfigurationError("no account is configured: name one in `paper.accounts` or in an exchange")
    _check_accounts(settings)
    for name in (*settings.sources, *settings.accounts, *settings.exchanges):
        if NAME.fullmatch(name) is None or name in {"unknown", "other"}:
            raise ConfigurationError(
                f"`{name}` cannot be a name of a source, account or exchange: use a-z, 0-9, - and _, at most 32 "
                "characters, and not `unknown` or `other`, which metrics use"
            )
    for name, source in settings.sources.items():
        _check_source(name, source, settings)
    for proxy in settings.server.trusted_proxies:
        _network(proxy, "server.trusted_proxies")
    if _beyond_loopback(settings.server.host) and not settings.server.trusted_proxies:
        for name, source in settings.sources.items():
            if source.auth == "token":
                raise ConfigurationError(
                    f"server.host {settings.server.host} is reachable from outside, source `{name}` sends its token in "
                    "the body, and no trusted proxy would have encrypted it: listen on 127.0.0.1 behind a TLS reverse "
                    "proxy, or name the proxy in server.trusted_proxies"
                )


def _check_accounts(settings: Settings) -> None:
    """An account's name says at which exchange it is, so no two exchanges may have the same."""
    if PAPER in settings.exchanges:
        raise ConfigurationError(f"exchanges.{PAPER}: the name is the built-in exchange's; take another")
    seen: dict[str, str] = dict.fromkeys(settings.paper.accounts, PAPER)
    for name, exchange in settings.exchanges.items():
        for account in exchange.accounts:
            if account in seen:
                raise ConfigurationError(
                    f"account `{account}` is configured at {seen[account]} and at {name}; give one another name"
                )
            seen[account] = name


def _check_source(name: str, source: SourceSettings, settings: Settings) -> None:
    if not source.accounts:
        raise ConfigurationError(f"sources.{name}.accounts is empty: name the accounts this source may use")
    for account in source.accounts:
        if account not in settings.accounts:
            raise ConfigurationError(
                f"sources.{name}.accounts names `{account}`, which no exchange has"
                f"{_nearest(account, settings.accounts)}"
            )
    for address in source.addresses:
        _network(address, f"sources.{name}.addresses")
    for key in ("max_drift_bps", "min_confidence", "max_deviation_percent", "max_notional"):
        value = getattr(source, key)
        if value is not None and not (value.is_finite() and value >= 0):
            raise ConfigurationError(f"sources.{name}.{key} is {value}; expected a number of at least 0")


def _network(text: str, where: str) -> None:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(f"{where}: `{text}` is neither an address nor a network (like 10.0.0.0/8)") from None


def _beyond_loopback(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"

"""`fillpath check`: is everything there that a start needs, and does a running service do its work?"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click
from rich.text import Text

from service.cli.client import Client
from service.cli.context import Context
from service.cli.output import clean, print_json, show, table
from service.errors import ConfigurationError, FillpathError, SecretError
from service.exchanges.settings import CREDENTIALS, ExchangeSettings
from service.secrets import Secret
from service.settings import ServerSettings, TelemetrySettings
from telemetry.choice import choose

SKEW_LIMIT_S = 1.0
"""Beyond it exchanges refuse requests, and the alert rule ClockSkew fires."""


class Row(NamedTuple):
    """One check; `fix` says what to do where it failed."""

    check: str
    ok: bool
    result: str
    fix: str = ""


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The rows as JSON.")
@click.pass_obj
def check(context: Context, *, as_json: bool) -> int:
    """Check configuration, secrets and the service; exits with 1 when anything has to be mended.

    Without a running service: whether one could start here.
    """
    rows = list(_rows(context))
    if as_json:
        print_json([row._asdict() for row in rows])
    else:
        shown = table("check", "result", "fix", wrap=("result", "fix"))
        for row in rows:
            mark = Text("ok" if row.ok else "FAILED", style="green" if row.ok else "bold red")
            shown.add_row(clean(row.check), Text.assemble(mark, f"  {clean(row.result)}"), clean(row.fix))
        show(shown)
    return 0 if all(row.ok for row in rows) else 1


def _rows(context: Context) -> Iterator[Row]:
    try:
        loaded = context.loaded
    except FillpathError as error:
        yield _failed("configuration", error, "correct the configuration")
        return
    where = "built-in defaults, no file" if loaded.file is None else str(loaded.file)
    yield Row("configuration", ok=True, result=f"{where}; sources: {', '.join(loaded.settings.sources)}")
    yield _telemetry(loaded.settings.telemetry, os.environ)
    running = _ready(context)
    yield from _secrets(context, running=running is not None)
    if running is None:
        yield Row("service", ok=True, result="not running")
        yield _data_dir(loaded.data_dir)
        yield from _ports(loaded.settings.server)
        return
    yield _readiness(context.public_url, running)
    try:
        with context.operator() as operator:
            yield from status_rows(operator.request("GET", "/status"))
    except FillpathError as error:
        yield _failed("operator interface", error, "")


def _telemetry(settings: TelemetrySettings, environ: Mapping[str, str]) -> Row:
    """Which engine a start with these variables gets; a running service was started with its own."""
    try:
        selection, declaration = choose(settings.engine, settings.otlp_endpoint or None, environ)
    except ValueError as error:
        return _failed("telemetry", error, "correct the variable")
    obeyed = "" if declaration is None else f"; {declaration}"
    return Row("telemetry", ok=True, result=f"engine {selection}{obeyed}")


def _failed(name: str, error: Exception, fix: str) -> Row:
    """Our errors say `what happened; what to do`."""
    result, _, advice = str(error).partition("; ")
    return Row(name, ok=False, result=result, fix=advice or fix)


def _ready(context: Context) -> Mapping[str, Any] | None:
    """The body of `/readyz`, None where no Fillpath answers."""
    try:
        with Client(context.public_url, read_timeout=5.0) as client:
            _, document = client.exchange("GET", "/readyz")
    except FillpathError:
        return None
    return document if isinstance(document.get("checks"), dict) else None


def _readiness(url: str, document: Mapping[str, Any]) -> Row:
    failed = [clean(name) for name, good in document["checks"].items() if not good]
    if failed:
        return Row("service", ok=False, result=f"not ready: {', '.join(failed)}", fix="see the service's log")
    return Row("service", ok=True, result=f"ready at {url}")


def _secrets(context: Context, *, running: bool) -> Iterator[Row]:
    """A missing file is no failure before the first start, which makes it."""
    sources = context.loaded.settings.sources
    store = context.secrets
    for name, source in sources.items():
        try:
            found = store.webhook(name, source.auth, only=len(sources) == 1, create=False)
            yield Row(f"secret of {name}", ok=True, result=f"{len(found)} present")
        except SecretError as error:
            yield _secret(f"secret of {name}", store.webhook_file(name), error, running=running)
    yield from _keys(context)
    try:
        store.operator(create=False)
        yield Row("operator token", ok=True, result="present")
    except SecretError as error:
        yield _secret("operator token", store.operator_file, error, running=running)


def _keys(context: Context) -> Iterator[Row]:
    """API keys of real accounts; whether they are the right ones only the exchange can say."""
    for exchange_name, exchange in context.loaded.settings.exchanges.items():
        for account in exchange.accounts:
            name = f"API keys of {account}"
            try:
                found = context.secrets.exchange(account, CREDENTIALS)
                if found:
                    _check_keys(exchange_name, account, exchange, found)
            except (SecretError, ConfigurationError) as error:
                yield _failed(name, error, "")
                continue
            file = context.secrets.exchange_file(account)
            fix = "" if found else f"write them into {file}, a line `api_key = ...` each; chmod 600"
            present = ", ".join(CREDENTIALS[key].lower() for key in found)
            yield Row(name, ok=bool(found), result=f"{present} present" if found else "none", fix=fix)


def _check_keys(name: str, account: str, exchange: ExchangeSettings, keys: Mapping[str, Secret]) -> None:
    from service.app import check_keys  # noqa: PLC0415 - takes most of a second, which only real exchanges need

    check_keys(name, account, exchange, keys)


def _secret(name: str, file: Path, error: SecretError, *, running: bool) -> Row:
    if not running and not file.exists():
        return Row(name, ok=True, result="not made yet; the first start makes it")
    return _failed(name, error, "")


def _data_dir(folder: Path) -> Row:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        result = f"{folder} is writable" if existing == folder else f"{folder} can be made"
        return Row("data directory", ok=True, result=result)
    return Row(
        "data directory",
        ok=False,
        result=f"{existing} is not a directory that can be written to",
        fix="set data_dir (FILLPATH_DATA_DIR) to one that is, or change its owner or mode",
    )


def _ports(server: ServerSettings) -> Iterator[Row]:
    yield _port("public address", server.host, server.port, "FILLPATH_PORT")
    yield _port("operator address", server.operator_host, server.operator_port, "FILLPATH_OPERATOR_PORT")


def _port(name: str, host: str, port: int, variable: str) -> Row:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            fix = f"stop the program that listens there, or set {variable} to a free port"
            return Row(name, ok=False, result=f"{host}:{port}: {error.strerror or error}", fix=fix)
    return Row(name, ok=True, result=f"{host}:{port} is free")


def status_rows(status: Mapping[str, Any]) -> Iterator[Row]:
    """The operator interface's `/status`, judged."""
    journal = status["journal"]
    free = f"{journal['free_bytes'] / 1e9:.1f} GB free"
    if journal["writable"]:
        yield Row("journal", ok=True, result=f"writable, {free}")
    else:
        yield Row("journal", ok=False, result=f"not writable, {free}", fix="free the disk or mend it; see the log")
    for name, exchange in status["exchanges"].items():
        yield _exchange(name, exchange)
    halts = {account: level for account, level in status["halts"].items() if level != "off"}
    engaged = ", ".join(f"{level} for {account}" for account, level in halts.items())
    yield Row("kill switch", ok=True, result=engaged or "off", fix="fillpath resume" if halts else "")
    counts = ", ".join(f"{count} {state}" for state, count in status["orders"].items())
    yield Row("unfinished orders", ok=True, result=counts or "none")


def _exchange(name: str, exchange: Mapping[str, Any]) -> Row:
    breaker, skew = exchange["circuit_breaker"], exchange["clock_skew_seconds"]
    findings = sum(count for kind, count in exchange["findings"].items() if kind != "foreign")
    result = f"{'connected' if exchange['connected'] else 'not connected'}, {exchange['markets']} markets, "
    result += f"circuit breaker {breaker}"
    if skew is not None:
        result += f", clock skew {abs(skew):.3f} s"
    fix = ""
    if not exchange["connected"] or breaker == "open":
        fix = "see the log for its last errors; entries wait or expire until it answers"
    elif skew is not None and abs(skew) > SKEW_LIMIT_S:
        fix = "set this machine's clock (NTP)"
    if findings:
        result += f", {findings} findings"
        fix = fix or "see `fillpath findings`"
    for account, notes in exchange["notes"].items():
        result += "".join(f"; {clean(account)}: {clean(note)}" for note in notes)
    return Row(f"exchange {name}", ok=not fix, result=result, fix=fix)

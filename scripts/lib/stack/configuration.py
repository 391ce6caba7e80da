"""The files that a stack's folder holds: configurations made from the project's, with this stack's ports."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.lib.stack.builds import ROOT
from scripts.lib.stack.errors import StackError
from scripts.lib.stack.ports import Ports, listen, url

_TABLE = re.compile(r"\s*\[([^\[\]]+)\]\s*(?:#.*)?$")


class Layout:
    """Where everything is in the folder of one stack."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run = folder / "run"
        self.service = folder / "fillpath.toml"
        self.prometheus = folder / "prometheus" / "prometheus.yml"
        self.alertmanager = folder / "alertmanager" / "alertmanager.yml"

    def data(self, name: str) -> Path:
        """What a server keeps across restarts."""
        return self.folder / "data" / name

    @property
    def log_file(self) -> Path:
        """The collector's file with what the service logged, as OTLP/JSON lines."""
        return self.folder / "logs" / "fillpath.jsonl"

    @staticmethod
    def source(name: str) -> Path:
        """A file of the project."""
        return ROOT / name


def write_service(layout: Layout, ports: Ports) -> None:
    """The service's configuration: made at the first start, the user's from then on, but for what the stack decides."""
    file = layout.service
    text = (file if file.is_file() else layout.source("scripts/lib/fillpath.toml")).read_text("utf-8")
    decided: list[tuple[str, str, str | int]] = [
        ("", "data_dir", str(layout.data("service"))),
        ("server", "port", ports.service),
        ("server", "operator_port", ports.operator),
        ("telemetry", "otlp_endpoint", url(ports.otlp_http)),
        ("telemetry", "trace_url", f"{url(ports.jaeger_query)}/trace/{{trace_id}}"),
        ("telemetry", "log_file", str(layout.log_file)),
    ]
    for table, key, value in decided:
        text = with_value(text, table, key, value)
    _write(file, text)


def with_value(text: str, table: str, key: str, value: str | int) -> str:
    """TOML text with one value of a table (`""`: the top) in its place, or added there; all else as it was."""
    line = f"{key} = {json.dumps(value, ensure_ascii=False)}"
    lines = text.splitlines()
    assigned = re.compile(rf"\s*{re.escape(key)}\s*=")
    current, end = "", 0 if table == "" else None
    for number, each in enumerate(lines):
        if match := _TABLE.match(each):
            current = match[1].strip()
        if current == table:
            if assigned.match(each):
                return "\n".join([*lines[:number], line, *lines[number + 1 :]]) + "\n"
            if match:
                end = number + 1
    if end is None:
        return "\n".join([*lines, "", f"[{table}]", line]) + "\n"
    return "\n".join([*lines[:end], line, *lines[end:]]) + "\n"


def write_prometheus(layout: Layout, ports: Ports) -> None:
    """Prometheus' configuration, the servers it asks, and the alert rules where there are any."""
    folder = layout.prometheus.parent
    _write(layout.prometheus, layout.source("deploy/prometheus.yml").read_text("utf-8"))
    targets = {
        "collector": [ports.prometheus_exporter, ports.collector_metrics],
        "service": [ports.operator],
        "alertmanager": [ports.alertmanager],
    }
    for name, asked in targets.items():
        _write(folder / "targets" / f"{name}.json", json.dumps([{"targets": [listen(port) for port in asked]}]) + "\n")
    shutil.rmtree(folder / "rules", ignore_errors=True)
    rules = layout.source("alerts/rules")
    if rules.is_dir():
        shutil.copytree(rules, folder / "rules")


def write_alertmanager(layout: Layout, environ: Mapping[str, str] = os.environ) -> None:
    """Alertmanager's configuration with the receivers that the environment names; raises StackError."""
    layout.alertmanager.parent.mkdir(parents=True, exist_ok=True)
    script, template = layout.source("deploy/alertmanager.sh"), layout.source("deploy/alertmanager.yml")
    done = subprocess.run(
        ["/bin/sh", script, template, layout.alertmanager], env=environ, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(f"Alertmanager's configuration cannot be made: {done.stderr.strip()}")


def _write(file: Path, text: str) -> None:
    """Whole or not at all: a server may be reading it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(file)

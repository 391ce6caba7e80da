"""`./scripts/stack` as a process, and machines that lack something."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scripts.lib.stack import Addresses, Ports
from scripts.lib.stack.ports import variable
from scripts.lib.stack.processes import Record
from scripts.lib.stack.versions import ALERTMANAGER, JAEGER, OTELCOL, PROMETHEUS
from tests.acceptance.stack.jaeger import Jaeger, Trace

ROOT = Path(__file__).resolve().parents[3]
WITHIN_S = 180.0
_NAMED = {program.variable for program in (OTELCOL, JAEGER, PROMETHEUS, ALERTMANAGER)}


class Cli:
    """`./scripts/stack` for one folder."""

    def __init__(self, folder: Path, ports: Ports, **environ: str) -> None:
        self.folder = folder
        self.ports = ports
        self.addresses = Addresses.of(ports)
        ours = (
            "FILLPATH_PORT_",
            "FILLPATH_OPERATOR_PORT",
            "FILLPATH_HOST",
            "FILLPATH_CONFIG",
            "OTEL_",
            "ALERTMANAGER_",
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environ = kept | {variable(name): str(port) for name, port in asdict(ports).items()} | environ

    def __call__(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts/stack", *arguments, "--dir", self.folder],
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )

    def up(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        done = self("up", *arguments, **environ)
        assert done.returncode == 0, done.stderr
        return done

    def fillpath(self, *arguments: str) -> dict[str, Any]:
        """What a command of the service answers as JSON."""
        done = subprocess.run(
            [ROOT / ".venv/bin/fillpath", "--config", self.folder / "fillpath.toml", *arguments, "--json"],
            capture_output=True,
            text=True,
            timeout=WITHIN_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    def records(self) -> dict[str, Record]:
        """The pid files."""
        files = (self.folder / "run").glob("*.pid")
        return {file.stem: Record(**json.loads(file.read_text("utf-8"))) for file in files}

    def table(self) -> dict[str, list[str]]:
        """`status` by server."""
        done = self("status")
        assert done.returncode == 0, done.stderr
        title, *rows = [line.split() for line in done.stdout.splitlines()]
        assert title == ["server", "up", "address", "version", "pid"]
        return {row[0]: row[1:] for row in rows}

    def send(self) -> str:
        """Buy a little; the order's id."""
        answer = self.fillpath("send", "--symbol", "BTC/USDT", "--side", "buy", "--quantity", "0.01")
        return str(answer["order"]["order_id"])

    def traces(self, order_id: str) -> list[Trace]:
        """What Jaeger has of an order."""
        jaeger = Jaeger(self.addresses.jaeger_query)
        try:
            return jaeger.search({"order.id": order_id})
        finally:
            jaeger.close()


def without_programs(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """A PATH with what the script itself needs, and an empty cache."""
    path = folder / "path"
    path.mkdir()
    for name in ("sh", "dirname", "env"):
        (path / name).symlink_to(str(shutil.which(name)))
    kept = {name: value for name, value in environ.items() if name not in {"CI", *_NAMED}}
    return kept | {"PATH": str(path), "XDG_CACHE_HOME": str(folder / "cache")}


def program_that_fails(file: Path, *, version: str, words: str) -> Path:
    """It tells its version, and says nothing but these words when it is asked for anything else."""
    file.write_text(f'#!/bin/sh\ncase $1 in --version) echo "version {version}";; *) echo "{words}"; exit 1;; esac\n')
    file.chmod(0o755)
    return file

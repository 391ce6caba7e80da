"""Where everything is: the options, else the running native stack, else the documented ports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import httpx

from scripts.lib.stack import Ports, Stack
from scripts.lib.stack.ports import url, variable
from scripts.lib.stack.servers import SERVERS
from scripts.lib.stack.stack import stored_ports

GRAFANA_PORT = 3000
GRAFANA_PORT_VARIABLE = "FILLPATH_GRAFANA_PORT"
"""As compose.yaml reads it; the native stack has no Grafana."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Base URLs, the collector's the one of its health check; `config` is the native stack's where that one runs.

    `service` and `operator` are None where no variable moved them: then they are as configured.
    """

    prometheus: str
    grafana: str
    collector: str
    jaeger: str
    alertmanager: str
    service: str | None = None
    operator: str | None = None
    config: Path | None = None

    @classmethod
    def find(cls, folder: Path, environ: Mapping[str, str]) -> Self:
        """Of the stack in `folder` while a server of it runs, unless variables move ports; raises StackError."""
        ports, config = _ports(folder, environ)
        return cls(
            prometheus=url(ports.prometheus),
            grafana=url(int(environ.get(GRAFANA_PORT_VARIABLE) or GRAFANA_PORT)),
            collector=SERVERS["collector"].health_url(ports),
            jaeger=url(ports.jaeger_query),
            alertmanager=url(ports.alertmanager),
            service=_moved("service", ports, environ),
            operator=_moved("operator", ports, environ),
            config=config,
        )

    def but(self, given: Mapping[str, str | None]) -> Self:
        """With those addresses that are given in the place of these."""

        def of(name: str) -> str:
            address: str = given.get(name) or getattr(self, name)
            return address.rstrip("/")

        return replace(
            self,
            prometheus=of("prometheus"),
            grafana=of("grafana"),
            collector=of("collector"),
            jaeger=of("jaeger"),
            alertmanager=of("alertmanager"),
        )


def _ports(folder: Path, environ: Mapping[str, str]) -> tuple[Ports, Path | None]:
    moved = any(name.startswith(variable("")) for name in environ)
    asked = Ports.default().moved(environ)
    stored = stored_ports(folder)
    if stored is not None and (not moved or stored == asked):
        stack = Stack(folder, stored)
        if stack.running():
            return stored, stack.layout.service if stack.layout.service.is_file() else None
    return asked, None


def _moved(name: str, ports: Ports, environ: Mapping[str, str]) -> str | None:
    return url(getattr(ports, name)) if variable(name) in environ else None


def shown(address: str) -> str:
    """An address without what may be secret in it."""
    try:
        parts = httpx.URL(address)
    except httpx.InvalidURL:
        return "that address"
    return str(parts.copy_with(username=None, password=None, query=None)) if parts.userinfo or parts.query else address

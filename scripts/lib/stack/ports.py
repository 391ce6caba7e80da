"""The stack's ports: where each server listens, on loopback only, and how to move one."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, fields, replace
from typing import Self

from scripts.lib.stack.errors import StackError

HOST = "127.0.0.1"
_HIGHEST = 65_535
_FREE = range(20_000, 32_768)
"""Below those that systems give to outgoing connections: a server that ends and comes back must find its port free."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Every port of the stack; the environment's `FILLPATH_PORT_<NAME>` moves the one of that name."""

    service: int = 8080
    operator: int = 8081
    otlp_http: int = 4318
    otlp_grpc: int = 4317
    prometheus_exporter: int = 8889
    collector_metrics: int = 8888
    collector_health: int = 13133
    jaeger_query: int = 16686
    jaeger_query_grpc: int = 16685
    jaeger_otlp_http: int = 14318
    jaeger_otlp_grpc: int = 14317
    jaeger_metrics: int = 14888
    jaeger_health: int = 14133
    prometheus: int = 9090
    alertmanager: int = 9093

    @classmethod
    def default(cls) -> Self:
        """The ports that are documented."""
        return cls()

    @classmethod
    def free(cls) -> Self:
        """Ports that were free a moment ago; bound together, so that they differ."""
        names = [field.name for field in fields(cls)]
        with ExitStack() as stack:
            return cls(**{name: _bind(stack.enter_context(socket.socket())) for name in names})

    def moved(self, environ: Mapping[str, str]) -> Self:
        """These ports with those of the environment in their place; raises StackError for what is no port."""
        known = {variable(field.name): field.name for field in fields(self)}
        asked = {name: value for name, value in environ.items() if name.startswith(variable(""))}
        wrong = [f"{name} moves no port; expected one of {', '.join(known)}" for name in asked if name not in known]
        wrong += [
            f"{name} is {value!r}; expected a port, 1 to {_HIGHEST}"
            for name, value in asked.items()
            if name in known and not (value.isdecimal() and 0 < int(value) <= _HIGHEST)
        ]
        if wrong:
            raise StackError("\n".join(wrong))
        ports = replace(self, **{known[name]: int(value) for name, value in asked.items()})
        ports.check_distinct()
        return ports

    def check_distinct(self) -> None:
        """Raise StackError where two servers would have the same port."""
        seen: dict[int, str] = {}
        for name, port in asdict(self).items():
            if port in seen:
                raise StackError(
                    f"port {port} is asked for twice: {variable(seen[port])} and {variable(name)}; move one of them"
                )
            seen[port] = name

    def taken(self, names: Iterable[str]) -> list[str]:
        """One line for each port of `names` on which something else listens, with the variable that moves it."""
        return [
            f"port {port} ({name}) is taken; end what listens there, or move it: {variable(name)}=PORT"
            for name in names
            if not _is_free(port := getattr(self, name))
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Base URLs of what can be asked."""

    service_public: str
    service_operator: str
    otlp_http: str
    otlp_grpc: str
    collector_prometheus: str
    collector_metrics: str
    jaeger_query: str
    prometheus: str
    alertmanager: str

    @classmethod
    def of(cls, ports: Ports) -> Self:
        return cls(
            service_public=url(ports.service),
            service_operator=url(ports.operator),
            otlp_http=url(ports.otlp_http),
            otlp_grpc=url(ports.otlp_grpc),
            collector_prometheus=url(ports.prometheus_exporter),
            collector_metrics=url(ports.collector_metrics),
            jaeger_query=url(ports.jaeger_query),
            prometheus=url(ports.prometheus),
            alertmanager=url(ports.alertmanager),
        )


def variable(name: str) -> str:
    """The environment variable that moves a port."""
    return f"FILLPATH_PORT_{name.upper()}"


def listen(port: int) -> str:
    return f"{HOST}:{port}"


def url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _bind(one: socket.socket) -> int:
    """The port that it is bound to now; raises StackError where none is free."""
    for port in random.sample(_FREE, len(_FREE)):
        with suppress(OSError):
            one.bind((HOST, port))
            return port
    raise StackError(f"no port from {_FREE.start} to {_FREE.stop - 1} is free; end what listens there")


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        # As servers do: a connection that has just ended does not keep its port.
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind((HOST, port))
        except OSError:
            return False
    return True

"""What telemetry is told at the start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Engine = Literal["lean", "sdk", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetryConfig:
    """Where telemetry comes from, where it goes, and the label values that are known beforehand.

    `otlp_endpoint` is the base URL of an OTLP/HTTP receiver without the signal's path (`http://localhost:4318`);
    None means no export unless an `OTEL_*` variable names one. `engine` is what is wanted: the environment may ask for
    what only another one can do (`environment.select`). `sender_addresses` are addresses or networks of
    configured senders; `symbols` unified symbols.
    """

    service_version: str
    instance_id: str
    environment: str = "production"
    engine: Engine = "lean"
    sources: tuple[str, ...] = ()
    exchanges: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    sender_addresses: tuple[str, ...] = ()
    otlp_endpoint: str | None = None

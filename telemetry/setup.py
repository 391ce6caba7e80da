"""Builds the engine that the settings ask for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telemetry import environment
from telemetry.config import TelemetryConfig
from telemetry.off import OffTelemetry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.facade import Telemetry

__all__ = ["TelemetryConfig", "build_telemetry"]


def build_telemetry(config: TelemetryConfig, environ: Mapping[str, str] = os.environ) -> Telemetry:
    """The engine that `environment.select` names for `config.engine`.

    Raises:
        ValueError: an `OTEL_*` variable is wrong in a way that would silently lose telemetry.
    """
    selection = environment.select(config.engine, environ)
    environment.check(selection, config.otlp_endpoint, environ)
    if selection.engine == "off":
        return OffTelemetry(config)
    # Imported here: the SDK takes 200 ms to load, which a process without telemetry need not spend.
    if selection.engine == "lean":
        from telemetry.lean.engine import LeanTelemetry  # noqa: PLC0415 - see above

        return LeanTelemetry(config, environ)
    from telemetry.sdk import SdkTelemetry  # noqa: PLC0415 - see above

    return SdkTelemetry(config, environ)

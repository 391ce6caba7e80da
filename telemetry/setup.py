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
    """The engine of `config.engine`, or the one that records nothing where `OTEL_SDK_DISABLED` asks for it.

    Raises:
        ValueError: an `OTEL_*` variable is wrong in a way that would silently lose telemetry.
    """
    if config.engine == "off" or environment.disabled(environ):
        return OffTelemetry(config)
    # Imported here: the SDK takes 200 ms to load, which a process without telemetry need not spend.
    if config.engine == "lean":
        from telemetry.lean.engine import LeanTelemetry  # noqa: PLC0415 - see above

        return LeanTelemetry(config, environ)
    from telemetry.sdk import SdkTelemetry  # noqa: PLC0415 - see above

    return SdkTelemetry(config, environ)

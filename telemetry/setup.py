"""Builds the engine that the settings ask for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from telemetry.choice import choose
from telemetry.config import TelemetryConfig
from telemetry.off import OffTelemetry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.choice import Choice
    from telemetry.facade import Telemetry

__all__ = ["TelemetryConfig", "build_telemetry"]


def build_telemetry(
    config: TelemetryConfig, environ: Mapping[str, str] = os.environ, choice: Choice | None = None
) -> Telemetry:
    """The engine that was chosen, or else the one that `choose` names for `config` here and now.

    Raises:
        ValueError: an `OTEL_*` variable or the configuration file is wrong in a way that would silently lose telemetry.
    """
    selection, declaration = choice or choose(config.engine, config.otlp_endpoint, environ)
    if selection.engine == "off":
        return OffTelemetry(config)
    # Imported here: the SDK takes 200 ms to load, which a process without telemetry need not spend.
    if selection.engine == "lean":
        from telemetry.lean.engine import LeanTelemetry  # noqa: PLC0415 - see above

        return LeanTelemetry(config, environ)
    from telemetry.sdk import SdkTelemetry  # noqa: PLC0415 - see above

    return SdkTelemetry(config, environ, declaration=declaration)

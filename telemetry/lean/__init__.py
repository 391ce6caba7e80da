"""The lean engine: the OpenTelemetry API and the facade on slotted spans, plain sums and hand-written OTLP."""

from telemetry.lean.engine import LeanTelemetry

__all__ = ["LeanTelemetry"]

"""The engine on the stock OpenTelemetry SDK. Nothing outside imports more than `SdkTelemetry`."""

from telemetry.sdk.engine import SdkTelemetry

__all__ = ["SdkTelemetry"]

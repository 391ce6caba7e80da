"""Measures telemetry's price and the service's speed, with everything on this machine and bounded in count and time."""

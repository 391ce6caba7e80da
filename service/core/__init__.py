"""Pure decisions: no I/O, no telemetry, no clock; only the standard library and msgspec."""

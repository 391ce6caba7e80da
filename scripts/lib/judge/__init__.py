"""The judge: the same operations through both telemetry engines, what they export compared field by field."""

"""The execution service: alerts in, orders out, each one exactly once."""

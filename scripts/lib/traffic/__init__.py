"""Test traffic for a running service: a mix of alerts, load at a fixed rate, and what must be refused."""

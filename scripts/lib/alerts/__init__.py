"""The alert rules of alerts/rules as data, their promtool tests, and the same rules with shorter windows."""

from scripts.lib.alerts.rules import Alert, Group, Recording, alerts, load
from scripts.lib.alerts.shortened import shortened, write_shortened

__all__ = ["Alert", "Group", "Recording", "alerts", "load", "shortened", "write_shortened"]

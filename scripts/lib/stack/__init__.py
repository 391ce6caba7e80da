"""The whole stack without containers: service, collector, Jaeger, Prometheus and Alertmanager in one folder."""

from scripts.lib.stack.errors import StackError
from scripts.lib.stack.ports import Addresses, Ports
from scripts.lib.stack.servers import ALL
from scripts.lib.stack.stack import ServerStatus, Stack

__all__ = ["ALL", "Addresses", "Ports", "ServerStatus", "Stack", "StackError"]

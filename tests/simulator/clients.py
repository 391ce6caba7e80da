"""Real ccxt classes pointed at a simulator."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit


def point_at(exchange: Any, base_url: str) -> None:
    """Replace scheme, host and port of all API addresses of a ccxt exchange; paths stay."""
    exchange.urls["api"] = _pointed(exchange.urls["api"], base_url, exchange)


def _pointed(address: Any, base_url: str, exchange: Any) -> Any:
    if isinstance(address, dict):
        return {name: _pointed(value, base_url, exchange) for name, value in address.items()}
    return base_url + urlsplit(address.replace("{hostname}", str(exchange.hostname))).path

"""What every command shares: the configuration, the addresses and the operator's client."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import ConfigurationError
from service.secrets import SecretStore
from service.settings import Loaded, load

if TYPE_CHECKING:
    from service.cli.client import OperatorClient

_ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - read, not bound


def url_of(host: str, port: int, setting: str) -> str:
    """Where a client reaches a listener; raises ConfigurationError when the configuration does not say it."""
    if port == 0:
        raise ConfigurationError(f"server.{setting} is 0, any free port: name the address with --url or --operator-url")
    host = _ANY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@dataclass
class Context:
    """The global options; everything else is read when a command needs it."""

    config: Path | None = None
    operator_url: str | None = None

    @functools.cached_property
    def loaded(self) -> Loaded:
        return load(explicit=self.config)

    @functools.cached_property
    def secrets(self) -> SecretStore:
        return SecretStore(self.loaded.data_dir)

    @property
    def public_url(self) -> str:
        server = self.loaded.settings.server
        return url_of(server.host, server.port, "port")

    def operator(self) -> OperatorClient:
        """A client of the operator interface; use it as a context manager."""
        from service.cli.client import OperatorClient  # noqa: PLC0415 - httpx takes long to import, `serve` needs none

        server = self.loaded.settings.server
        url = self.operator_url or url_of(server.operator_host, server.operator_port, "operator_port")
        return OperatorClient(url, self.secrets.operator(create=False))

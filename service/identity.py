"""Who this process is: its version, and an id that stays the same across restarts."""

from __future__ import annotations

import socket
import uuid
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def service_version() -> str:
    try:
        return version("fillpath")
    except PackageNotFoundError:
        return "0+unknown"


def instance_id(data_dir: Path, slot: str = "0") -> str:
    """Stable across restarts, different for two services on one host: UUIDv5 of host, data directory and slot."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"fillpath://{socket.gethostname()}{data_dir}#{slot}"))

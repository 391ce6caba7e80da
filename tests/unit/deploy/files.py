"""The deployment's files as their readers see them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "compose.yaml"
DOCKERFILE = ROOT / "Dockerfile"
COLLECTOR = ROOT / "otel-collector"
OVERLAYS = sorted((COLLECTOR / "overlays").glob("*.yaml"))


@functools.cache
def read(path: Path) -> Any:
    """A YAML file; callers do not change it."""
    return yaml.safe_load(path.read_text("utf-8"))


def compose() -> dict[str, Any]:
    return read(COMPOSE)


def services() -> dict[str, dict[str, Any]]:
    return compose()["services"]


def dockerfile() -> list[tuple[str, str]]:
    """Instructions with their arguments, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, " ".join(rest.split()))
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line)
    ]

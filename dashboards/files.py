"""The committed JSON, one file a dashboard: what it should be, and whether it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dashboards import health, order, pipeline, quality
from dashboards.sdk import JSONEncoder, models

FOLDER = Path(__file__).resolve().parent / "json"

DASHBOARDS: Mapping[str, Callable[[], models.Dashboard]] = {
    pipeline.UID: pipeline.dashboard,
    quality.UID: quality.dashboard,
    health.UID: health.dashboard,
    order.UID: order.dashboard,
}
"""By uid, which is also the file's name."""


def text(uid: str) -> str:
    """The JSON of one dashboard, as it is committed."""
    return json.dumps(DASHBOARDS[uid](), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def document(uid: str) -> dict[str, Any]:
    """One dashboard as Grafana reads it."""
    decoded = json.loads(text(uid))
    assert isinstance(decoded, dict), "a dashboard is an object"
    return decoded


def drifted(folder: Path = FOLDER) -> list[str]:
    """Files that differ from the code, are missing, or that no code makes."""
    wanted = {f"{uid}.json": text(uid) for uid in DASHBOARDS}
    there = {file.name: file.read_text("utf-8") for file in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path = FOLDER) -> None:
    """Write all; a file that no code makes any more goes."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in drifted(folder):
        (folder / name).unlink(missing_ok=True)
    for uid in DASHBOARDS:
        (folder / f"{uid}.json").write_text(text(uid), encoding="utf-8")

"""Check: everything that has to be documented is, and no generated page has drifted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from dashboards.files import FOLDER
from scripts import generate_docs
from scripts.lib.alerts import alerts
from scripts.lib.docs_service import SECTIONS
from scripts.lib.validate.results import CheckError, named
from scripts.lib.validate.servers import panels
from service.settings import ENVIRONMENT, OTHER_ENVIRONMENT
from telemetry import conventions as c

_GENERATE = "run .venv/bin/python scripts/generate_docs.py"


def check(docs: Path = generate_docs.DOCS) -> str:
    lacking = list(missing(docs))
    if lacking:
        raise CheckError(
            named(lacking),
            f"{_GENERATE}; a runbook is written by hand, like the others in docs/runbooks",
        )
    if stale := generate_docs.drifted(docs):
        raise CheckError(f"not what the source says: {', '.join(stale)}", _GENERATE)
    counts = {title: len(entries) for title, _, entries in _wanted()}
    return ", ".join(f"{count} {title}" for title, count in counts.items()) + ", each rule its runbook"


def missing(docs: Path) -> Iterator[str]:
    """What has no entry on its page, and rules without a runbook."""
    for _, page, entries in _wanted():
        text = (docs / page).read_text("utf-8") if (docs / page).is_file() else ""
        yield from (f"{name} is not in docs/{page}" for name, entry in entries.items() if entry not in text)
    for name in _rules():
        if not (docs / "runbooks" / f"{name}.md").is_file():
            yield f"{name} has no runbook"


def _wanted() -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """What there is, the page it belongs to, and the entry that each has there."""
    yield "metrics", "telemetry.md", _code(*(i.prometheus_name for i in c.INSTRUMENTS))
    yield "spans", "telemetry.md", _code(*c.SPANS, *c.EVENTS)
    yield "attributes", "telemetry.md", _code(*c.ATTRIBUTES)
    yield "rules", "alerts.md", {name: f"[{name}](runbooks/{name}.md)" for name in _rules()}
    yield "panels", "dashboards.md", {title: f"| {title} |" for title in _panels()}
    keys = [field.encode_name for kind in SECTIONS.values() for field in msgspec.structs.fields(kind)]
    yield "settings", "settings.md", _code(*keys, *ENVIRONMENT, *OTHER_ENVIRONMENT)


def _code(*names: str) -> dict[str, str]:
    return {name: f"`{name}`" for name in names}


def _rules() -> list[str]:
    return list(dict.fromkeys(alert.name for alert in alerts()))


def _panels() -> list[str]:
    files = sorted(FOLDER.glob("*.json"))
    return [title for file in files for title in panels(json.loads(file.read_text("utf-8")))]

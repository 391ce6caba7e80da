"""Writes the generated pages under docs/; `--check` changes nothing and exits 1 naming what drifted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dashboards.docs import dashboards_page
from scripts.lib import docs_service
from scripts.lib.alerts.page import alerts_page
from scripts.lib.exchange_docs import exchanges
from scripts.lib.telemetry_docs import telemetry_page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DOCS = Path(__file__).resolve().parent.parent / "docs"

PAGES: Mapping[str, Callable[[], str]] = {
    "telemetry.md": telemetry_page,
    "states.md": docs_service.states,
    "settings.md": docs_service.settings,
    "exchanges.md": exchanges,
    "alerts.md": alerts_page,
    "dashboards.md": dashboards_page,
}
"""Path under docs/ and the function that returns its text; a page that others generate is added here."""


def drifted(docs: Path = DOCS) -> list[str]:
    """The pages whose file differs from what would be written, or does not exist."""
    return [name for name, page in PAGES.items() if _read(docs / name) != _text(page)]


def write(docs: Path = DOCS) -> None:
    for name, page in PAGES.items():
        path = docs / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_text(page), encoding="utf-8")


def _text(page: Callable[[], str]) -> str:
    return page().rstrip("\n") + "\n"


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python scripts/generate_docs.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        write()
        return 0
    stale = drifted()
    for name in stale:
        print(f"docs/{name} is not what its source says; run python scripts/generate_docs.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""What a document links to or names as a path of the project is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md")))
FOLDERS = "alerts|dashboards|deploy|docs|otel-collector|requirements|scripts|service|telemetry|tests"


def links(text: str) -> list[str]:
    """The targets of its links and pictures within the project."""
    return [target for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]


def paths(text: str) -> list[str]:
    """The project's paths in its code, with wildcards."""
    return re.findall(rf"(?<![\w./:-])(?:\./)?((?:{FOLDERS})/[\w.*/-]*[\w*])", " ".join(re.findall(r"`[^`\n]+`", text)))


def anchors(text: str) -> set[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dead(page: Path) -> list[str]:
    text = page.read_text("utf-8")
    found = [path for path in paths(text) if not any(ROOT.glob(path))]
    for link in links(text):
        file, _, anchor = link.partition("#")
        target = page.parent / file if file else page
        if not target.exists() or (anchor and anchor not in anchors(target.read_text("utf-8"))):
            found.append(link)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_documents_links_and_paths_lead_somewhere(page: Path) -> None:
    assert dead(page) == []


def test_a_dead_link_heading_or_path_is_named(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A `b`\n[gone](gone.md) [here](#a-b) [nowhere](#c) `scripts/run` `tests/gone.py` `tests/*/gone.py`\n"
    )

    assert dead(page) == ["tests/gone.py", "tests/*/gone.py", "gone.md", "#c"]

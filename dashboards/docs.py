"""The page docs/dashboards.md: every panel, what it shows, and which alert rules watch the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dashboards.files import DASHBOARDS, document

_HEAD = """# Dashboards

Generated from `dashboards/` by `python scripts/generate_docs.py`. Grafana reads `dashboards/json/`, which
`python -m dashboards` writes. Each panel leads to the runbooks of the rules that watch the same, and to the traces.

- The runbooks are looked for at `/public/runbooks` of Grafana itself; open a dashboard with
  `?var-runbooks=https://...` where they are served elsewhere, or change `RUNBOOKS` in `dashboards/links.py`.
- `.venv/bin/python -m dashboards.live --prometheus URL --jaeger URL` asks every query and says which has no data; with
  `--loki URL` also for log lines.
- `.venv/bin/python -m dashboards.picture --prometheus URL --output FILE.png` draws a dashboard from live answers.
"""


def dashboards_page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(line for uid in DASHBOARDS for line in _dashboard(document(uid)))])


def _dashboard(board: Mapping[str, Any]) -> Iterator[str]:
    chosen = [variable["name"] for variable in board["templating"]["list"] if variable.get("hide") != 2]  # noqa: PLR2004 - hidden
    yield f"## {board['title']}: `{board['uid']}`"
    yield ""
    yield f"{board['description']} To choose: {', '.join(f'`{name}`' for name in chosen)}."
    yield ""
    yield "| panel | kind | shows | limits | rules |"
    yield "| --- | --- | --- | --- | --- |"
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield f"| **{panel['title']}** | | | | |"
        else:
            yield _panel(panel)
    yield ""


def _panel(panel: Mapping[str, Any]) -> str:
    shows, _, limits = panel["description"].partition("\n\n")
    rules = [link["title"].removeprefix("Runbook: ") for link in panel.get("links", ())]
    named = ", ".join(f"[{rule}](runbooks/{rule}.md)" for rule in rules if rule != "Traces in Jaeger")
    return f"| {panel['title']} | {panel['type']} | {shows} | {limits} | {named} |"

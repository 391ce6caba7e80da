"""The whole dashboard as one HTML page without anything from outside."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from dashboards.picture.charts import Frame, chart
from dashboards.picture.panel import Answered

WIDTH = 1680
_COLUMN, _ROW, _GAP, _HEAD, _MARGIN = 69, 38, 8, 30, 12
_TOP = 66

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: #111217; color: #d8d9da; font: 13px "DejaVu Sans", "Helvetica Neue", Arial, sans-serif; }
header { position: absolute; left: 12px; top: 10px; right: 12px; }
header h1 { font-size: 20px; margin: 0 0 4px; font-weight: 500; }
header p { margin: 0; color: #9fa7b3; font-size: 12px; }
section, h2 { position: absolute; }
h2 { margin: 0; font-size: 15px; font-weight: 500; line-height: 30px; }
section { background: #181b1f; border: 1px solid #25282d; border-radius: 3px; overflow: hidden; }
h3 { margin: 0; padding: 7px 10px 0; font-size: 13px; font-weight: 500; height: 30px; white-space: nowrap; }
svg { display: block; font-size: 11px; }
svg text { fill: #9fa7b3; }
svg text.large { font-size: 24px; }
.side { display: flex; }
.names { align-self: center; line-height: 1.9; font-size: 12px; }
.legend { padding: 2px 10px; font-size: 11px; line-height: 19px; }
.legend span { display: inline-block; margin-right: 14px; white-space: nowrap; }
i { display: inline-block; width: 11px; height: 4px; border-radius: 2px; margin: 0 5px 3px 0; vertical-align: middle; }
table { border-collapse: collapse; width: 100%; font-size: 12px; }
th, td { text-align: left; padding: 5px 10px; border-bottom: 1px solid #25282d; }
th { color: #6e9fff; font-weight: 500; }
"""


class Page(NamedTuple):
    """HTML, and how high it is in pixels."""

    html: str
    height: int


def page(document: Mapping[str, Any], panels: Sequence[Answered], start: float, end: float) -> Page:
    """The dashboard as its grid places it; `start` and `end` are Unix seconds."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in document["panels"])
    rows = [_heading(panel) for panel in document["panels"] if panel["type"] == "row"]
    drawn = [_section(panel, start, end) for panel in panels]
    span = " to ".join(time.strftime("%Y-%m-%d %H:%M", time.gmtime(at)) for at in (start, end))
    html = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(document["title"])}</title>'
        f"<style>{_STYLE}</style></head><body><header><h1>{escape(document['title'])}</h1>"
        f"<p>{span} UTC. Drawn by <code>python -m dashboards.picture</code> from live answers of Prometheus to each "
        "panel's own queries; not Grafana's own rendering.</p></header>"
        f"{''.join(rows)}{''.join(drawn)}</body></html>\n"
    )
    return Page(html, _TOP + bottom * _ROW + _MARGIN)


def _place(grid: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Left, top, width and height in pixels."""
    left, top = _MARGIN + grid["x"] * _COLUMN, _TOP + grid["y"] * _ROW
    return left, top, grid["w"] * _COLUMN - _GAP, grid["h"] * _ROW - _GAP


def _heading(panel: Mapping[str, Any]) -> str:
    left, top, _, _ = _place(panel["gridPos"])
    return f'<h2 style="left:{left}px;top:{top}px">{escape(panel["title"])}</h2>'


def _section(panel: Answered, start: float, end: float) -> str:
    left, top, width, height = _place(panel.panel["gridPos"])
    body = chart(panel, Frame(width - 4, height - _HEAD - 6, start, end))
    style = f"left:{left}px;top:{top}px;width:{width}px;height:{height}px"
    return f'<section style="{style}"><h3>{escape(panel.panel["title"])}</h3>{body}</section>'

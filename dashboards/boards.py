"""A dashboard of rows of panels: numbers its panels and puts them on the grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dashboards.panels import Panel
from dashboards.sdk import dashboard, models
from dashboards.variables import Variable

TAG = "fillpath"
_COLUMNS = 24


class Row(NamedTuple):
    title: str
    panels: Sequence[Panel]


def board(
    uid: str,
    title: str,
    description: str,
    *,
    variables: Sequence[Variable],
    rows: Sequence[Row],
    refresh: str = "30s",
    time_from: str = "now-1h",
) -> models.Dashboard:
    """All of it; other dashboards of ours are in its menu, with the same time."""
    others = (
        dashboard.DashboardLink("Fillpath")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)  # noqa: FBT003 - the SDK's signature
        .keep_time(True)  # noqa: FBT003 - the SDK's signature
    )
    made = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .time(time_from, "now")
        .refresh(refresh)
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .editable()
        .links([others])
        .variables(list(variables))
        .build()
    )
    made.panels = _placed(rows)
    return made


def _placed(rows: Sequence[Row]) -> list[models.Panel | models.RowPanel]:
    placed: list[models.Panel | models.RowPanel] = []
    y = 0
    for row in rows:
        heading = dashboard.Row(row.title).build()
        heading.id_val = len(placed) + 1
        heading.grid_pos = models.GridPos(h=1, w=_COLUMNS, x=0, y=y)
        placed.append(heading)
        y += 1
        x = tallest = 0
        for panel in (builder.build() for builder in row.panels):
            assert panel.grid_pos is not None, "every panel has a size"
            if x + panel.grid_pos.w > _COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            panel.id_val = len(placed) + 1
            panel.grid_pos = models.GridPos(h=panel.grid_pos.h, w=panel.grid_pos.w, x=x, y=y)
            x, tallest = x + panel.grid_pos.w, max(tallest, panel.grid_pos.h)
            placed.append(panel)
        y += tallest
    return placed

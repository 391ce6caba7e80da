"""Each kind of panel as HTML with inline SVG."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

from dashboards.picture.panel import Answered, Drawn
from dashboards.picture.units import shown

_LEFT, _BOTTOM, _TOP, _RIGHT = 62, 20, 8, 10
_LEGEND_LINE = 19
_MOST_NAMED = 8
_GRID = "#2f3338"
_QUIET = "#9fa7b3"
_WHERE_ALL_IS_ZERO = {"s": 0.1, "percentunit": 0.1}


class Frame(NamedTuple):
    """What is drawn into: pixels, and the time shown (Unix seconds)."""

    width: int
    height: int
    start: float
    end: float

    def x(self, at: float) -> float:
        return _LEFT + (at - self.start) / (self.end - self.start) * (self.width - _LEFT - _RIGHT)


def chart(panel: Answered, frame: Frame) -> str:
    """The body of a panel."""
    return _DRAWN_BY[panel.panel["type"]](panel, frame)


def _time_series(panel: Answered, frame: Frame) -> str:
    legend = _legend(panel.drawn)
    lines = math.ceil(min(len(panel.drawn), _MOST_NAMED + 1) / 3)
    plot = frame._replace(height=frame.height - lines * _LEGEND_LINE - 4)
    values = [value for one in panel.drawn for _, value in one.series.points if not math.isnan(value)]
    if not values:
        return _nothing(frame, "no data")
    highest = max(values) or _WHERE_ALL_IS_ZERO.get(panel.unit, 1.0)
    step = _nice(highest * 1.08 / 4)
    top = step * math.ceil(highest / step)
    floor, ceiling = plot.height - _BOTTOM, _TOP

    def y(value: float) -> float:
        return floor - value / top * (floor - ceiling)

    parts = [
        _across(plot, y(n * step), _GRID)
        + f'<text x="{_LEFT - 6}" y="{y(n * step) + 4:.1f}" text-anchor="end">{shown(n * step, panel.unit)}</text>'
        for n in range(round(top / step) + 1)
    ]
    parts += _clock(plot, floor)
    parts += [
        _across(plot, y(start), colour, dashed=True)
        for start, colour in panel.steps
        if start is not None and start <= top
    ]
    for one in panel.drawn:
        for run in _runs(one.series.points):
            path = " ".join(f"{plot.x(at):.1f},{y(value):.1f}" for at, value in run)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{one.colour}" stroke-width="1.6"/>')
    return _svg(plot, parts) + legend


def _across(frame: Frame, y: float, colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="6 5" opacity="0.8"' if dashed else ""
    return f'<line x1="{_LEFT}" x2="{frame.width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}"{dashes}/>'


def _gauge(panel: Answered, frame: Frame) -> str:
    if not panel.drawn:
        return _nothing(frame, "no data")
    width = frame.width // len(panel.drawn)
    return f'<div class="side">{"".join(_dial(panel, one, width, frame.height) for one in panel.drawn)}</div>'


def _dial(panel: Answered, one: Drawn, width: int, height: int) -> str:
    value, cx, radius = one.series.last, width / 2, min(width * 0.38, height * 0.5)
    cy = height * 0.68
    text = panel.word_for_nothing if math.isnan(value) else panel.shown(value)
    colour = _QUIET if math.isnan(value) else panel.colour_of(value)
    share = 0.0 if math.isnan(value) else min(1.0, max(0.0, value / panel.highest))
    bounds = [0.0 if start is None else min(1.0, start / panel.highest) for start, _ in panel.steps] + [1.0]
    parts = [_arc(cx, cy, radius + 9, bounds[n], bounds[n + 1], color, 4) for n, (_, color) in enumerate(panel.steps)]
    parts += [_arc(cx, cy, radius, 0, 1, _GRID, 13), _arc(cx, cy, radius, 0, share, colour, 13)]
    middle = f'x="{cx:.0f}" text-anchor="middle"'
    parts.append(f'<text {middle} y="{cy:.0f}" class="large" style="fill:{colour}">{escape(text)}</text>')
    if one.name:
        parts.append(f'<text {middle} y="{cy + 24:.0f}">{escape(one.name)}</text>')
    return _svg(Frame(width, height, 0, 1), parts)


def _arc(cx: float, cy: float, radius: float, start: float, end: float, colour: str, width: int) -> str:
    """Part of the upper half circle, from 0 at the left to 1 at the right."""
    if end - start < 1e-6:  # noqa: PLR2004 - nothing that could be seen
        return ""
    (x0, y0), (x1, y1) = (
        (cx - radius * math.cos(math.pi * share), cy - radius * math.sin(math.pi * share)) for share in (start, end)
    )
    return (
        f'<path d="M{x0:.1f} {y0:.1f} A{radius:.1f} {radius:.1f} 0 0 1 {x1:.1f} {y1:.1f}" fill="none" '
        f'stroke="{colour}" stroke-width="{width}"/>'
    )


def _table(panel: Answered, frame: Frame) -> str:
    del frame
    organized = panel.panel["transformations"][0]["options"]["renameByName"]
    rows = sorted(panel.drawn, key=lambda one: -one.series.last)
    head = "".join(f"<th>{escape(heading)}</th>" for heading in organized.values())
    body = "".join(
        "<tr>"
        + "".join(f"<td>{escape(one.series.labels.get(name, ''))}</td>" for name in organized if name != "Value")
        + f"<td>{panel.shown(one.series.last)}</td></tr>"
        for one in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _pie(panel: Answered, frame: Frame) -> str:
    shares = [one for one in panel.drawn if one.series.last > 0]
    total = sum(one.series.last for one in shares)
    if not shares:
        return _nothing(frame, "0")
    radius, start = frame.height * 0.36, 0.0
    length = 2 * math.pi * radius
    parts = []
    for one in shares:
        share = one.series.last / total
        parts.append(
            f'<circle cx="{frame.height / 2:.0f}" cy="{frame.height / 2:.0f}" r="{radius:.1f}" fill="none" '
            f'stroke="{one.colour}" stroke-width="{radius * 0.45:.0f}" transform="rotate({start * 360 - 90:.2f} '
            f'{frame.height / 2:.0f} {frame.height / 2:.0f})" stroke-dasharray="{share * length:.2f} {length:.2f}"/>'
        )
        start += share
    named = "".join(
        f'<div><i style="background:{one.colour}"></i>{escape(one.name)} '
        f"<b>{panel.shown(one.series.last)}</b> {one.series.last / total:.0%}</div>"
        for one in shares
    )
    ring = _svg(Frame(frame.height, frame.height, 0, 1), parts)
    return f'<div class="side">{ring}<div class="names">{named}</div></div>'


def _states(panel: Answered, frame: Frame) -> str:
    if not panel.drawn:
        return _nothing(frame, "no data")
    floor = frame.height - _BOTTOM - _LEGEND_LINE
    height = (floor - _TOP) / len(panel.drawn)
    parts = _clock(frame, floor)
    for number, one in enumerate(panel.drawn):
        y = _TOP + number * height
        parts.append(f'<text x="{_LEFT - 6}" y="{y + height / 2 + 4:.1f}" text-anchor="end">{escape(one.name)}</text>')
        for value, start, end in _stretches(one.series.points):
            colour = panel.words.get(value, ("", panel.colour_of(value)))[1]
            left = frame.x(start)
            parts.append(
                f'<rect x="{left:.1f}" y="{y + 4:.1f}" width="{max(1.5, frame.x(end) - left):.1f}" '
                f'height="{height - 8:.1f}" fill="{colour}" opacity="0.85"/>'
            )
    plot = frame._replace(height=frame.height - _LEGEND_LINE)
    named = "".join(f'<span><i style="background:{colour}"></i>{word}</span>' for word, colour in panel.words.values())
    return f'{_svg(plot, parts)}<div class="legend">{named}</div>'


def _runs(points: Sequence[tuple[float, float]]) -> Iterator[list[tuple[float, float]]]:
    """Stretches without a gap: a missing number is not drawn as if it were on the way."""
    run: list[tuple[float, float]] = []
    usual = min((b[0] - a[0] for a, b in pairwise(points)), default=1.0)
    for at, value in points:
        if run and (math.isnan(value) or at - run[-1][0] > usual * 1.5):
            yield run
            run = []
        if not math.isnan(value):
            run.append((at, value))
    if run:
        yield run


def _stretches(points: Sequence[tuple[float, float]]) -> Iterator[tuple[float, float, float]]:
    """Value, start and end of each time in which it stayed the same."""
    for run in _runs(points):
        start, value = run[0]
        for at, other in run:
            if other != value:
                yield value, start, at
                start, value = at, other
        yield value, start, run[-1][0]


def _clock(frame: Frame, floor: float) -> list[str]:
    return [
        f'<text x="{frame.x(at):.1f}" y="{floor + 15:.1f}" text-anchor="middle">'
        f"{time.strftime('%H:%M', time.gmtime(at))}</text>"
        for at in (frame.start + (frame.end - frame.start) * share for share in (0.08, 0.36, 0.64, 0.92))
    ]


def _legend(drawn: Sequence[Drawn]) -> str:
    named = [f'<span><i style="background:{one.colour}"></i>{escape(one.name)}</span>' for one in drawn[:_MOST_NAMED]]
    more = len(drawn) - _MOST_NAMED
    return f'<div class="legend">{"".join(named)}{f"<span>and {more} more</span>" if more > 0 else ""}</div>'


def _nice(step: float) -> float:
    """1, 2 or 5 times a power of ten, at least `step`."""
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * 0.999)


def _nothing(frame: Frame, text: str) -> str:
    middle = f'<text x="{frame.width // 2}" y="{frame.height // 2}" text-anchor="middle" class="large">{text}</text>'
    return _svg(frame, [middle])


def _svg(frame: Frame, parts: Sequence[str]) -> str:
    return (
        f'<svg width="{frame.width}" height="{frame.height}" viewBox="0 0 {frame.width} {frame.height}">'
        f"{''.join(parts)}</svg>"
    )


_DRAWN_BY: Mapping[str, Callable[[Answered, Frame], str]] = {
    "timeseries": _time_series,
    "gauge": _gauge,
    "table": _table,
    "piechart": _pie,
    "state-timeline": _states,
}

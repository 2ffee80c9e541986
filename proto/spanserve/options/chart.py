"""Line charts as SVG that stand alone: panels above each other over one axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _PANEL, _HEAD = 640, 190, 34
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 120, 26, 30
#: Pixels that the label of a place takes.
_LABEL = 22
_COLOURS = ("#1f5fa8", "#b4541a", "#3d7a3d", "#7a3d73")
_LIMIT = "#a00"
_STYLE = (
    "text{font:12px sans-serif;fill:#222}.title{font-size:15px}.tick,.axis{fill:#555}"
    ".grid{stroke:#ddd}.limit{stroke-dasharray:5 4}polyline{fill:none;stroke-width:2}"
)


@dataclass(frozen=True, slots=True)
class Line:
    """Points joined by a line, in their order."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines over the same y axis, which begins at 0.

    Attributes:
        limit: a dashed line across.
    """

    title: str
    lines: Sequence[Line]
    limit: float | None = None


def draw(title: str, x_axis: str, panels: Sequence[Panel]) -> str:
    """The chart as the text of an SVG file."""
    xs = sorted({x for panel in panels for line in panel.lines for x, _ in line.points})
    height = _HEAD + len(panels) * _PANEL + 18
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
        f'<text class="title" x="{_LEFT}" y="22">{escape(title)}</text>',
    ]
    for number, panel in enumerate(panels):
        parts.append(f'<g transform="translate(0 {_HEAD + number * _PANEL})">{_panel(panel, xs)}</g>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(
        f'<text class="axis" x="{middle:g}" y="{height - 8}" text-anchor="middle">{escape(x_axis)}</text>'
    )
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, xs: Sequence[float]) -> str:
    values = [y for line in panel.lines for _, y in line.points]
    step = _step(max([*values, panel.limit or 0.0]))
    top = step * math.ceil(max([*values, panel.limit or 0.0]) / step - 1e-9)
    span = max(xs[-1] - xs[0], 1)

    def x_of(x: float) -> float:
        return _LEFT + (x - xs[0]) / span * (_WIDTH - _LEFT - _RIGHT)

    def y_of(y: float) -> float:
        return _PANEL - _BOTTOM - y / top * (_PANEL - _TOP - _BOTTOM)

    end = _WIDTH - _RIGHT
    parts = [f'<text x="{_LEFT}" y="{_TOP - 9}">{escape(panel.title)}</text>']
    for tick in range(round(top / step) + 1):
        y, label = y_of(tick * step), f"{tick * step:g}"
        parts.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    for at in _spaced(xs, x_of):
        place = f'x="{x_of(at):.1f}" y="{_PANEL - _BOTTOM + 16}"'
        parts.append(f'<text class="tick" {place} text-anchor="middle">{at:g}</text>')
    if panel.limit is not None:
        y = y_of(panel.limit)
        parts.append(
            f'<line class="limit" stroke="{_LIMIT}" x1="{_LEFT}" y1="{y:.1f}" x2="{end}" y2="{y:.1f}"/>'
        )
    for line, colour in zip(panel.lines, _COLOURS, strict=False):
        places = [(x_of(x), y_of(y)) for x, y in line.points]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{joined}" stroke="{colour}"/>')
        for (x, y), (at, value) in zip(places, line.points, strict=True):
            tip = f"<title>{escape(line.name)}, {at:g}: {value:g}</title>"
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}">{tip}</circle>')
    names = [(line.name, colour) for line, colour in zip(panel.lines, _COLOURS, strict=False)]
    names += [] if panel.limit is None else [(f"limit {panel.limit:g}", _LIMIT)]
    for row, (name, colour) in enumerate(names):
        place = f'x="{end + 12}" y="{_TOP + 8 + 17 * row}"'
        parts.append(f'<text {place} style="fill:{colour}">{escape(name)}</text>')
    return "".join(parts)


def _step(top: float) -> float:
    """A round distance between ticks, so that there are three to eight."""
    power = 10.0 ** math.floor(math.log10(top)) if top > 0 else 1.0
    return power * next(part for part in (0.2, 0.5, 1.0, 2.0) if top / (power * part) <= 7.5)


def _spaced(xs: Sequence[float], x_of: Callable[[float], float]) -> Iterator[float]:
    """Those whose labels do not touch the label before."""
    last = -math.inf
    for x in xs:
        if x_of(x) - last >= _LABEL:
            last = x_of(x)
            yield x

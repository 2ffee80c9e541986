"""Small drawings for the report: inline SVG that stretches with its column.

The drawings hold shapes only. Words and numbers stay in the HTML around them, where they keep their size
on a phone and can be read aloud and selected. Colours are classes that the page's style sheet fills.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from spanserve.client.report.breakdown import Histogram

_SVG = Markup(
    '<svg class="{kind}" role="img" aria-label="{label}" viewBox="0 0 {width} {height}" '
    'preserveAspectRatio="none"><title>{label}</title>{shapes}</svg>'
)


def score_bar(exact: float, f1: float) -> Markup:
    """F1 as a bar with exact match inside it, both in percent."""
    shapes = _rect("track", 0, 0, 100, 10) + _rect("f1", 0, 0, f1, 10) + _rect("exact", 0, 0, exact, 10)
    return _svg("bar", f"exact {exact:.1f} %, F1 {f1:.1f} %", 100, 10, shapes)


def share_bar(value: float, whole: float, label: str) -> Markup:
    """`value` as a part of `whole`."""
    part = 100 * value / whole if whole else 0.0
    return _svg("bar", label, 100, 10, _rect("track", 0, 0, 100, 10) + _rect("exact", 0, 0, part, 10))


def stacked_bar(parts: Sequence[tuple[str, float]], label: str) -> Markup:
    """Parts side by side; the n-th takes the class `part-n`."""
    whole = sum(value for _, value in parts)
    shapes, left = Markup(), 0.0
    for number, (name, value) in enumerate(parts):
        width = 100 * value / whole if whole else 0.0
        shapes += _rect(f"part-{number}", left, 0, width, 10, f"{name} {width:.1f} %")
        left += width
    return _svg("bar tall", label, 100, 10, shapes)


def histogram(data: Histogram, label: str) -> Markup:
    """Columns from the bottom line, the highest as high as the drawing."""
    top = max(data.counts)
    width = 100 / len(data.counts)
    shapes = Markup()
    for number, count in enumerate(data.counts):
        height = 40 * count / top if top else 0.0
        if count:
            height = max(height, 0.5)  # a rare value stays visible
        shapes += _rect("exact", number * width, 40 - height, width * 0.88, height, f"{count:,} tasks")
    return _svg("histogram", label, 100, 40, shapes)


def _rect(kind: str, x: float, y: float, width: float, height: float, title: str = "") -> Markup:
    inner = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<rect class="{}" x="{:.3f}" y="{:.3f}" width="{:.3f}" height="{:.3f}">{}</rect>').format(
        kind, x, y, width, height, inner
    )


def _svg(kind: str, label: str, width: int, height: int, shapes: Markup) -> Markup:
    return _SVG.format(kind=kind, label=label, width=width, height=height, shapes=shapes)

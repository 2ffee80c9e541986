"""Charts: SVG that any reader takes, points where they belong."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from spanserve.options.chart import Line, Panel, _step, draw

SVG = "{http://www.w3.org/2000/svg}"


def test_chart() -> None:
    """A chart stands alone: title, a panel for each, a line through all points, a limit, names escaped."""
    lines = [Line("p99 <ms>", [(1, 40.0), (2, 20.0), (4, 0.0)]), Line("p50", [(1, 10.0), (4, 5.0)])]
    text = draw("a & b", "cards", [Panel("time", lines, limit=30), Panel("share", [Line("all", [(1, 1.0)])])])
    root = ElementTree.fromstring(text)
    assert f"{SVG}svg" == root.tag
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert 2 == len(root.findall(f"{SVG}g"))
    words = [element.text for element in root.iter(f"{SVG}text")]
    for word in ("a & b", "cards", "time", "share", "p99 <ms>", "limit 30"):
        assert word in words
    first, second, _ = root.iter(f"{SVG}polyline")
    points = [tuple(map(float, point.split(","))) for point in first.attrib["points"].split()]
    (left, high), (middle, half), (right, bottom) = points
    assert (left + (right - left) / 3, (high + bottom) / 2) == pytest.approx((middle, half), abs=0.1)
    assert high < half < bottom
    assert 2 == len(second.attrib["points"].split())


STEPS = {
    "one": (1.0, 0.2),
    "many": (740.0, 100.0),
    "more": (760.0, 200.0),
    "small": (0.03, 0.005),
    "none": (0.0, 0.2),
}


@pytest.mark.parametrize(("top", "expected"), STEPS.values(), ids=STEPS)
def test_ticks(top: float, expected: float) -> None:
    """Ticks are round numbers, eight at most."""
    assert expected == pytest.approx(_step(top))

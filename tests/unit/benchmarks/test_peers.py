"""Peers side by side: how they are named, and what the tables make of rounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.benchmarks.peers.ours import Spanserve
from tests.benchmarks.peers.peer import Spec
from tests.benchmarks.peers.report import best, draw, tables
from tests.benchmarks.peers.session import Row

ROW = Row(
    spec="mosec",
    round=0,
    in_flight=16,
    offered=0.0,
    part=0.0,
    questions=100,
    rate=50.0,
    p50_ms=100.0,
    p99_ms=300.0,
    processor_s_per_1000=17.0,
    foreign=0.1,
    memory_mb=500.0,
    exact=53.0,
    identical=92.0,
    errors=0,
    error="",
)
ROWS = [
    ROW,
    replace(ROW, round=1, rate=70.0),
    replace(ROW, round=2, rate=60.0),
    replace(ROW, in_flight=64, rate=55.0),
    replace(ROW, in_flight=0, offered=30.0, part=0.5, p50_ms=20.0, p99_ms=40.0),
    replace(ROW, spec="spanserve", rate=90.0, identical=None, errors=2, error="boom"),
]


def test_spec() -> None:
    """A peer is named with options, numbers as such; one that it does not have, or without a value, is refused."""
    spec = Spec.parse("spanserve:workers=2,bundle=float32")
    assert ("spanserve", {"workers": 2, "bundle": "float32"}) == (spec.name, spec.options)
    with pytest.raises(ValueError, match="option 'sort' has no value"):
        Spec.parse("mosec:sort")
    with pytest.raises(ValueError, match="no option 'sort', only bundle, device, precision, slots, workers"):
        Spanserve.check(Spec.parse("spanserve:sort=1"))


def test_best() -> None:
    """Of every peer the level with the highest median counts, the fastest peer first."""
    found = [(spec, in_flight, sorted(row.rate for row in rows)) for spec, in_flight, rows in best(ROWS)]
    assert [("spanserve", 16, [90.0]), ("mosec", 16, [50.0, 60.0, 70.0])] == found


def test_tables() -> None:
    """Rates of the closed loop are one table, times of the open loop another; what failed is said."""
    lines = list(tables(ROWS))
    (mosec,) = [line for line in lines if line.startswith("| `mosec` | 60.0 |")]
    assert "| 50.0 to 70.0 | 16 | 17.0 | 500 | 92.0 % | 53.0 | 0.1 |" in mosec
    assert "| `mosec` | 0.5 | 30.0 | 20 | 40 |" in lines
    assert "- `spanserve`, 16 in flight: 2 of 100 questions failed: boom" == lines[-1]
    assert not any("part of its own" in line for line in tables(ROWS[:3]))


def test_results_are_kept(tmp_path: Path) -> None:
    """What was measured can be read again."""
    path = tmp_path / "results.jsonl"
    path.write_text("".join(f"{row.to_json()}\n" for row in ROWS))
    assert ROWS == Row.read(path)


def test_drawing() -> None:
    """The drawing has a bar for each peer, the fastest as long as there is room, and nothing from outside."""
    text = draw(ROWS, "a & b")
    root = ElementTree.fromstring(text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "processor seconds per 1,000 questions: less is better" in text
    bars = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if "class" in one.attrib]
    widths = [float(one.attrib["width"]) for one in bars]
    assert 60 / 90 == pytest.approx(widths[1] / widths[0], abs=0.01)
    assert ["own", "peer", "own", "peer"] == [one.attrib["class"] for one in bars]

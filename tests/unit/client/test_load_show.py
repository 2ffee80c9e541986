"""Levels for people and for programs."""

from __future__ import annotations

import io
import json
from collections import Counter
from dataclasses import replace
from xml.etree import ElementTree

from spanserve.client.load.level import Level
from spanserve.client.load.progress import LoadProgress
from spanserve.client.load.show import plot, remarks, table
from spanserve.client.load.sweep import FEWEST, MOST
from spanserve.options.terminal import Terminal

CLOSED = Level(
    kind="closed",
    load=4,
    seconds=10.0,
    asked=100,
    rate=9.9,
    latencies=tuple(number / 1000 for number in range(1, 100)),
    errors=Counter(unavailable=1),
    client_cores=0.25,
)
OPEN = replace(CLOSED, kind="open", load=12.5, errors=Counter(), rate=12.0)
NOTHING = replace(CLOSED, load=8, latencies=(), rate=0.0, errors=Counter(unavailable=100))


def cells(*levels: Level) -> list[list[str]]:
    columns = [[str(cell) for cell in column.cells] for column in table(levels).columns]
    return [list(row) for row in zip(*columns, strict=True)]


def test_table() -> None:
    """A line for every load: rate, times by nearest rank, and what had no answer by kind."""
    assert [
        ["4 in flight", "9.9", "50.0", "99.0", "99.0", "99", "1 unavailable", "0.25"],
        ["12.5/s", "12.0", "50.0", "99.0", "99.0", "99", "0", "0.25"],
        ["8 in flight", "0.0", "-", "-", "-", "0", "100 unavailable", "0.25"],
    ] == cells(CLOSED, OPEN, NOTHING)


def test_remarks() -> None:
    """Where the knee is, which loads were too much, and that this process may have been the limit, is said in words."""
    assert [] == remarks([CLOSED])
    more = replace(CLOSED, load=16, rate=10.0)
    (bend,) = remarks([CLOSED, more])
    assert "knee: 4 in flight give 9.9 of 10.0 answers/s with a p99 of 99.0 ms" == bend
    behind, busy = remarks([replace(OPEN, rate=1.0, client_cores=0.97)])
    assert behind.startswith("12.5/s, 1.0/s were answered: the workers fell behind")
    assert "this process itself was busy" in busy


def test_json() -> None:
    """For programs there are all figures, in seconds, and None for the times of a level without an answer."""
    found = json.loads(json.dumps(CLOSED.to_json()))
    assert (4, 0.05, 0.099, {"unavailable": 1}) == (
        found["in_flight"],
        found["p50_s"],
        found["max_s"],
        found["errors"],
    )
    assert 12.5 == OPEN.to_json()["offered_per_s"]
    assert NOTHING.to_json()["p99_s"] is None


def test_plot() -> None:
    """The plot has a line for each kind of loop in a panel for each time, and nothing from outside."""
    text = plot([CLOSED, replace(CLOSED, rate=250.4), OPEN, NOTHING], "model <x>")
    root = ElementTree.fromstring(text)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    words = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for word in ("model <x>", "answers per second", "closed loop", "open loop", "250"):
        assert word in words
    assert 4 == len(list(root.iter("{http://www.w3.org/2000/svg}polyline")))


def test_how_long() -> None:
    """Before the first load it is said how long all will take; a sweep ends sooner or later."""
    shown = io.StringIO()
    progress = LoadProgress(Terminal(file=shown))
    progress.begins(1, 1, 12.0)
    progress.begins(FEWEST, MOST, 12.0)
    assert [
        "1 load of 12.0 s each: 12.0 s",
        "10 to 17 loads of 12.0 s each: 2 min 00 s to 3 min 24 s",
    ] == shown.getvalue().splitlines()

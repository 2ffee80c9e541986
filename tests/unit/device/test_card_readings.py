"""How a card is watched: its readings, what takes their place, and what is made of them."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from dataclasses import replace

import pytest

from spanserve.device import DeviceSpec
from spanserve.device.card_load import Range, card_load
from spanserve.device.telemetry import CardWatch, NotRead, Reading, read_card

#: Seconds that an event may take at most.
PATIENCE_S = 60.0
READING = Reading(
    card=0,
    model="MLU370-X4",
    driver="5.10.22",
    utilization=40,
    memory_used=3 << 20,
    memory_total=9 << 20,
    power=90,
    temperature=None,
)


def test_watch() -> None:
    """A watch reads at once and again and again, tells what failed as well, and ends when it is stopped."""
    found: Iterator[Reading | NotRead] = iter((READING, NotRead("away"), READING))

    def read() -> Reading:
        what = next(found, READING)
        if isinstance(what, NotRead):
            raise what
        return what

    told: queue.Queue[Reading | NotRead] = queue.Queue()
    watch = CardWatch(read, told.put, every_s=0)
    watch.start()
    first, second, third = (told.get(timeout=PATIENCE_S) for _ in range(3))
    watch.stop()
    assert (READING, "away", READING) == (first, str(second), third)
    count = told.qsize()
    watch.stop()
    assert count == told.qsize()


def test_load() -> None:
    """What was read while the block ran is summed up by quantity; what the card does not tell is not among it."""
    busy = iter([10.0, 40.0, 100.0])
    three = queue.Queue[None]()

    def read() -> Reading:
        value = next(busy, None)
        if value is None:
            three.put(None)
            raise NotRead("no more")
        return replace(READING, utilization=value)

    with card_load(read, every_s=0) as load:
        three.get(timeout=PATIENCE_S)
    assert ["utilization", "memory_used", "power"] == list(load.ranges)
    assert Range(10, 100, 50) == load.ranges["utilization"]
    assert "no more" == load.why


def test_load_of_nothing() -> None:
    """Where nothing is to be read there are no ranges and no complaint."""
    with card_load(None) as load:
        pass
    assert ({}, "") == (load.ranges, load.why)


def test_card_that_is_not_numbered() -> None:
    """Where the variables name cards by UUID, it is not known which of cnmon's cards is meant, and none is read."""
    environment = {"CN_VISIBLE_DEVICES": "33033011-2157-0000-0000-000000000000"}
    with pytest.raises(NotRead, match="do not give the number of mlu:0"):
        read_card(DeviceSpec.parse("mlu:0"), environment, "/nowhere/cnmon")

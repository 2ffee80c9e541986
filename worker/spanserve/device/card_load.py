"""What a card reported during a measurement, from the lowest to the highest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from spanserve.device.telemetry import CardWatch, NotRead, Reading

#: Seconds between two readings.
EVERY_S = 1.0
#: Quantities of a reading that vary, with their units as people read them, and how many of a reading's make one.
UNITS = {
    "utilization": ("%", 1),
    "memory_used": ("MiB", 1 << 20),
    "power": ("W", 1),
    "temperature": ("°C", 1),
}


@dataclass(frozen=True, slots=True)
class Range:
    """A quantity, in the units of `Reading`."""

    min: float
    max: float
    mean: float


class CardLoad:
    """Readings of one card, and why there are none.

    Attributes:
        why: why the last attempt gave none; empty if it gave one, or none was made.
    """

    def __init__(self) -> None:
        self.readings: list[Reading] = []
        self.why = ""

    def add(self, found: Reading | NotRead) -> None:
        """Another one."""
        if isinstance(found, NotRead):
            self.why = str(found)
        else:
            self.readings.append(found)

    @property
    def ranges(self) -> dict[str, Range]:
        """By name, those of UNITS that the card reports."""
        found = {}
        for name in UNITS:
            values = [value for reading in self.readings if (value := getattr(reading, name)) is not None]
            if values:
                found[name] = Range(min(values), max(values), sum(values) / len(values))
        return found


@contextmanager
def card_load(read: Callable[[], Reading] | None, every_s: float = EVERY_S) -> Iterator[CardLoad]:
    """Read a card while the block runs, once at least.

    Args:
        read: None where nothing is to be read.
    """
    load = CardLoad()
    if read is None:
        yield load
        return
    watch = CardWatch(read, load.add, every_s)
    watch.start()
    try:
        yield load
    finally:
        watch.stop()

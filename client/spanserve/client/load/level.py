"""How workers performed under one load."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["closed", "open"]
#: Times the square root of what came, which is how far counts of random arrivals stray.
_CHANCE = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One load and its results, without the time for warming up.

    Attributes:
        kind: closed: a new question goes out when an answer comes; open: questions come whatever becomes of others.
        load: questions in flight, or questions per second that come.
        seconds: for which it was measured.
        asked: questions that were due within these seconds.
        answered: those of them that have an answer.
        rate: answers per second that came within these seconds, whenever their questions were due.
        latencies: seconds of the answered ones, ascending; from when they were due.
        errors: kind -> how many of the others ended so; `unfinished` had no end when the measurement was broken off.
        client_cores: processors that this process kept busy.
    """

    kind: Kind
    load: float
    seconds: float
    asked: int
    rate: float
    latencies: tuple[float, ...]
    errors: Counter[str]
    client_cores: float

    @property
    def answered(self) -> int:
        return len(self.latencies)

    @property
    def keeps_up(self) -> bool:
        """Whether as many were answered as came, but for chance; a closed loop always keeps up."""
        expected = self.load * self.seconds
        return self.kind == "closed" or expected - self.rate * self.seconds <= _CHANCE * math.sqrt(expected)

    def percentile_s(self, share: float) -> float:
        """Seconds within which this share was answered, by nearest rank; NaN without any answer."""
        if not self.latencies:
            return math.nan
        return self.latencies[min(int(len(self.latencies) * share), len(self.latencies) - 1)]

    @property
    def name(self) -> str:
        """The load in words."""
        return f"{self.load:g} in flight" if self.kind == "closed" else f"{self.load:.4g}/s"

    def to_json(self) -> dict[str, Any]:
        """For programs; times in seconds, None without an answer."""
        times = {f"p{round(100 * share)}_s": self.percentile_s(share) for share in (0.5, 0.9, 0.95, 0.99)}
        times["max_s"] = self.percentile_s(1.0)
        return {
            "kind": self.kind,
            "in_flight" if self.kind == "closed" else "offered_per_s": self.load,
            "seconds": self.seconds,
            "asked": self.asked,
            "answered": self.answered,
            "answered_per_s": self.rate,
            **{name: None if math.isnan(value) else value for name, value in times.items()},
            "errors": dict(self.errors),
            "keeps_up": self.keeps_up,
            "client_cores": self.client_cores,
        }

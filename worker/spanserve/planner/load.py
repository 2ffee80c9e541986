"""What a fleet is planned for: when questions come, and how long their windows are."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from spanserve.bundle import Bundle
from spanserve.contract import Question, Refusal, Task
from spanserve.contract.errors import SpanserveError
from spanserve.contract.limits import MAX_QUESTIONS
from spanserve.engine.work import Window
from spanserve.planner.card import PlannedWindow
from spanserve.planner.fleet import Arrival
from spanserve.qa import Encoder
from spanserve.squad import SquadError, load_dataset

#: With fewer questions, the slowest in a hundred say little.
MIN_QUESTIONS = 1000
#: Windows of one question.
Windows = tuple[Window, ...]


class PlanError(SpanserveError):
    """A plan cannot be made. Names the input and what is wrong with it."""


def read_windows(path: Path, bundle: Bundle) -> list[Windows]:
    """The windows of every question of a data set, as a worker cuts them; what it refuses is left out.

    Raises:
        PlanError: it cannot be read, or no question in it could be asked.
    """
    try:
        passages = load_dataset(path, answers=False).passages
    except SquadError as error:
        raise PlanError(str(error)) from None
    encoder = Encoder.of(bundle)
    found: list[Windows] = [
        windows
        for passage in passages
        for windows in _cut(encoder, passage.context, [question.text for question in passage.questions])
    ]
    if not found:
        raise PlanError(f"{path} holds no question that could be asked")
    return found


def _cut(encoder: Encoder, context: str, texts: Sequence[str]) -> list[Windows]:
    found: list[Windows] = []
    for first in range(0, len(texts), MAX_QUESTIONS):
        part = texts[first : first + MAX_QUESTIONS]
        asked = tuple(Question(str(number), text) for number, text in enumerate(part))
        try:
            encoded = encoder.encode(Task(id="p", context=context, questions=asked))
        except Refusal:
            continue
        found += [
            tuple(PlannedWindow(window.tokens) for window in question.windows)
            for question in encoded.questions
            if question.error is None
        ]
    return found


def poisson(rate: float, count: int, chance: random.Random) -> list[float]:
    """Times of `count` arrivals that know nothing of each other, `rate` per second on average."""
    now, times = 0.0, []
    for _ in range(count):
        now += chance.expovariate(rate)
        times.append(now)
    return times


def read_arrivals(path: Path, rate: float | None) -> list[float]:
    """Recorded times: one number of seconds per line, ascending.

    Args:
        rate: stretch or squeeze the record to so many per second; None: as it is.

    Raises:
        PlanError: it cannot be read, or is not such a record.
    """
    try:
        times = [float(line) for line in path.read_text(encoding="utf-8").split()]
    except (OSError, ValueError) as error:
        raise PlanError(f"{path} cannot be read: {error}") from None
    if not all(math.isfinite(when) for when in times) or any(a > b for a, b in pairwise(times)):
        raise PlanError(f"{path} is not a record of arrivals: one time in seconds per line, ascending")
    if len(times) < MIN_QUESTIONS or times[0] == times[-1]:
        raise PlanError(
            f"{path} holds {len(times)} arrivals: a plan needs at least {MIN_QUESTIONS}, not all at once"
        )
    stretch = 1.0 if rate is None else recorded_rate(times) / rate
    return [(when - times[0]) * stretch for when in times]


def recorded_rate(times: Sequence[float]) -> float:
    """Arrivals per second."""
    return (len(times) - 1) / (times[-1] - times[0])


def make_arrivals(times: Sequence[float], windows: Sequence[Windows], chance: random.Random) -> list[Arrival]:
    """Questions drawn from `windows` at random, one for each time."""
    return [Arrival(when, chance.choice(windows)) for when in times]

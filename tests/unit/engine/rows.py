"""Jobs, asks and rows for tests of what lies between intake and device; their windows hold no real text."""

from __future__ import annotations

import numpy as np

from spanserve.contract import Question, Task, TaskResult
from spanserve.engine.request import Ask, Job, Row
from spanserve.qa import Window
from spanserve.qa.windows import Cut

NEVER = float("inf")


def make_job(
    questions: int = 1,
    *,
    deadline: float | None = None,
    timeout_ms: int | None = None,
    ended: list[TaskResult] | None = None,
) -> Job:
    """A job; its result is appended to `ended`."""
    results = [] if ended is None else ended
    task = Task(
        id="t",
        context="c",
        questions=tuple(Question(f"q{number}", "who") for number in range(questions)),
        timeout_ms=timeout_ms,
    )
    return Job(task, lambda job, result: results.append(result), 0.0, "w", "0" * 64, deadline)


def make_ask(job: Job | None = None, index: int = 0, *, windows: int = 1, attempt: int = 1) -> Ask:
    return Ask(job or make_job(), index, [None] * windows, attempt)


def make_row(
    length: int = 16, *, due: float = NEVER, ask: Ask | None = None, part: int = 0, attempt: int = 1
) -> Row:
    """A row of `length` tokens without padding."""
    tokens = np.zeros(length - 4, np.int32)  # beside [CLS], one question token and two [SEP]
    window = Window(np.zeros(1, np.int32), tokens, Cut(0, len(tokens), None))
    return Row(ask or make_ask(attempt=attempt), part, window, length, since=0.0, due=due)

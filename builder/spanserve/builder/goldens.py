"""Goldens: the questions that a worker asks its device before it serves."""

from __future__ import annotations

from collections.abc import Iterable

from spanserve.builder.verify import Asked
from spanserve.bundle import Golden

#: Questions in a bundle: enough to notice a wrong device, few enough to ask at every start.
COUNT = 5


def choose_goldens(asked: Iterable[Asked]) -> list[Golden]:
    """Of the questions that the checkpoint answers alike, those whose best span leads the second most.

    One per passage, so that they differ, and of one window, so that every device takes it in one batch.
    Their answers and scores are the compiled graph's own.
    """
    chosen: dict[str, Golden] = {}
    short = (question for question in asked if question.answer.windows == 1)
    for question in sorted(short, key=lambda q: (not q.agreed, -_lead(q))):
        context, best = question.task.context, question.answer.best
        golden = Golden(context, question.task.questions[0].text, best.start, best.end, best.score)
        chosen.setdefault(context, golden)
    return list(chosen.values())[:COUNT]


def _lead(question: Asked) -> float:
    """By how much the best span's score leads the second's."""
    scores = question.answer.n_best.scores
    return scores[0] - scores[1] if len(scores) > 1 else 0.0

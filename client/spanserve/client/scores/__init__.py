"""Exact match and F1 by the arithmetic of official scripts, one file for each metric.

One thing differs from evaluate-v2.0.py: a question without a prediction scores 0 and stays in the total, as in
evaluate-v1.1.py; that script leaves it out.
"""

from collections.abc import Iterable

from spanserve.client.scores.choose import DEFAULT_METRIC, METRICS, ChosenMetric, metric_of, unsuitable
from spanserve.client.scores.run import Average, Best, Scores, score_run
from spanserve.squad.metric import Metric, QuestionScore
from spanserve.squad.official import SQUAD_1, SQUAD_2, normalize_answer

__all__ = [
    "DEFAULT_METRIC",
    "METRICS",
    "SQUAD_1",
    "SQUAD_2",
    "Average",
    "Best",
    "ChosenMetric",
    "Metric",
    "QuestionScore",
    "Scores",
    "metric_of",
    "normalize_answer",
    "score_answer",
    "score_run",
    "unsuitable",
]


def score_answer(prediction: str, golds: Iterable[str]) -> QuestionScore:
    """Scores of one answer as evaluate-v1.1.py computes them."""
    return SQUAD_1.score(prediction, golds)

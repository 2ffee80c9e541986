"""Scores of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spanserve.client.scores.choose import metric_of
from spanserve.squad import Dataset
from spanserve.squad.metric import Metric, QuestionScore


@dataclass(frozen=True, slots=True)
class Average:
    """Scores over `total` questions, in percent."""

    exact: float
    f1: float
    total: int

    @classmethod
    def of(cls, scores: Iterable[QuestionScore]) -> Average:
        rows = list(scores)
        total = len(rows)
        if not total:
            return cls(0.0, 0.0, 0)
        return cls(100 * sum(s.exact for s in rows) / total, 100 * sum(s.f1 for s in rows) / total, total)


@dataclass(frozen=True, slots=True)
class Best:
    """The best average that any threshold reaches, in percent, and the lowest threshold that does."""

    value: float
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Scores of a run, in percent, and those of each question."""

    metric: Metric
    overall: Average
    #: None where the data set holds no such questions.
    has_answer: Average | None
    no_answer: Average | None
    best_exact: Best
    best_f1: Best
    #: Question id -> its scores; 0 without a prediction.
    questions: Mapping[str, QuestionScore]

    def to_json(self) -> dict[str, float | int]:
        """The members of the official v2.0 output."""
        form: dict[str, float | int] = {}
        for prefix, average in (("", self.overall), ("HasAns_", self.has_answer), ("NoAns_", self.no_answer)):
            if average is not None:
                form[f"{prefix}exact"] = average.exact
                form[f"{prefix}f1"] = average.f1
                form[f"{prefix}total"] = average.total
        for name, best in (("exact", self.best_exact), ("f1", self.best_f1)):
            form[f"best_{name}"] = best.value
            form[f"best_{name}_thresh"] = best.threshold
        return form


def score_run(
    dataset: Dataset,
    predictions: Mapping[str, str],
    null_odds: Mapping[str, float] | None = None,
    *,
    no_answer_threshold: float = 0.0,
    metric: Metric | None = None,
) -> Scores:
    """Score predictions against a data set.

    Args:
        dataset: the questions to count, each of them once.
        predictions: question id -> text of the best span.
        null_odds: question id -> score of "no answer" minus score of the best span, for the ids of
            `predictions`. None: the predictions are final, as in SQuAD v1.1.
        no_answer_threshold: odds above it turn the prediction into "no answer".
        metric: how answers are compared. None: as the official SQuAD script of the data set's version does.
    """
    metric = metric or metric_of("squad", dataset)
    raw: dict[str, QuestionScore] = {}
    final: dict[str, QuestionScore] = {}
    impossible = {question.id for _, question in dataset.questions() if question.impossible}
    for _, question in dataset.questions():
        prediction = predictions.get(question.id)
        if prediction is None:
            raw[question.id] = final[question.id] = QuestionScore(0.0, 0.0)
            continue
        raw[question.id] = final[question.id] = metric.score(prediction, question.answers)
        if null_odds is not None and null_odds[question.id] > no_answer_threshold:
            right = float(question.impossible)
            final[question.id] = QuestionScore(right, right)
    overall = Average.of(final.values())
    best_exact, best_f1 = Best(overall.exact, 0.0), Best(overall.f1, 0.0)
    if null_odds is not None:
        answered = {name: text for name, text in predictions.items() if name in raw}
        best_exact = _best({n: s.exact for n, s in raw.items()}, answered, null_odds, impossible)
        best_f1 = _best({n: s.f1 for n, s in raw.items()}, answered, null_odds, impossible)
    possible = [score for name, score in final.items() if name not in impossible]
    return Scores(
        metric=metric,
        overall=overall,
        has_answer=Average.of(possible) if possible else None,
        no_answer=Average.of(final[name] for name in final if name in impossible) if impossible else None,
        best_exact=best_exact,
        best_f1=best_f1,
        questions=final,
    )


def _best(
    raw: Mapping[str, float],
    predictions: Mapping[str, str],
    null_odds: Mapping[str, float],
    impossible: set[str],
) -> Best:
    """find_best_thresh of evaluate-v2.0.py.

    It starts with "no answer" for every question and lets them answer in the order of rising odds: a
    possible question then adds its score, an impossible one that gets a text loses the point it had.
    """
    current = best = float(sum(name in impossible for name in predictions))
    threshold = 0.0
    for name in sorted(predictions, key=lambda name: null_odds[name]):
        if name not in impossible:
            current += raw[name]
        elif predictions[name]:
            current -= 1
        if current > best:
            best, threshold = current, null_odds[name]
    return Best(100 * best / len(raw) if raw else 0.0, threshold)

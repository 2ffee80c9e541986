"""The worst answers of a run, each in its context with the predicted and the gold spans marked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from spanserve.client.report.summary import RunSummary
from spanserve.client.scores import QuestionScore

#: Answers shown.
MAX_FAILURES: Final = 30
#: Code points of context shown before and after the marked spans.
_MARGIN: Final = 600


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of context; `mark` is "", "predicted", "gold" or "both"."""

    text: str
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A question that was answered wrongly."""

    id: str
    title: str
    question: str
    #: "" for "no answer".
    predicted: str
    #: Distinct gold answers; none for an impossible question.
    golds: tuple[str, ...]
    logit: float
    scores: QuestionScore
    pieces: tuple[Piece, ...]


def worst_answers(summary: RunSummary, count: int = MAX_FAILURES) -> dict[str, list[Failure]]:
    """The `count` answers with the lowest F1, the surest of them first, by article.

    Questions that met an error are left out: they have no answer to look at.
    """
    answers = summary.results.answers
    predictions = summary.results.predictions(summary.threshold)
    wrong = [
        (scores.f1, -answers[question.id].best.score, question.id, passage, question)
        for passage, question in summary.dataset.questions()
        if question.id in answers and (scores := summary.scores.questions[question.id]).exact < 1
    ]
    wrong.sort(key=lambda row: row[:3])
    articles: defaultdict[str, list[Failure]] = defaultdict(list)
    for _, _, name, passage, question in wrong[:count]:
        best = answers[name].best
        predicted = predictions[name]
        span = (best.start, best.end) if predicted else None
        failure = Failure(
            id=name,
            title=passage.title,
            question=question.text,
            predicted=predicted,
            golds=tuple(dict.fromkeys(question.answers)),
            logit=best.score,
            scores=summary.scores.questions[name],
            pieces=marked(passage.context, span, question.answers),
        )
        articles[passage.title].append(failure)
    return dict(articles)


def marked(context: str, predicted: tuple[int, int] | None, golds: Sequence[str]) -> tuple[Piece, ...]:
    """The context cut into pieces by what covers them; each gold answer is marked where it first stands.

    A long context is shortened to the neighbourhood of its marks, the cuts shown by "…". Example, with
    "bc" predicted and "cd" gold: a | b predicted | c both | d gold | e.
    """
    found = ((context.find(gold), len(gold)) for gold in set(golds) if gold)
    spans = [(start, start + length) for start, length in found if start >= 0]
    every = [*spans, predicted] if predicted else spans
    low = max(0, min((start for start, _ in every), default=0) - _MARGIN)
    high = min(len(context), max((end for _, end in every), default=0) + _MARGIN)
    edges = sorted({low, high, *(edge for span in every for edge in span)})
    pieces = [Piece("… ")] if low else []
    for start, end in pairwise(edges):
        in_predicted = predicted is not None and predicted[0] <= start < predicted[1]
        in_gold = any(first <= start < last for first, last in spans)
        mark = "both" if in_predicted and in_gold else "predicted" if in_predicted else "gold" * in_gold
        if pieces and pieces[-1].mark == mark:
            pieces[-1] = Piece(pieces[-1].text + context[start:end], mark)
        else:
            pieces.append(Piece(context[start:end], mark))
    if high < len(context):
        pieces.append(Piece(" …"))
    return tuple(pieces)

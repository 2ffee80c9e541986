"""The figures of a report: scores by kind of question, and where the time went."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from spanserve.client.evaluation.results import Results
from spanserve.client.scores import SQUAD_1, Average, Metric, QuestionScore, Scores
from spanserve.contract import Timing
from spanserve.squad import Dataset, DatasetQuestion

#: Question types in the order shown.
QUESTION_TYPES: Final = ("what", "who", "when", "where", "why", "how many", "how", "which", "other")
#: First tokens of the classes of answer length, and their names.
_LENGTH_STARTS: Final = (1, 2, 3, 5, 9)
ANSWER_LENGTHS: Final = ("1", "2", "3-4", "5-8", "9+")
NO_ANSWER: Final = "no answer"
#: Stages in their order, as `Timing` names them.
STAGES: Final = ("queue", "tokenise", "wait", "device", "decode")

_QUESTION_WORD = re.compile(r"\b(how (?:many|much)|what|who|whom|whose|when|where|why|which|how)\b")


@dataclass(frozen=True, slots=True)
class Group:
    """Questions of one kind and their average scores."""

    name: str
    scores: Average


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of equal bins from 0 to `limit`; the last one holds what lies beyond as well."""

    counts: tuple[int, ...]
    limit: float


@dataclass(frozen=True, slots=True)
class Latency:
    """Times of whole tasks in microseconds, and the mean of each stage. Stages of several windows overlap."""

    histogram: Histogram
    p50_us: float
    p95_us: float
    p99_us: float
    #: Stage -> mean microseconds per task.
    stages: dict[str, float]


def question_type(text: str) -> str:
    """One of QUESTION_TYPES, by the first question word: "In what year ..." is "what"."""
    match = _QUESTION_WORD.search(text.lower())
    if not match:
        return "other"
    word = match[1]
    if word.startswith("how "):
        return "how many"
    return "who" if word in ("whom", "whose") else word


def answer_length(question: DatasetQuestion, metric: Metric = SQUAD_1) -> str:
    """The class of ANSWER_LENGTHS of the first gold answer, in tokens as F1 counts them."""
    if question.impossible:
        return NO_ANSWER
    tokens = max(1, len(metric.tokens(question.answers[0])))
    return ANSWER_LENGTHS[bisect_right(_LENGTH_STARTS, tokens) - 1]


def by_question_type(dataset: Dataset, scores: Scores) -> list[Group]:
    """Scores by the word that a question asks with."""
    return _grouped(dataset, scores, lambda question: question_type(question.text), QUESTION_TYPES)


def by_answer_length(dataset: Dataset, scores: Scores, metric: Metric = SQUAD_1) -> list[Group]:
    """Scores by the words in the first gold answer."""
    return _grouped(
        dataset, scores, lambda question: answer_length(question, metric), (*ANSWER_LENGTHS, NO_ANSWER)
    )


def windows_per_question(results: Results) -> list[tuple[int, int]]:
    """(windows, questions that were cut into so many), ascending."""
    return sorted(Counter(answer.windows for answer in results.answers.values()).items())


def latency(timings: Iterable[Timing], bins: int = 32) -> Latency | None:
    """Distribution of task times; None without any. The histogram ends at the 99th percentile."""
    rows = list(timings)
    totals = sorted(timing.elapsed_us for timing in rows)
    if not totals or not totals[-1]:
        return None
    limit = _percentile(totals, 0.99) or totals[-1]
    counts = [0] * bins
    for total in totals:
        counts[min(int(total / limit * bins), bins - 1)] += 1
    return Latency(
        histogram=Histogram(tuple(counts), limit),
        p50_us=_percentile(totals, 0.5),
        p95_us=_percentile(totals, 0.95),
        p99_us=_percentile(totals, 0.99),
        stages={stage: sum(getattr(row, f"{stage}_us") for row in rows) / len(rows) for stage in STAGES},
    )


def _grouped(
    dataset: Dataset, scores: Scores, kind: Callable[[DatasetQuestion], str], order: Iterable[str]
) -> list[Group]:
    """Groups that hold a question, in `order`."""
    members: defaultdict[str, list[QuestionScore]] = defaultdict(list)
    for _, question in dataset.questions():
        members[kind(question)].append(scores.questions[question.id])
    return [Group(name, Average.of(members[name])) for name in order if name in members]


def _percentile(ascending: Sequence[int], share: float) -> float:
    """Nearest rank."""
    return ascending[min(int(len(ascending) * share), len(ascending) - 1)]

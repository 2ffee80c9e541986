"""The score of one answer."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """Scores of one prediction, the best over its gold answers, 0 to 1."""

    exact: float
    f1: float


def normalize_answer(text: str) -> str:
    """Lower case, ASCII punctuation and articles removed, white space collapsed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def score_answer(prediction: str, golds: Iterable[str]) -> QuestionScore:
    """Scores of `prediction` against the gold answer that suits it best; no golds: "" is right."""
    predicted = normalize_answer(prediction)
    wanted = [gold for gold in map(normalize_answer, golds) if gold] or [""]
    tokens = predicted.split()
    return QuestionScore(float(predicted in wanted), max(_f1(gold.split(), tokens) for gold in wanted))


def _f1(gold: list[str], predicted: list[str]) -> float:
    if not gold or not predicted:
        return float(gold == predicted)
    same = (Counter(gold) & Counter(predicted)).total()
    if not same:
        return 0.0
    precision, recall = same / len(predicted), same / len(gold)
    return 2 * precision * recall / (precision + recall)

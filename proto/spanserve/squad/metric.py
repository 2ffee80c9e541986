"""What a metric is: how two texts are compared, by the arithmetic of an official script."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuestionScore:
    """Scores of one prediction, the best over its gold answers, 0 to 1."""

    exact: float
    f1: float


def shared(gold: Sequence[str], predicted: Sequence[str]) -> int:
    """Tokens that two texts share, in any order, each as often as both have it."""
    return (Counter(gold) & Counter(predicted)).total()


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """Exact match and F1. That of SQuAD is in `official`, others are the client's."""

    #: As it is chosen on the command line.
    name: str
    #: The official script whose arithmetic this is.
    script: str
    #: What of a text must be equal for an exact match.
    normal: Callable[[str], str]
    #: What of a text F1 counts.
    tokens: Callable[[str], list[str]]
    #: How many tokens of a gold answer and a prediction count as common.
    common: Callable[[Sequence[str], Sequence[str]], int] = shared
    #: Whether texts without tokens mean "no answer": such gold answers count only where there is no other, and nothing
    #: against nothing has F1 1. If not, it has F1 0, because nothing is shared.
    no_answers: bool = False

    def score(self, prediction: str, golds: Iterable[str]) -> QuestionScore:
        """Scores against the gold answer that suits the prediction best; without any, nothing is right."""
        wanted = [(self.normal(gold), self.tokens(gold)) for gold in golds]
        if self.no_answers:
            wanted = [gold for gold in wanted if gold[0]] or [("", [])]
        text, tokens = self.normal(prediction), self.tokens(prediction)
        if not wanted:
            right = float(not text)
            return QuestionScore(right, right)
        exact = float(any(text == normal for normal, _ in wanted))
        return QuestionScore(exact, max(self._f1(gold, tokens) for _, gold in wanted))

    def _f1(self, gold: Sequence[str], predicted: Sequence[str]) -> float:
        if self.no_answers and not (gold and predicted):
            return float(gold == predicted)
        same = self.common(gold, predicted)
        if not same:
            return 0.0
        precision, recall = same / len(predicted), same / len(gold)
        return 2 * precision * recall / (precision + recall)

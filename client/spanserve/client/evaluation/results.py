"""The results of a run: a set union by question id, so that no delivery is counted twice.

At-least-once delivery brings some results again, late or from two workers. The first one stands; the
others are only counted. Scores are computed from the finished map and never by counting along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from spanserve.contract import Answer, QuestionResult, Refusal, TaskResult, Timing


class Results:
    """What has come back for the expected question ids."""

    def __init__(self, expected: Iterable[str]) -> None:
        self._expected = dict.fromkeys(expected)  # an ordered set
        self._outcomes: dict[str, QuestionResult] = {}
        #: Task id -> where its time went, of its first result.
        self.timings: dict[str, Timing] = {}
        #: Worker -> questions whose first result it gave.
        self.by_worker: Counter[str] = Counter()
        #: Model digest -> task results that carried it; more than one digest is a mixed run.
        self.by_model: Counter[str] = Counter()
        #: Results of questions that had one already.
        self.duplicates = 0
        #: Duplicates with a different answer from the one that counts.
        self.conflicts = 0
        #: Ids that were not asked for.
        self.unexpected: set[str] = set()

    def add(self, result: TaskResult) -> int:
        """Take in a result that is final; one worth another try is not for here.

        Returns:
            How many expected questions it finished.
        """
        self.timings.setdefault(result.id, result.timing)
        if result.model_digest:  # none on a task that no worker took
            self.by_model[result.model_digest] += 1
        finished = sum(self._settle(question) for question in result.questions)
        if finished:
            self.by_worker[result.worker] += finished
        return finished

    def refuse(self, refused: Mapping[str, Refusal]) -> None:
        """Take in questions that were never sent, because no task can carry them."""
        for name, refusal in refused.items():
            self._settle(QuestionResult(name, error=refusal))

    @property
    def expected(self) -> tuple[str, ...]:
        return tuple(self._expected)

    @property
    def answers(self) -> dict[str, Answer]:
        """Question id -> answer, in the expected order."""
        found = ((name, self._outcomes.get(name)) for name in self._expected)
        return {name: result.answer for name, result in found if result and result.answer}

    @property
    def errors(self) -> dict[str, Refusal]:
        """Question id -> why it has no answer, in the expected order."""
        found = ((name, self._outcomes.get(name)) for name in self._expected)
        return {name: result.error for name, result in found if result and result.error}

    def missing(self) -> tuple[str, ...]:
        """Expected ids without a result."""
        return tuple(name for name in self._expected if name not in self._outcomes)

    @property
    def answered(self) -> bool:
        """Whether every expected question has an answer."""
        return len(self.answers) == len(self._expected)

    @property
    def complete(self) -> bool:
        """Whether every expected question has a result, an answer or an error."""
        return len(self._outcomes) == len(self._expected)

    def __len__(self) -> int:
        """Questions with a result, answer or error."""
        return len(self._outcomes)

    def null_odds(self) -> dict[str, float]:
        """Question id -> score of "no answer" minus score of the best span."""
        return {name: answer.no_answer_score - answer.best.score for name, answer in self.answers.items()}

    def predictions(self, no_answer_threshold: float | None = None) -> dict[str, str]:
        """Question id -> text of the best span; "" where the odds of "no answer" exceed the threshold."""
        texts = {name: answer.best.text for name, answer in self.answers.items()}
        if no_answer_threshold is not None:
            texts |= {name: "" for name, odds in self.null_odds().items() if odds > no_answer_threshold}
        return texts

    def _settle(self, question: QuestionResult) -> bool:
        """Keep the first outcome of an expected question; whether this was it."""
        if question.id not in self._expected:
            self.unexpected.add(question.id)
            return False
        first = self._outcomes.get(question.id)
        if first is None:
            self._outcomes[question.id] = question
            return True
        self.duplicates += 1
        self.conflicts += _gist(first) != _gist(question)
        return False


def _gist(question: QuestionResult) -> object:
    """What makes two outcomes the same: the span, for devices may differ in the last bits of a score."""
    if question.answer is not None:
        return question.answer.best.start, question.answer.best.end
    return question.error.code if question.error is not None else None

"""Contexts that no task can carry, or that are more windows than a worker takes: asked in overlapping pieces.

    context   ├───────────────────────────────────────────┤
    pieces    ├──────────────┤        ├───────────────────┤
                       ├───────────────┤
    an answer counts in the piece where it begins farther from an edge: up to the middle of an overlap it is the
    earlier one's, from there on the later one's

Scores of pieces are compared as a worker compares those of windows: the best span is the one with the highest score,
"no answer" has its lowest. A context that one task can carry is sent as one, and its answers are those of one task.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Final

from spanserve.contract import (
    Answer,
    ErrorCode,
    NBest,
    Question,
    QuestionResult,
    Refusal,
    Span,
    Task,
    TaskResult,
)
from spanserve.contract.limits import KIB, MAX_WINDOWS_PER_QUESTION, MAX_WINDOWS_PER_TASK
from spanserve.squad import Dataset

#: Bytes of a piece: well under 64 windows in any script. Where it is more than that, half of it is tried, and so on.
PIECE_BYTES: Final = 20 * KIB
MIN_PIECE_BYTES: Final = 2 * KIB
#: Bytes that two pieces share; enough tokens that half of them are more than what a window sees on one side.
OVERLAP_BYTES: Final = 2 * KIB
#: Questions a task, so that it stays within its windows.
_QUESTIONS: Final = MAX_WINDOWS_PER_TASK // MAX_WINDOWS_PER_QUESTION

#: Start and end in a context.
Piece = tuple[int, int]


class LongContexts(enum.StrEnum):
    """What becomes of a context that is too long."""

    REFUSE = "refuse"
    SPLIT = "split"


@dataclass(frozen=True, slots=True)
class _Text:
    """A context that is asked about in pieces, with some of its questions."""

    name: str
    context: str
    questions: tuple[Question, ...]
    pieces: tuple[Piece, ...]
    #: Bytes of a piece; None: it is whole, with fewer questions than before.
    size: int | None
    results: dict[int, TaskResult] = field(default_factory=dict)


class Splitter:
    """Turns what is too long into tasks, and their results into those of whole contexts.

    Args:
        make: makes a task of `id`, `context` and `questions`.
        n_best: candidates kept for a question.
        size: bytes of the first pieces.
    """

    def __init__(self, make: Callable[..., Task], n_best: int, size: int = PIECE_BYTES) -> None:
        self._make = make
        self._n_best = n_best
        self._size = size
        self._texts: dict[str, tuple[_Text, int]] = {}  # task id -> its text, and which piece of it

    def first(self, dataset: Dataset, refused: dict[str, Refusal]) -> list[Task]:
        """Tasks for the contexts that are too long for one.

        Args:
            refused: questions that no task can carry; those whose context is cut here are taken out.
        """
        tasks: list[Task] = []
        for passage in dataset.passages:
            long = [q for q in passage.questions if q.id in refused and _is_size(refused[q.id], "context")]
            for question in long:
                del refused[question.id]
            questions = [Question(q.id, q.text) for q in long]
            tasks += self._cut(f"p{passage.index:05d}", passage.context, questions, self._size)
        return tasks

    def is_piece(self, task_id: str) -> bool:
        """Whether a task was made here."""
        return task_id in self._texts

    def take(self, task: Task, result: TaskResult) -> tuple[TaskResult | None, list[Task]]:
        """Take in the result of a task.

        Returns:
            The result of whole contexts that this makes final, if any, and tasks to ask now.
        """
        text, piece = self._texts.get(task.id) or (_whole(task), 0)
        text.results[piece] = result
        if len(text.results) < len(text.pieces):
            return None, []
        final: list[QuestionResult] = []
        fewer: list[Question] = []
        smaller: list[Question] = []
        for number, question in enumerate(text.questions):
            outcome = self._outcome(text, number)
            if outcome.error and self._has_too_many(text, outcome.error):
                fewer.append(question)
            elif outcome.error and self._is_too_long(text, outcome.error):
                smaller.append(question)
            else:
                final.append(outcome)
        tasks = [*self._cut(text.name, text.context, fewer, None)]
        tasks += self._cut(text.name, text.context, smaller, self._next_size(text))
        return (replace(result, id=text.name, questions=tuple(final)) if final else None), tasks

    def _cut(
        self, name: str, context: str, questions: Sequence[Question], size: int | None
    ) -> Iterator[Task]:
        pieces = ((0, len(context)),) if size is None else cut(context, size, min(OVERLAP_BYTES, size // 4))
        for group in range(0, len(questions), _QUESTIONS):
            few = tuple(questions[group : group + _QUESTIONS])
            text = _Text(f"{name}.{size or 'w'}-{group}", context, few, pieces, size)
            for number, (start, end) in enumerate(pieces):
                task = self._make(id=f"{text.name}-{number}", context=context[start:end], questions=few)
                self._texts[task.id] = (text, number)
                yield task

    def _has_too_many(self, text: _Text, error: Refusal) -> bool:
        """Whether all questions together are too many windows for a task."""
        return text.size is None and _is_size(error, "questions") and len(text.questions) > _QUESTIONS

    def _is_too_long(self, text: _Text, error: Refusal) -> bool:
        """Whether a question is too many windows, and there are smaller pieces."""
        return _is_size(error, "context") and self._next_size(text) >= MIN_PIECE_BYTES

    def _next_size(self, text: _Text) -> int:
        return self._size if text.size is None else text.size // 2

    def _outcome(self, text: _Text, number: int) -> QuestionResult:
        """What all pieces say of a question: their answer, or the first error."""
        found = [text.results[piece].questions[number] for piece in range(len(text.pieces))]
        answers = [question.answer for question in found if question.answer is not None]
        if len(answers) < len(found):
            return next(question for question in found if question.answer is None)
        return QuestionResult(found[0].id, answer=joined(text.context, text.pieces, answers, self._n_best))


def cut(context: str, size: int, overlap: int) -> tuple[Piece, ...]:
    """Pieces of at most `size` bytes of UTF-8 that share about `overlap` bytes with their neighbours."""
    pieces: list[Piece] = []
    start = end = 0
    while end < len(context):
        end = start + len(context[start : start + size].encode()[:size].decode(errors="ignore"))
        if context[start:end].strip():
            pieces.append((start, end))
        start = max(start + 1, end - len(context[start:end].encode()[-overlap:].decode(errors="ignore")))
    return tuple(pieces)


def joined(context: str, pieces: Sequence[Piece], answers: Sequence[Answer], n_best: int) -> Answer:
    """The answer of a whole context from those of its pieces."""
    if len(pieces) == 1:
        return answers[0]
    middles = [(after[0] + before[1]) // 2 for before, after in pairwise(pieces)]
    found: dict[Piece, float] = {}
    for (start, _), answer, low, high in zip(
        pieces, answers, [0, *middles], [*middles, len(context) + 1], strict=True
    ):
        for first, last, score in zip(
            answer.n_best.starts, answer.n_best.ends, answer.n_best.scores, strict=True
        ):
            if low <= start + first < high:
                found[start + first, start + last] = score
    if not found:  # every candidate lies where the neighbour should have had it
        start, answer = max(
            ((piece[0], answer) for piece, answer in zip(pieces, answers, strict=True)),
            key=lambda pair: pair[1].best.score,
        )
        found[start + answer.best.start, start + answer.best.end] = answer.best.score
    rows = sorted(found.items(), key=lambda row: (-row[1], row[0]))[:n_best]
    (start, end), score = rows[0]
    return Answer(
        best=Span(context[start:end], start, end, score),
        n_best=NBest(
            tuple(first for (first, _), _ in rows),
            tuple(last for (_, last), _ in rows),
            tuple(score for _, score in rows),
        ),
        no_answer_score=min(answer.no_answer_score for answer in answers),
        windows=sum(answer.windows for answer in answers),
        question_truncated=any(answer.question_truncated for answer in answers),
    )


def _whole(task: Task) -> _Text:
    return _Text(task.id, task.context, task.questions, ((0, len(task.context)),), None)


def _is_size(error: Refusal, field: str) -> bool:
    return error.code is ErrorCode.OUT_OF_RANGE and error.field == field

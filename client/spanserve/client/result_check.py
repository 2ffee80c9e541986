"""What a worker sends is checked before it is used: a wrong result is an error of its task, and of nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from spanserve.contract import Answer, ErrorCode, NBest, QuestionResult, Refusal, Task, TaskResult
from spanserve.contract.limits import MAX_ERROR_CHARS, MAX_N_BEST


def checked(task: Task, result: TaskResult | None) -> TaskResult:
    """The result, if it is one of this task with every question once and in order; an error in its place if not.

    A question whose answer cannot be right gets an error, its siblings keep theirs.

    Args:
        result: None for one that cannot be read.
    """
    if result is None or (result.id, _ids(result)) != (task.id, _ids(task)):
        worker = f"worker {result.worker}" if result is not None else "a worker"
        return TaskResult.refused(task, _wrong(f"{worker} left something that is not a result of the task"))
    questions = [_checked(task.context, question) for question in result.questions]
    if all(new is old for new, old in zip(questions, result.questions, strict=True)):
        return result
    return replace(result, questions=tuple(questions))


def _checked(context: str, question: QuestionResult) -> QuestionResult:
    if question.answer is not None:
        fault = _fault(context, question.answer)
        return (
            QuestionResult(question.id, error=_wrong(f"the worker's answer {fault}")) if fault else question
        )
    error = question.error
    assert error is not None
    if max(map(len, (error.message, error.field, error.value, error.limit))) <= MAX_ERROR_CHARS:
        return question
    texts = {name: getattr(error, name)[:MAX_ERROR_CHARS] for name in ("message", "field", "value", "limit")}
    return QuestionResult(question.id, error=replace(error, **texts))


def _fault(context: str, answer: Answer) -> str:
    """What is wrong with an answer; empty: nothing."""
    best, found = answer.best, answer.n_best
    if not _inside(context, (best.start,), (best.end,)):
        return f"is outside the context: {best.start} to {best.end} of {len(context)}"
    if context[best.start : best.end] != best.text:
        return f"is not the text of the context from {best.start} to {best.end}"
    if not all(map(math.isfinite, (best.score, answer.no_answer_score, *found.scores))):
        return "has a score that is not a number"
    return _fault_of_columns(context, found)


def _fault_of_columns(context: str, found: NBest) -> str:
    lengths = {len(found.starts), len(found.ends), len(found.scores)}
    if len(lengths) > 1:
        return f"has n-best columns of {', '.join(map(str, sorted(lengths)))} rows"
    if max(lengths) > MAX_N_BEST:
        return f"has {max(lengths)} n-best rows, limit {MAX_N_BEST}"
    if not _inside(context, found.starts, found.ends):
        return "has an n-best span outside the context"
    return ""


def _inside(context: str, starts: Sequence[int], ends: Sequence[int]) -> bool:
    return all(0 <= start <= end <= len(context) for start, end in zip(starts, ends, strict=True))


def _wrong(message: str) -> Refusal:
    return Refusal(ErrorCode.INTERNAL, message)


def _ids(of: Task | TaskResult) -> list[str]:
    return [question.id for question in of.questions]

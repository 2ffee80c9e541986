"""Passages as tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from spanserve.contract import Options, Question, Refusal, Task, limits
from spanserve.squad.passage import DatasetQuestion, Passage

#: Bytes of a task left for everything but context and questions: ids, options, field tags.
_TASK_OVERHEAD_BYTES = 1024
#: Bytes that a question adds on the wire besides its id and text: tags and lengths.
_QUESTION_OVERHEAD_BYTES = 16


def make_tasks(
    passages: Iterable[Passage], run_id: str, options: Options, timeout_ms: int | None
) -> tuple[list[Task], dict[str, Refusal]]:
    """See `Dataset.tasks`."""
    Task(id="p", context="c", questions=(Question("q", "q"),), run_id=run_id, timeout_ms=timeout_ms)
    tasks: list[Task] = []
    refused: dict[str, Refusal] = {}
    for passage in passages:
        name = f"p{passage.index:05d}"
        make = partial(Task, context=passage.context, run_id=run_id, options=options, timeout_ms=timeout_ms)
        accepted: list[Question] = []
        for entry in passage.questions:
            try:
                accepted.append(_sendable(entry, make))
            except Refusal as refusal:
                refused[entry.id] = refusal.with_traceback(None)
        groups = _groups(passage.context, accepted)
        for number, group in enumerate(groups, 1):
            tasks.append(make(id=name if len(groups) == 1 else f"{name}.{number}", questions=group))
    return tasks, refused


def _sendable(entry: DatasetQuestion, make: Callable[..., Task]) -> Question:
    """The question, if it can be asked and its passage can carry it.

    Raises:
        Refusal: it cannot.
    """
    if entry.fault:
        raise Refusal.invalid("data set", entry.fault)
    question = Question(entry.id, entry.text)
    if fault := question.fault():
        raise fault
    make(id="p", questions=(question,))
    return question


def _groups(context: str, questions: list[Question]) -> list[tuple[Question, ...]]:
    """Questions in order, divided so that each group fits one task."""
    groups: list[list[Question]] = []
    free = 0
    for question in questions:
        size = len(question.id.encode()) + len(question.text.encode()) + _QUESTION_OVERHEAD_BYTES
        if not groups or len(groups[-1]) == limits.MAX_QUESTIONS or size > free:
            groups.append([])
            free = limits.MAX_TASK_BYTES - _TASK_OVERHEAD_BYTES - len(context.encode())
        groups[-1].append(question)
        free -= size
    return [tuple(group) for group in groups]

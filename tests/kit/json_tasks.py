"""Tasks and results as JSON, from the side of a client over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from spanserve.contract import (
    Answer,
    ErrorCode,
    NBest,
    QuestionResult,
    Refusal,
    Span,
    Task,
    TaskResult,
    Timing,
)


def task_to_json(task: Task) -> dict[str, Any]:
    """The body of a task."""
    content = {
        "id": task.id,
        "context": task.context,
        "questions": [asdict(question) for question in task.questions],
        "options": asdict(task.options),
        "priority": task.priority.name.lower(),
        "timeout_ms": task.timeout_ms,
    }
    return {**content, **({"tenant": task.tenant} if task.tenant else {})}


def result_from_json(content: Mapping[str, Any]) -> TaskResult:
    """The result that a body or a line holds."""
    return TaskResult(
        id=content["id"],
        questions=tuple(map(_question, content["questions"])),
        timing=Timing(**content["timing"]),
        worker=content["worker"],
        model_digest=content["model_digest"],
    )


def refusal_from_json(content: Mapping[str, Any]) -> Refusal:
    """The refusal that an error is."""
    return Refusal(**{**content, "code": ErrorCode[content["code"]]})


def _question(content: Mapping[str, Any]) -> QuestionResult:
    if "error" in content:
        return QuestionResult(content["id"], error=refusal_from_json(content["error"]))
    found = content["n_best"]
    columns = {name: tuple(span[name] for span in found) for name in ("start", "end", "score")}
    answer = Answer(
        best=Span(*(content[name] for name in ("text", "start", "end", "score"))),
        n_best=NBest(columns["start"], columns["end"], columns["score"]),
        no_answer_score=content["no_answer_score"],
        windows=content["windows"],
        question_truncated=content["question_truncated"],
    )
    return QuestionResult(content["id"], answer=answer)

"""A result as a line of a ledger."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from spanserve.client.error_json import error_from_json, error_to_json
from spanserve.contract import Answer, NBest, QuestionResult, Refusal, Span, TaskResult, Timing

#: What reading a line that something else has written raises.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, AssertionError, Refusal)


def result_to_line(result: TaskResult) -> bytes:
    """A result as one line of JSON."""
    content = {
        "id": result.id,
        "run_id": result.run_id,
        "worker": result.worker,
        "model_digest": result.model_digest,
        "attempt": result.attempt,
        "timing": asdict(result.timing),
        "questions": [_question_to_json(question) for question in result.questions],
    }
    return json_line(content)


def result_from_line(line: bytes) -> TaskResult:
    """The result that `result_to_line` wrote, equal in every field.

    Raises:
        ValueError: the line holds none.
    """
    try:
        content = json.loads(line)
        questions = tuple(_question_from_json(entry) for entry in content.pop("questions"))
        return TaskResult(**(content | {"timing": Timing(**content["timing"]), "questions": questions}))
    except MALFORMED as error:
        raise ValueError(f"no result: {error!r}") from None


def json_line(content: dict[str, Any]) -> bytes:
    """A JSON object as one line."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _question_to_json(question: QuestionResult) -> dict[str, Any]:
    if question.error is not None:
        return {"id": question.id, "error": error_to_json(question.error)}
    answer = question.answer
    assert answer is not None
    return {
        "id": question.id,
        **asdict(answer.best),
        "no_answer_score": answer.no_answer_score,
        "windows": answer.windows,
        "question_truncated": answer.question_truncated,
        "n_best": {
            "starts": list(answer.n_best.starts),
            "ends": list(answer.n_best.ends),
            "scores": list(answer.n_best.scores),
        },
    }


def _question_from_json(entry: dict[str, Any]) -> QuestionResult:
    if "error" in entry:
        return QuestionResult(entry["id"], error=error_from_json(entry["error"]))
    columns = entry["n_best"]
    answer = Answer(
        best=Span(entry["text"], entry["start"], entry["end"], entry["score"]),
        n_best=NBest(tuple(columns["starts"]), tuple(columns["ends"]), tuple(columns["scores"])),
        no_answer_score=entry["no_answer_score"],
        windows=entry["windows"],
        question_truncated=entry["question_truncated"],
    )
    return QuestionResult(entry["id"], answer=answer)

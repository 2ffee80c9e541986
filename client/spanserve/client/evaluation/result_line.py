"""A result as a line of a ledger."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from spanserve.contract import Answer, NBest, QuestionResult, Refusal, Span, TaskResult, Timing
from spanserve.contract.error_json import error_from_json, error_to_json

#: Characters of a reason that are shown.
MAX_REASON = 200
#: What reading a line that something else has written raises.
MALFORMED = (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError, Refusal)


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
        content = json.loads(line, object_hook=_without_null)
        questions = tuple(_question_from_json(entry) for entry in content.pop("questions"))
        result = TaskResult(**(content | {"timing": Timing(**content["timing"]), "questions": questions}))
        result.to_proto()  # for which every value must be of its type
        return result
    except MALFORMED as error:
        raise ValueError(f"no result: {type(error).__name__}: {str(error)[:MAX_REASON]}") from None


def json_line(content: dict[str, Any]) -> bytes:
    """A JSON object as one line."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _without_null(content: dict[str, Any]) -> dict[str, Any]:
    """The object: no line is written with a null in it, and a message takes one for "not given"."""
    if None in content.values():
        raise ValueError("a value is null")
    return content


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
    assert len(columns["starts"]) == len(columns["ends"]) == len(columns["scores"]), "n-best columns differ"
    answer = Answer(
        best=Span(entry["text"], entry["start"], entry["end"], entry["score"]),
        n_best=NBest(tuple(columns["starts"]), tuple(columns["ends"]), tuple(columns["scores"])),
        no_answer_score=entry["no_answer_score"],
        windows=entry["windows"],
        question_truncated=entry["question_truncated"],
    )
    return QuestionResult(entry["id"], answer=answer)

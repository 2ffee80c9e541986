"""Answers of a data set as a file: what `spanserve predict` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from spanserve.client.evaluation.output import NO_RESULT, write_answers, write_map, write_text
from spanserve.client.evaluation.results import Results
from spanserve.contract.error_json import error_to_json
from spanserve.squad import Dataset

#: Suffixes of single files; any other name is that of a folder with both and more.
SUFFIXES: Final = (".json", ".jsonl")


def write_predictions(
    target: Path, dataset: Dataset, results: Results, no_answer_threshold: float | None
) -> None:
    """Write answers.

    NAME.json    question id -> text, as the official scripts read it
    NAME.jsonl   a line for each question, with place and score or the error
    a folder     predictions.json, predictions.jsonl, nbest.json, and errors.json if there are any

    Args:
        no_answer_threshold: odds of "no answer" above it make the text empty; None: there is always a text.

    Raises:
        OutputError: it cannot be written.
    """
    texts = results.predictions(no_answer_threshold)
    if target.suffix == ".json":
        write_map(target, texts)
    elif target.suffix == ".jsonl":
        write_text(target, "".join(_lines(dataset, results, texts)))
    else:
        write_answers(target, dataset, results, texts)
        write_text(target / "predictions.jsonl", "".join(_lines(dataset, results, texts)))


def _lines(dataset: Dataset, results: Results, texts: dict[str, str]) -> Iterator[str]:
    answers, errors = results.answers, results.errors
    questions = {question.id: question.text for _, question in dataset.questions()}
    for name in results.expected:
        line: dict[str, Any] = {"id": name, "question": questions.get(name)}
        if name in answers:
            best = answers[name].best
            line |= {"text": texts[name], "start": best.start, "end": best.end, "score": best.score}
            line["no_answer_score"] = answers[name].no_answer_score
        else:
            line["error"] = error_to_json(errors[name]) if name in errors else NO_RESULT
        yield json.dumps(line, ensure_ascii=False) + "\n"

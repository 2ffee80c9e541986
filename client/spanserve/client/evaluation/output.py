"""The output folder of a run, each file written whole or not at all.

predictions.json   question id -> text, "" for "no answer"; what the official scripts read
nbest.json         question id -> candidates with text, place, score and probability
null_odds.json     question id -> score of "no answer" minus score of the best span (v2.0 only)
scores.json        the official form
questions.csv      a row for each question, see `spanserve.client.report.table`
errors.json        question id -> why it has no answer (only if any has none)
run.json           when and by what command it was asked for, and of which workers
ledger.jsonl       see `spanserve.client.evaluation.ledger`
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from spanserve.client.errors import OutputError
from spanserve.client.evaluation.results import Results
from spanserve.client.scores import Metric, Scores, score_run
from spanserve.contract import Answer
from spanserve.contract.error_json import error_to_json
from spanserve.squad import Dataset

#: Stands in errors.json for a question that no worker answered.
NO_RESULT: Final = {"code": "NO_RESULT", "message": "the run ended before a worker returned a result"}


def write_output(
    folder: Path,
    dataset: Dataset,
    results: Results,
    *,
    no_answer_threshold: float = 0.0,
    metric: Metric | None = None,
) -> Scores:
    """Score `results` and write every file but the ledger; files that do not apply are removed.

    Raises:
        OutputError: the folder or a file in it cannot be written.
    """
    with_null = dataset.has_null_answers
    null_odds = results.null_odds() if with_null else None
    scores = score_run(
        dataset, results.predictions(), null_odds, no_answer_threshold=no_answer_threshold, metric=metric
    )
    write_answers(folder, dataset, results, results.predictions(no_answer_threshold if with_null else None))
    write_map(folder / "null_odds.json", null_odds)
    write_scores(folder, scores)
    return scores


def write_scores(folder: Path, scores: Scores) -> None:
    """Write scores in the official form.

    Raises:
        OutputError: it cannot be written.
    """
    write_text(folder / "scores.json", json.dumps(scores.to_json(), indent=1) + "\n")


def write_answers(folder: Path, dataset: Dataset, results: Results, texts: Mapping[str, str]) -> None:
    """Write what does not depend on gold answers.

    Args:
        texts: question id -> what counts as its answer.

    Raises:
        OutputError: the folder or a file in it cannot be written.
    """
    contexts = {question.id: passage.context for passage, question in dataset.questions()}
    errors: dict[str, object] = {name: error_to_json(error) for name, error in results.errors.items()}
    errors |= dict.fromkeys(results.missing(), NO_RESULT)
    make_folder(folder)
    write_map(folder / "predictions.json", texts)
    write_map(folder / "nbest.json", {n: _nbest(a, contexts[n]) for n, a in results.answers.items()})
    write_map(folder / "errors.json", errors or None)


def make_folder(folder: Path) -> None:
    """Make an output folder, unless it is there.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"folder {folder} cannot be made: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old content or the new, never a part.

    Raises:
        OutputError: it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _nbest(answer: Answer, context: str) -> list[dict[str, str | int | float]]:
    n_best = answer.n_best
    return [
        {"text": context[start:end], "start": start, "end": end, "score": score, "probability": probability}
        for start, end, score, probability in zip(
            n_best.starts, n_best.ends, n_best.scores, n_best.probabilities, strict=True
        )
    ]


def write_map(path: Path, content: Mapping[str, object] | None) -> None:
    """Write a JSON object with one question a line; None removes what an earlier run left."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    lines = (
        f"{json.dumps(name, ensure_ascii=False)}: {json.dumps(value, ensure_ascii=False)}"
        for name, value in content.items()
    )
    write_text(path, "{\n" + ",\n".join(lines) + "\n}\n")

"""The questions of a run as a table in CSV: for spreadsheets, and for comparing two runs."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from spanserve.client.errors import OutputError
from spanserve.client.evaluation.output import write_text
from spanserve.client.evaluation.results import Results
from spanserve.client.report.breakdown import question_type
from spanserve.client.scores import Scores
from spanserve.squad import Dataset

#: Its name in an output folder.
TABLE_NAME: Final = "questions.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """One question, as it stands in the table; a column for each field."""

    id: str
    #: Of the passage, from 0; questions about one passage are not independent samples.
    passage: int
    title: str
    type: str
    question: str
    #: "" for "no answer", and where there is none.
    prediction: str
    #: JSON list.
    answers: str
    #: 0 to 1.
    exact: float
    f1: float
    #: Of the best span, and how much "no answer" scores above it; None where that is not known.
    score: float | None
    no_answer_odds: float | None
    #: The official script that it is scored by.
    metric: str
    #: Code of the error, if it has no answer.
    error: str


def write_table(
    path: Path,
    dataset: Dataset,
    scores: Scores,
    predictions: Mapping[str, str],
    results: Results | None = None,
) -> None:
    """Write a row for each question that is scored.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(QuestionRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in _rows(dataset, scores, predictions, results))
    write_text(path, text.getvalue())


def read_table(folder: Path) -> list[QuestionRow]:
    """The rows in an output folder.

    Raises:
        OutputError: there is no such table, or it is damaged.
    """
    path = folder / TABLE_NAME
    limit = csv.field_size_limit(sys.maxsize)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return [_row(cells) for cells in csv.DictReader(file)]
    except OSError as error:
        cure = "`spanserve eval --resume` or `spanserve score -o` writes it"
        raise OutputError(f"{path} cannot be read: {error.strerror}; {cure}") from None
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise OutputError(f"{path} is not a table of questions: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _rows(
    dataset: Dataset, scores: Scores, predictions: Mapping[str, str], results: Results | None
) -> Iterator[QuestionRow]:
    answers = results.answers if results else {}
    errors = results.errors if results else {}
    for passage, question in dataset.questions():
        name = question.id
        answer, error, reached = answers.get(name), errors.get(name), scores.questions[name]
        yield QuestionRow(
            id=name,
            passage=passage.index,
            title=passage.title,
            type=question_type(question.text),
            question=question.text,
            prediction=predictions.get(name, ""),
            answers=json.dumps(question.answers, ensure_ascii=False),
            exact=reached.exact,
            f1=reached.f1,
            score=answer.best.score if answer else None,
            no_answer_odds=answer.no_answer_score - answer.best.score if answer else None,
            metric=scores.metric.script,
            error=error.code.name if error else "" if name in predictions else "NO_RESULT",
        )


def _row(cells: dict[str, str]) -> QuestionRow:
    def number(name: str) -> float | None:
        return float(cells[name]) if cells[name] else None

    return QuestionRow(
        id=cells["id"],
        passage=int(cells["passage"]),
        title=cells["title"],
        type=cells["type"],
        question=cells["question"],
        prediction=cells["prediction"],
        answers=cells["answers"],
        exact=float(cells["exact"]),
        f1=float(cells["f1"]),
        score=number("score"),
        no_answer_odds=number("no_answer_odds"),
        metric=cells["metric"],
        error=cells["error"],
    )

"""`spanserve score`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve.client.commands.minimum import Minimum
from spanserve.client.commands.options import AllowErrors, Json, MetricName, ResultLine
from spanserve.client.commands.show import EXIT_INCOMPLETE, result_line
from spanserve.client.errors import PredictionsError
from spanserve.client.evaluation.foreign import read_odds, read_predictions
from spanserve.client.evaluation.output import make_folder, write_scores
from spanserve.client.report.table import TABLE_NAME, write_table
from spanserve.client.scores import ChosenMetric, Scores, score_run
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal
from spanserve.squad import Dataset, load_dataset

app = application()

_EXAMPLES = """\b
Examples:
  spanserve score dev-v1.1.json predictions.json
  spanserve score dev-v2.0.json predictions.json --null-odds null_odds.json --no-answer-threshold -1.5
  spanserve score cmrc2018_dev.json predictions.json --metric cmrc2018 --min-f1 80
  spanserve score dev-v1.1.json predictions.jsonl -o theirs && spanserve compare theirs ours
\b
Exit status: 0 scored, 1 questions have no prediction (0 with --allow-errors), 2 bad input, 3 a score is below
--min-f1 or --min-exact.
"""


@app.command("score", epilog=_EXAMPLES)
@grouped
def score(
    *,
    file: Annotated[Path, typer.Argument(help="Data set, as `spanserve eval` reads it.")],
    predictions: Annotated[
        Path, typer.Argument(help="Predictions of any program: question id to text, or lines of both.")
    ],
    null_odds: Annotated[
        Path | None,
        typer.Option(help='v2.0: question id to how likely "no answer" is, as for evaluate-v2.0.py.'),
    ] = None,
    no_answer_threshold: Annotated[
        float,
        typer.Option(
            help="v2.0: odds above this count as no answer; without --null-odds texts are taken as they are."
        ),
    ] = 0.0,
    metric: MetricName = None,
    minimum: Minimum,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for scores.json and questions.csv.")
    ] = None,
    allow_errors: AllowErrors = False,
    result_line_wanted: ResultLine = False,
    json_output: Json = False,
) -> None:
    """Score predictions made by any program. No worker is asked."""
    dataset = load_dataset(file)
    found = read_predictions(predictions)
    texts = found.texts
    chosen = ChosenMetric(metric)
    odds = read_odds(null_odds) if null_odds else found.no_answer if dataset.has_null_answers else None
    if odds is not None and (lacking := [name for name in texts if name not in odds]):
        raise PredictionsError(
            f"{null_odds} has no value for {len(lacking)} questions, the first of them {lacking[0]!r}"
        )
    scores = score_run(
        dataset, texts, odds, no_answer_threshold=no_answer_threshold, metric=chosen.of(dataset)
    )
    if output is not None:
        make_folder(output)
        write_scores(output, scores)
        write_table(output / TABLE_NAME, dataset, scores, texts)
    asked = [question.id for _, question in dataset.questions()]
    missing = [name for name in asked if name not in texts]
    unexpected = len(texts) - (len(asked) - len(missing))
    if result_line_wanted:
        result_line(scores)
    elif json_output:
        content = {"metric": chosen.of(dataset).name, "missing": len(missing), "unexpected": unexpected}
        content["flaws"] = len(dataset.flaws)
        sys.stdout.write(json.dumps({**scores.to_json(), **content}) + "\n")
    else:
        _show(dataset, scores, chosen, len(missing), unexpected)
    for flaw in dataset.flaws:
        Terminal(stderr=True).print(f"not scored: {flaw.message}", soft_wrap=True)
    if (missing or dataset.flaws) and not allow_errors:
        raise typer.Exit(EXIT_INCOMPLETE)
    minimum.check(scores.overall)


def _show(dataset: Dataset, scores: Scores, chosen: ChosenMetric, missing: int, unexpected: int) -> None:
    table = Rows()
    table.add_row("questions", f"{scores.overall.total}, {missing} of them without a prediction")
    table.add_row("exact", f"{scores.overall.exact:.2f}")
    table.add_row("F1", f"{scores.overall.f1:.2f}")
    for name, part in (("with an answer", scores.has_answer), ("without", scores.no_answer)):
        if part is not None and dataset.has_null_answers:
            table.add_row(name, f"exact {part.exact:.2f}, F1 {part.f1:.2f}, {part.total} questions")
    table.add_row(
        "metric", f"{chosen.of(dataset).name}: {chosen.of(dataset).script}, {chosen.reason(dataset)}"
    )
    if unexpected:
        table.add_row("warning", f"{unexpected} predictions are for questions that are not in the data set")
    for warning in (*dataset.notes, *chosen.warnings(dataset)):
        table.add_row("warning", warning)
    Terminal().print(table)

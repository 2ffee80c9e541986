"""`spanserve eval`."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.client.commands.options import AllowErrors, AnswerOptions, Json, MetricName, Workers
from spanserve.client.commands.transports import TransportOptions
from spanserve.client.evaluation.causes import causes
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.evaluation.results import Results
from spanserve.client.report import RunSummary
from spanserve.client.scores import ChosenMetric
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal
from spanserve.squad import load_dataset, parse_shard

app = application()

#: Exit status if a question has no answer, or, where that is allowed, no result at all.
EXIT_INCOMPLETE = 1

_EXAMPLES = """\b
Examples:
  spanserve eval -o out
  spanserve eval dev-v1.1.json --worker card1:50051 --worker card2:50051 -o out
  spanserve eval dev-v1.1.json --worker card1:50051 --shard 1/4 -o out-1
  spanserve eval dev-v1.1.json --worker card1:50051 -o out --resume
  spanserve eval validation.parquet --worker card1:50051 -o out
  spanserve eval dev-v1.1.json --redis redis://queue.internal:6379 --queue squad -o out
\b
Exit status: 0 every question has an answer, 1 some have none (with --allow-errors: no result at all), 2 bad input,
no worker or no Redis. Why a question has none stands in errors.json in the output folder, and on standard error.
"""


@app.command("eval", epilog=_EXAMPLES)
@grouped
def evaluate(
    context: typer.Context,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", envvar="SPANSERVE_OUTPUT", help="Folder for scores and report.")
    ],
    file: Annotated[
        Path | None,
        typer.Argument(
            help="Data set: SQuAD, or rows as JSON, JSONL, CSV or Parquet. Default: the built-in one."
        ),
    ] = None,
    worker: Workers = None,
    shard: Annotated[str, typer.Option(help="Only part I of N, as I/N; see `spanserve merge`.")] = "1/1",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the output folder.")
    ] = False,
    allow_errors: AllowErrors = False,
    no_answer_threshold: Annotated[
        float, typer.Option(help="v2.0: answer nothing if that scores this much better.")
    ] = 0.0,
    metric: MetricName = None,
    answers: AnswerOptions,
    transport: TransportOptions,
    json_output: Json = False,
) -> None:
    """Score a data set; docs/data-sets.md says what is read as one.

    Writes predictions.json, nbest.json, scores.json, report.html and the ledger of the run into the output
    folder, and errors.json if a question has no answer. A run that was interrupted goes on with --resume; what
    it had put into a queue is computed meanwhile.
    """
    console = Terminal(stderr=True)
    with contextlib.ExitStack() as stack:
        part = parse_shard(shard)
        dataset = load_dataset(file or demo.QUESTIONS)
        evaluation = Evaluation(
            dataset=dataset.shard(part.index, part.count) if part.count > 1 else dataset,
            connect=transport.maker(context, worker, stack),
            folder=output,
            options=answers.checked(),
            resume=resume,
            no_answer_threshold=no_answer_threshold,
            metric=ChosenMetric(metric),
        )
        summary = evaluation.run(console)
    show(summary, output, json_output)
    if not (summary.results.complete if allow_errors else summary.results.answered):
        raise typer.Exit(EXIT_INCOMPLETE)


def show_causes(results: Results, place: Path | None) -> None:
    """Say on standard error why questions have no answer, if any has none.

    Args:
        place: the file that has it for each of them.
    """
    if results.answered:
        return
    asked = len(results.expected)
    head = f"{asked - len(results.answers)} of {asked} questions without an answer"
    lines = [f"{head}, see {place}:" if place else f"{head}:", *causes(results)]
    Terminal(stderr=True).print("\n  ".join(lines), soft_wrap=True)


def show(summary: RunSummary, output: Path, json_output: bool) -> None:
    """Print the scores, for people or for programs."""
    results, rate = summary.results, summary.questions_per_second
    show_causes(results, output / "errors.json")
    if json_output:
        content = {
            **summary.scores.to_json(),
            "metric": summary.metric.name,
            "errors": len(results.errors),
            "missing": len(results.missing()),
            "seconds": summary.wall_seconds,
            "questions_per_second": rate,
            "useful_tokens": summary.padding.useful_tokens if summary.padding else None,
            "padded_tokens": summary.padding.padded_tokens if summary.padding else None,
            "output": str(output),
        }
        sys.stdout.write(json.dumps(content) + "\n")
        return
    table = Rows()
    table.add_row("questions", f"{len(results.answers)} answered, {len(results.errors)} refused or failed")
    table.add_row("exact", f"{summary.scores.overall.exact:.2f}")
    table.add_row("F1", f"{summary.scores.overall.f1:.2f}")
    if rate is not None:
        table.add_row("rate", f"{rate:.1f} questions/s over {summary.wall_seconds:.1f} s")
    if summary.padding:
        useful = summary.padding.useful_tokens / summary.padding.padded_tokens
        table.add_row("padding", f"{useful:.3f} of the tokens computed were useful")
    table.add_row("report", str(output / "report.html"))
    for warning in summary.warnings:
        table.add_row("warning", warning)
    Terminal().print(table)

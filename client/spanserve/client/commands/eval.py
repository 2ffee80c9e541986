"""`spanserve eval`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.client.commands.command_line import command_line
from spanserve.client.commands.conclusion import conclude
from spanserve.client.commands.minimum import Minimum
from spanserve.client.commands.options import (
    AllowErrors,
    AnswerOptions,
    Json,
    LongContextsOption,
    MetricName,
    ResultLine,
    Workers,
)
from spanserve.client.commands.resumable import resumable
from spanserve.client.commands.transports import TransportOptions
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.evaluation.long_contexts import LongContexts
from spanserve.client.scores import ChosenMetric
from spanserve.options import application, grouped
from spanserve.options.terminal import Terminal
from spanserve.squad import load_dataset, parse_shard

app = application()

_EXAMPLES = """\b
Examples:
  spanserve eval -o out
  spanserve eval dev-v1.1.json --worker card1:50051 --worker card2:50051 -o out
  spanserve eval dev-v1.1.json --worker card1:50051 --shard 1/4 -o out-1
  spanserve eval dev-v1.1.json --worker card1:50051 -o out --resume
  spanserve eval dev-v1.1.json --worker card1:50051 -o out --min-f1 87.1
  spanserve eval validation.parquet --worker card1:50051 -o out
  spanserve eval dev-v1.1.json --redis redis://queue.internal:6379 --queue squad -o out
\b
Exit status: 0 every question has an answer, 1 some have none (with --allow-errors: no result at all), 2 bad input,
no worker or no Redis, 3 a score is below --min-f1 or --min-exact. The reasons are in errors.json in the
output folder, and on standard error.
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
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the output folder.")] = False,
    allow_errors: AllowErrors = False,
    no_answer_threshold: Annotated[
        float, typer.Option(help='v2.0: give no answer if "no answer" scores this much better.')
    ] = 0.0,
    metric: MetricName = None,
    minimum: Minimum,
    result_line_wanted: ResultLine = False,
    long_contexts: LongContextsOption = LongContexts.REFUSE,
    answers: AnswerOptions,
    transport: TransportOptions,
    json_output: Json = False,
) -> None:
    """Score a data set; docs/data-sets.md lists the formats.

    Writes predictions.json, nbest.json, scores.json, questions.csv, report.html and the ledger of the run into the
    output folder, and errors.json if a question has no answer. --resume continues a run that was interrupted;
    what it had put into a queue is computed meanwhile.
    """
    console = Terminal(stderr=True)
    with contextlib.ExitStack() as stack:
        part = parse_shard(shard)
        options = answers.checked()
        chosen = ChosenMetric(metric)
        dataset = load_dataset(file or demo.QUESTIONS)
        chosen.of(dataset)  # which also asks for it, before a worker is started
        evaluation = Evaluation(
            dataset=dataset.shard(part.index, part.count) if part.count > 1 else dataset,
            connect=transport.maker(context, worker, stack),
            folder=output,
            options=options,
            resume=resume,
            long_contexts=long_contexts,
            command=command_line(),
            no_answer_threshold=no_answer_threshold,
            metric=chosen,
        )
        stack.enter_context(resumable(output))
        summary = evaluation.run(console)
    conclude(
        summary,
        output,
        minimum=minimum,
        allow_errors=allow_errors,
        result_line_wanted=result_line_wanted,
        json_output=json_output,
    )

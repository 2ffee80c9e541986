"""`spanserve predict`."""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from spanserve.client.commands.command_line import command_line
from spanserve.client.commands.options import AllowErrors, AnswerOptions, Json, LongContextsOption, Workers
from spanserve.client.commands.resumable import resumable
from spanserve.client.commands.show import EXIT_INCOMPLETE, show_causes
from spanserve.client.commands.transports import TransportOptions
from spanserve.client.errors import OutputError
from spanserve.client.evaluation.evaluation import Evaluation
from spanserve.client.evaluation.long_contexts import LongContexts
from spanserve.client.evaluation.predictions import SUFFIXES, write_predictions
from spanserve.options import application, grouped
from spanserve.options.terminal import Rows, Terminal
from spanserve.squad import load_dataset

app = application()

_EXAMPLES = """\b
Examples:
  spanserve predict test.json -o predictions.json
  spanserve predict test.jsonl --worker card1:50051 -o answers.jsonl
  spanserve predict test.parquet --worker card1:50051 -o out
  spanserve predict test.parquet --worker card1:50051 -o out --resume
\b
OUT is a file NAME.json (question id to text) or NAME.jsonl (a line for each question, with place, scores or error), or
else a folder with both, nbest.json, errors.json and a ledger, with which a run that was cut off can be continued.
A file that holds something is not overwritten.
\b
Exit status: 0 every question has an answer, 1 some have none (with --allow-errors: no result at all), 2 bad input,
no worker or no Redis.
"""


@app.command("predict", epilog=_EXAMPLES)
@grouped
def predict(
    context: typer.Context,
    *,
    file: Annotated[
        Path, typer.Argument(help="Passages and questions, as `spanserve eval` reads them; needs no answers.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", envvar="SPANSERVE_OUTPUT", help="NAME.json, NAME.jsonl or a folder."),
    ],
    worker: Workers = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in the output folder.")] = False,
    allow_errors: AllowErrors = False,
    no_answer_threshold: Annotated[
        float | None,
        typer.Option(help='Give no answer if "no answer" scores this much better. Default: never.'),
    ] = None,
    long_contexts: LongContextsOption = LongContexts.REFUSE,
    answers: AnswerOptions,
    transport: TransportOptions,
    json_output: Json = False,
) -> None:
    """Answer the questions of a file; gold answers are not needed, and are ignored if present."""
    alone = output.suffix in SUFFIXES
    if alone and resume:
        raise OutputError(f"{output} is a file, and --resume needs a folder as output, for its ledger")
    if alone and output.exists() and output.stat().st_size:
        raise OutputError(f"{output} exists: choose another output file, or remove it")
    with contextlib.ExitStack() as stack:
        options = answers.checked()
        dataset = load_dataset(file, answers=False)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) if alone else output
        evaluation = Evaluation(
            dataset=dataset,
            connect=transport.maker(context, worker, stack),
            folder=folder,
            options=options,
            resume=resume,
            long_contexts=long_contexts,
            command=command_line(),
        )
        stack.enter_context(resumable(None if alone else output))
        collected = evaluation.collect(Terminal(stderr=True))
        results = collected.results
        write_predictions(output, dataset, results, no_answer_threshold)
    count = len(results.answers)
    show_causes(results, None if alone else output / "errors.json")
    if json_output:
        content = {"answered": count, "errors": len(results.errors), "missing": len(results.missing())}
        sys.stdout.write(json.dumps(content | {"output": str(output)}) + "\n")
    else:
        table = Rows()
        table.add_row("questions", f"{count} answered, {len(results.errors)} refused or failed")
        table.add_row("output", str(output))
        for warning in (*dataset.notes, *collected.warnings):
            table.add_row("warning", warning)
        Terminal().print(table)
    if not (results.complete if allow_errors else results.answered):
        raise typer.Exit(EXIT_INCOMPLETE)

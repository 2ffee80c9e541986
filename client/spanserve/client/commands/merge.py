"""`spanserve merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spanserve import demo
from spanserve.client.commands.conclusion import conclude
from spanserve.client.commands.minimum import Minimum
from spanserve.client.commands.options import AllowErrors, Json, MetricName, ResultLine
from spanserve.client.evaluation.merge import merge as merge_folders
from spanserve.client.report import RunSummary, write_report
from spanserve.client.scores import ChosenMetric
from spanserve.options import application, grouped

app = application()

_EXAMPLES = """\b
Examples:
  spanserve merge out-1 out-2 --dataset dev-v1.1.json -o out
  spanserve merge out-1 out-2 --dataset dev-v1.1.json -o out --min-f1 87.1
\b
Exit status: 0 merged, every question has an answer, 1 some have none (with --allow-errors: no result at all), 2 the
folders are not the shards of one run, or bad input, 3 a score is below --min-f1 or --min-exact.
"""


@app.command("merge", epilog=_EXAMPLES)
@grouped
def merge(
    *,
    folders: Annotated[list[Path], typer.Argument(help="Output folders of all shards.")],
    dataset: Annotated[
        Path | None, typer.Option(help="The data set the shards were cut from. Default: the built-in one.")
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for scores and report.")],
    metric: MetricName = None,
    json_output: Json = False,
    allow_errors: AllowErrors = False,
    minimum: Minimum,
    result_line_wanted: ResultLine = False,
) -> None:
    """Put the outputs of `spanserve eval --shard I/N` together and score them as one run."""
    merged = merge_folders(dataset or demo.QUESTIONS, folders, output, ChosenMetric(metric))
    summary = RunSummary(
        dataset=merged.dataset,
        results=merged.results,
        scores=merged.scores,
        options=merged.header.options,
        no_answer_threshold=merged.header.no_answer_threshold,
        metric_reason=merged.metric_reason,
        sessions=merged.sessions,
        one_clock=False,
        warnings=merged.warnings,
    )
    write_report(output, summary)
    conclude(
        summary,
        output,
        minimum=minimum,
        allow_errors=allow_errors,
        result_line_wanted=result_line_wanted,
        json_output=json_output,
    )

"""`spanserve merge`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spanserve.client.commands.options import Json, MetricName
from spanserve.client.commands.show import EXIT_INCOMPLETE, show
from spanserve.client.evaluation.merge import merge as merge_folders
from spanserve.client.report import RunSummary, write_report
from spanserve.client.scores import ChosenMetric
from spanserve.options import application

app = application()

_EXAMPLES = """\b
Examples:
  spanserve merge out-1 out-2 --dataset dev-v1.1.json -o out
\b
Exit status: 0 merged, 1 questions are missing, 2 the folders are not the shards of one run.
"""


@app.command("merge", epilog=_EXAMPLES)
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Output folders of all shards.")],
    dataset: Annotated[Path, typer.Option(help="The data set the shards were cut from.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for scores and report.")],
    metric: MetricName = None,
    json_output: Json = False,
) -> None:
    """Put the outputs of `spanserve eval --shard I/N` together and score them as one run."""
    merged = merge_folders(dataset, folders, output, ChosenMetric(metric))
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
    show(summary, output, json_output)
    if not merged.results.complete:
        raise typer.Exit(EXIT_INCOMPLETE)

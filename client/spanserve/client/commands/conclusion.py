"""How a command ends that scored answers of workers: what it prints, and its exit status."""

from __future__ import annotations

from pathlib import Path

import typer

from spanserve.client.commands.minimum import Minimum
from spanserve.client.commands.show import EXIT_INCOMPLETE, result_line, show, show_causes
from spanserve.client.report import RunSummary


def conclude(
    summary: RunSummary,
    output: Path,
    *,
    minimum: Minimum,
    allow_errors: bool,
    result_line_wanted: bool,
    json_output: bool,
) -> None:
    """Print the scores, and exit with an error if answers are missing or scores too low.

    Args:
        output: the folder with errors.json and the report.
        allow_errors: only a question without any result is missing.

    Raises:
        typer.Exit: with 1, a question has no answer; with 3, a score is below the minimum.
    """
    if result_line_wanted:
        show_causes(summary.results, output / "errors.json")
        result_line(summary.scores)
    else:
        show(summary, output, json_output)
    if not (summary.results.complete if allow_errors else summary.results.answered):
        raise typer.Exit(EXIT_INCOMPLETE)
    minimum.check(summary.scores.overall)

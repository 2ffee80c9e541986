"""`spanserve compare`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from spanserve.client.commands.options import Json
from spanserve.client.report.comparison import Comparison, write_comparison
from spanserve.options import application
from spanserve.options.terminal import Rows, Terminal

app = application()

_EXAMPLES = """\b
Examples:
  spanserve compare out-float32 out-int8
  spanserve compare out-float32 out-int8 -o compare.html
  spanserve score dev-v1.1.json theirs.json -o theirs && spanserve compare theirs out
\b
Better and worse count questions by F1. The 95 % interval of the change of F1 comes from drawing passages with their
questions; McNemar's exact test looks at the exact matches that were won and lost.
\b
Exit status: 0 compared, 2 a folder has no questions.csv, or they have no question in common.
"""


@app.command("compare", epilog=_EXAMPLES)
def compare(
    before: Annotated[Path, typer.Argument(help="Output folder of `spanserve eval`, `merge` or `score`.")],
    after: Annotated[Path, typer.Argument(help="Another, over the same questions.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the comparison as HTML.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Show what got better and what got worse from one run to another."""
    comparison = Comparison.of(before, after)
    if output is not None:
        write_comparison(output, comparison)
    changes = [*comparison.types, comparison.overall]
    if json_output:
        content = {
            "types": {change.name: asdict(change) for change in changes},
            "exact_won": comparison.exact_flips[0],
            "exact_lost": comparison.exact_flips[1],
            "p_value": comparison.p_value,
            "f1_interval": comparison.interval,
            "only_before": comparison.only_before,
            "only_after": comparison.only_after,
            "warnings": comparison.warnings,
        }
        sys.stdout.write(json.dumps(content) + "\n")
        return
    table = Rows("type", "questions ", "exact ", "to ", "F1 ", "to ", "change ", "better ", "worse ")
    for change in changes:
        scores = (*change.exact, *change.f1)
        table.add_row(
            change.name,
            f"{change.total}",
            *(f"{score:.2f}" for score in scores),
            f"{change.f1[1] - change.f1[0]:+.2f}",
            f"{change.better}",
            f"{change.worse}",
        )
    terminal = Terminal()
    terminal.print(table)
    low, high = comparison.interval
    won, lost = comparison.exact_flips
    terminal.print(f"F1 changes by {low:+.2f} to {high:+.2f} (95 % interval, over passages)", soft_wrap=True)
    terminal.print(
        f"exact matches: {won} won, {lost} lost, {comparison.p_shown} (McNemar, exact)", soft_wrap=True
    )
    for warning in comparison.warnings:
        terminal.print(f"warning: {warning}", soft_wrap=True)

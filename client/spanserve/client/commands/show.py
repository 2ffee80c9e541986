"""What commands print of a finished run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

from spanserve.client.evaluation.causes import causes
from spanserve.client.evaluation.results import Results
from spanserve.client.report import RunSummary
from spanserve.client.scores import Scores
from spanserve.options.terminal import Rows, Terminal

#: Exit status if a question has no answer, or, where that is allowed, no result at all.
EXIT_INCOMPLETE: Final = 1


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


def result_line(scores: Scores) -> None:
    """Print scores as Cambricon's public sample does, so that what reads its logs reads ours."""
    members = ", ".join(f"({name!r}, {value!r})" for name, value in scores.to_json().items())
    Terminal().print(f"SQUAD results: OrderedDict([{members}])", soft_wrap=True)


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
            "warnings": list(summary.warnings),
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
        table.add_row("tokens", f"{useful:.3f} of those computed were useful, the rest padding")
    table.add_row("report", str(output / "report.html"))
    for warning in summary.warnings:
        table.add_row("warning", warning)
    Terminal().print(table)

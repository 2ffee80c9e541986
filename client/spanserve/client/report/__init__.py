"""The report of a run: one HTML file that needs nothing else, not even a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from spanserve.client.evaluation.output import write_text
from spanserve.client.report import breakdown, charts
from spanserve.client.report.failures import worst_answers
from spanserve.client.report.page import render
from spanserve.client.report.summary import RunSummary
from spanserve.client.report.table import TABLE_NAME, write_table

#: Its name in an output folder.
REPORT_NAME: Final = "report.html"

__all__ = ["RunSummary", "render_report", "write_report"]


def write_report(folder: Path, summary: RunSummary) -> None:
    """Write the report, and its questions as a table next to it; each whole or not at all.

    Raises:
        OutputError: one cannot be written.
    """
    write_text(folder / REPORT_NAME, render_report(summary))
    predictions = summary.results.predictions(summary.threshold)
    write_table(folder / TABLE_NAME, summary.dataset, summary.scores, predictions, summary.results)


def render_report(summary: RunSummary) -> str:
    """The report as HTML. Every text of the data set and of the workers is escaped."""
    dataset, results, scores = summary.dataset, summary.results, summary.scores
    return render(
        "report.html.jinja",
        run=summary,
        dataset=dataset,
        results=results,
        scores=scores,
        charts=charts,
        described={worker.worker: worker for worker in summary.workers},
        idle=[(worker.worker, 0) for worker in summary.workers if worker.worker not in results.by_worker],
        whole=max(1, results.by_worker.total()),
        models=_distinct(worker.model for worker in summary.workers),
        precisions=_distinct(worker.precision for worker in summary.workers),
        devices=_distinct(worker.device for worker in summary.workers),
        answered=len(results.answers),
        missing=len(results.missing()),
        errors=Counter((error.code.name, error.message) for error in results.errors.values()),
        lengths=breakdown.by_answer_length(dataset, scores, summary.metric),
        types=breakdown.by_question_type(dataset, scores),
        latency=breakdown.latency(results.timings.values()),
        windows=breakdown.windows_per_question(results),
        articles=worst_answers(summary),
    )


def _distinct(names: Iterable[str]) -> str:
    """Each name once, in the order met."""
    return ", ".join(dict.fromkeys(names))

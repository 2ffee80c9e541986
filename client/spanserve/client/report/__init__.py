"""The report of a run: one HTML file that needs nothing beside it, not even a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import jinja2

from spanserve.client.duration import duration, microseconds
from spanserve.client.evaluation.output import write_text
from spanserve.client.report import breakdown, charts
from spanserve.client.report.failures import worst_answers
from spanserve.client.report.summary import Padding, RunSummary

__all__ = ["Padding", "RunSummary", "render_report", "write_report"]


def write_report(path: Path, summary: RunSummary) -> None:
    """Write the report, whole or not at all."""
    write_text(path, render_report(summary))


def render_report(summary: RunSummary) -> str:
    """The report as HTML. Every text of the data set and of the workers is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"duration": duration, "microseconds": microseconds}
    dataset, results, scores = summary.dataset, summary.results, summary.scores
    return environment.get_template("report.html.jinja").render(
        run=summary,
        dataset=dataset,
        results=results,
        scores=scores,
        charts=charts,
        described={worker.worker: worker for worker in summary.workers},
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

"""What a report is made from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from spanserve.client.evaluation.results import Results
from spanserve.client.scores import SQUAD_1, Metric, Scores
from spanserve.contract import Options, WorkerStatus
from spanserve.squad import Dataset


@dataclass(frozen=True, slots=True)
class Padding:
    """Tokens that went through the devices."""

    #: Tokens of questions and contexts.
    useful_tokens: int
    #: All of them, those that filled up windows and batches included.
    padded_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A finished run."""

    dataset: Dataset
    results: Results
    scores: Scores
    options: Options
    no_answer_threshold: float = 0.0
    metric: Metric = SQUAD_1
    #: Why that one.
    metric_reason: str = "the default"
    #: Seconds from the first task sent to the last result. None: not known, as after a merge.
    wall_seconds: float | None = None
    #: Questions that came back within `wall_seconds`. None: all; a resumed run has fewer.
    timed_questions: int | None = None
    finished: datetime | None = None
    workers: tuple[WorkerStatus, ...] = ()
    padding: Padding | None = None
    #: Tasks that another worker took as well near the end.
    copies: int = 0
    #: Sentences that belong at the top of the report.
    warnings: tuple[str, ...] = ()

    @property
    def threshold(self) -> float | None:
        """The odds of "no answer" above which that is the answer; None: it never is."""
        return self.no_answer_threshold if self.dataset.has_null_answers else None

    @property
    def questions_per_second(self) -> float | None:
        if not self.wall_seconds:
            return None
        count = len(self.results) if self.timed_questions is None else self.timed_questions
        return count / self.wall_seconds

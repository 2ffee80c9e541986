"""What a report is made from."""

from __future__ import annotations

from dataclasses import dataclass

from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import NO_SESSIONS, Padding, Sessions
from spanserve.client.scores import Metric, Scores
from spanserve.contract import Options, WorkerStatus
from spanserve.squad import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A finished run."""

    dataset: Dataset
    results: Results
    scores: Scores
    options: Options
    no_answer_threshold: float = 0.0
    #: Why the metric is the one that it is.
    metric_reason: str = "the default"
    #: Each time that it was started or resumed; none: not known.
    sessions: Sessions = NO_SESSIONS
    #: Whether the sessions came one after another, so that their seconds add up; those of shards did not.
    one_clock: bool = True
    #: Sentences that belong at the top of the report.
    warnings: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        return self.scores.metric

    @property
    def threshold(self) -> float | None:
        """The odds of "no answer" above which that is the answer; None: it never is."""
        return self.no_answer_threshold if self.dataset.has_null_answers else None

    @property
    def wall_seconds(self) -> float | None:
        """Seconds in which tasks were with workers. None: not known, as after a merge."""
        return self.sessions.seconds if self.one_clock else None

    @property
    def questions_per_second(self) -> float | None:
        return self.sessions.questions / self.wall_seconds if self.wall_seconds else None

    @property
    def workers(self) -> tuple[WorkerStatus, ...]:
        return self.sessions.workers

    @property
    def padding(self) -> Padding | None:
        return self.sessions.padding

    @property
    def copies(self) -> int:
        """Tasks that another worker took as well near the end."""
        return self.sessions.copies

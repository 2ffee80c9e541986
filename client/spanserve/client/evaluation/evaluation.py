"""An evaluation: a data set through workers into a ledger, and from there into scores and files."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from spanserve.client.evaluation.collecting import Collecting
from spanserve.client.evaluation.ledger import LEDGER_NAME, Ledger, LedgerHeader
from spanserve.client.evaluation.long_contexts import LongContexts
from spanserve.client.evaluation.output import make_folder, write_output
from spanserve.client.evaluation.progress import RunProgress
from spanserve.client.evaluation.results import Results
from spanserve.client.evaluation.sessions import (
    NO_SESSIONS,
    Padding,
    Session,
    Sessions,
    read_sessions,
    write_sessions,
)
from spanserve.client.evaluation.warnings import warnings_of
from spanserve.client.report import RunSummary, write_report
from spanserve.client.scores import DEFAULT_METRIC, ChosenMetric
from spanserve.client.transport import Described, Transport
from spanserve.contract import Options, Task, WorkerStatus
from spanserve.options.terminal import Terminal
from spanserve.squad import Dataset


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What to evaluate, where, and how."""

    dataset: Dataset
    #: Makes the way to workers, inside the event loop.
    connect: Callable[[], Transport]
    folder: Path
    options: Options
    resume: bool = False
    no_answer_threshold: float = 0.0
    metric: ChosenMetric = DEFAULT_METRIC
    long_contexts: LongContexts = LongContexts.REFUSE
    #: As it is shown in the report.
    command: str = ""

    def run(self, console: Terminal) -> RunSummary:
        """Run to the end, write every file into the folder, and return what the report shows.

        Raises:
            ClientError: no worker, a ledger in the way, or a folder that cannot be written; the ledger keeps
                what was answered.
        """
        dataset, metric = self.dataset, self.metric.of(self.dataset)
        collected = self.collect(console)
        results, sessions = collected.results, collected.sessions
        scores = write_output(
            self.folder, dataset, results, no_answer_threshold=self.no_answer_threshold, metric=metric
        )
        summary = RunSummary(
            dataset=dataset,
            results=results,
            scores=scores,
            options=self.options,
            no_answer_threshold=self.no_answer_threshold,
            sessions=sessions,
            warnings=(*dataset.notes, *self.metric.warnings(dataset), *collected.warnings),
            metric_reason=self.metric.reason(dataset),
        )
        write_report(self.folder, summary)
        return summary

    def collect(self, console: Terminal) -> Collected:
        """Ask what the ledger in the folder does not hold.

        Raises:
            ClientError: as of `run`.
        """
        make_folder(self.folder)
        dataset = self.dataset
        header = LedgerHeader(
            dataset_name=dataset.name,
            dataset_sha256=dataset.sha256,
            shard=str(dataset.part),
            options=self.options,
            no_answer_threshold=self.no_answer_threshold,
            long_contexts=self.long_contexts,
            run_id=secrets.token_hex(8),
        )
        with Ledger.open(self.folder / LEDGER_NAME, header, resume=self.resume) as ledger:
            collecting = Collecting(dataset, ledger.header)
            every = sum(map(_weight, collecting.open))
            for result in ledger.read():
                collecting.take(result)
            sessions = read_sessions(self.folder) if self.resume else NO_SESSIONS
            todo = sum(map(_weight, collecting.open))
            progress = RunProgress(len(dataset.question_ids), max(every, todo), console)
            progress.resume(len(collecting.results), max(every - todo, 0.0))
            # Nothing is left of a run that was cut off between its last result and its report.
            if todo:
                stretch = _Stretch(len(collecting.results))
                try:
                    asyncio.run(self._stream(collecting, ledger, progress, stretch))
                finally:  # what was seen of a run that is cut off belongs to it as well
                    if ledger.is_new and not stretch.began:
                        ledger.discard()
                    else:
                        done = len(collecting.results) - stretch.before
                        session = stretch.session(self.command, progress.seconds, done)
                        sessions = Sessions((*sessions.all, session))
                        write_sessions(self.folder, sessions)
        return Collected(collecting.results, sessions)

    async def _stream(
        self, collecting: Collecting, ledger: Ledger, progress: RunProgress, stretch: _Stretch
    ) -> None:
        """Send the tasks and record the results.

        What is in a queue stays there if this is cut off: a resumed run finds it.
        """
        transport = self.connect()
        try:
            earlier = await transport.before()
            stretch.began = True
            stretch.workers = tuple(earlier.values())
            with progress:
                # Longest first: like lengths meet in a batch, and no long text is left for the end.
                while todo := sorted(collecting.open, key=_length, reverse=True):
                    await _ask(todo, transport, collecting, ledger, progress, stretch)
            later = await transport.after()
        finally:
            await transport.close()
        stretch.workers = tuple(later.values())
        stretch.padding = _padding(earlier, later, unique_names=transport.unique_names)


@dataclass(slots=True)
class _Stretch:
    """What is observed while tasks are sent; see `Session`."""

    #: Questions that were finished before.
    before: int
    #: Whether a task may have been sent.
    began: bool = False
    workers: tuple[WorkerStatus, ...] = ()
    padding: Padding | None = None
    copies: int = 0
    silent: tuple[str, ...] = ()

    def session(self, command: str, seconds: float, questions: int) -> Session:
        """It as a session that ends now."""
        return Session(
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            command=command,
            version=version("spanserve"),
            seconds=seconds,
            questions=questions,
            copies=self.copies,
            padding=self.padding,
            workers=self.workers,
            silent=self.silent,
        )


async def _ask(
    todo: list[Task],
    transport: Transport,
    collecting: Collecting,
    ledger: Ledger,
    progress: RunProgress,
    stretch: _Stretch,
) -> None:
    """Have tasks answered."""
    weights = {task.id: _weight(task) for task in todo}
    stream = transport.stream(keep=True, tell=lambda: progress.advance(0, 0.0, stream.shares()))
    async with contextlib.aclosing(stream.run(todo)) as arriving:
        async for arrived in arriving:
            ledger.append_many(arrived)
            for result in arrived:
                finished = collecting.take(result)
                progress.advance(finished, weights.pop(result.id, 0.0), stream.shares())
    stretch.copies += stream.copies
    stretch.silent = stream.silent


@dataclass(frozen=True, slots=True)
class Collected:
    """What has come back."""

    results: Results
    sessions: Sessions

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the answers should know, a sentence each."""
        return warnings_of(self.results, self.sessions)


def _length(task: Task) -> int:
    """Characters of a task's context, which decide how long its windows are."""
    return len(task.context)


def _weight(task: Task) -> float:
    """Text a task makes a device read: its context once per question."""
    return float(len(task.context) * len(task.questions))


def _padding(earlier: Described, later: Described, *, unique_names: bool) -> Padding | None:
    """Tokens computed between two reports of the workers; None where one of them is not comparable.

    Args:
        unique_names: whether a worker that was not there earlier has started since.
    """
    useful = padded = 0
    for name, now in later.items():
        then = earlier.get(name, WorkerStatus(worker=now.worker) if unique_names else None)
        if then is None or then.worker != now.worker:
            return None  # started or restarted in between: its counts are not all of this run
        useful += now.useful_tokens - then.useful_tokens
        padded += now.padded_tokens - then.padded_tokens
    return Padding(useful, padded) if padded else None

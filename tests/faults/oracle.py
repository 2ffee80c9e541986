"""The oracle: what a client got, what workers did and what Redis says, held against each other.

Three journals that know nothing of one another: the ledger of the client, the lines that workers append about every
execution, and the events and streams in Redis.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from spanserve.bundle import Bundle
from spanserve.contract import QuestionResult, Task, TaskResult
from spanserve.device.host.simulated import answers as rule
from spanserve.qa import Encoder
from spanserve.qa.direct import ask
from spanserve.queue import JobId, JobState
from tests.kit.queue_rig import QueueRig


@dataclass
class Ledger:
    """What a client submitted, and what it was given."""

    tasks: list[Task]
    first: dict[str, TaskResult] = field(default_factory=dict)
    #: Results for tasks that had one.
    again: int = 0
    #: Tasks whose submit had no reply, and that the queue knew when they were submitted again.
    recovered: int = 0
    #: Tasks that Redis had taken, and took once more as if it had never heard of them.
    forgotten: int = 0
    #: Tasks that were refused with a time to come back.
    busy: int = 0

    def add(self, results: Iterable[TaskResult]) -> None:
        for result in results:
            self.again += result.id in self.first
            self.first.setdefault(result.id, result)

    @property
    def answered(self) -> set[str]:
        """Tasks all of whose questions were answered."""
        return {
            name
            for name, result in self.first.items()
            if all(question.answer is not None for question in result.questions)
        }


@dataclass(frozen=True)
class Journal:
    """The lines of all workers."""

    path: Path

    @cached_property
    def lines(self) -> list[dict[str, Any]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def of(self, what: str, **facts: Any) -> list[dict[str, Any]]:
        """Lines of a kind with these facts."""
        return [
            line
            for line in self.lines
            if line["what"] == what and all(line[name] == value for name, value in facts.items())
        ]

    @cached_property
    def executions(self) -> Counter[str]:
        """Job -> how often some worker began to compute it."""
        return Counter(line["job"] for line in self.of("start", again=False))

    @cached_property
    def conflicts(self) -> list[str]:
        """Jobs that were answered differently by two executions."""
        answers: dict[str, set[str]] = defaultdict(set)
        for line in self.of("finish", answered=True):
            answers[line["job"]].add(line["answers"])
        return sorted(job for job, found in answers.items() if len(found) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """How many tasks of a run fell into each class."""

    expected: int
    terminal: int
    lost: int
    double_counted: int
    #: Events that tell of the end of a task that had ended.
    duplicate_events: int
    #: Executions beyond the first of each task.
    duplicate_executions: int
    conflicts: int
    unexpected: int
    recovered: int
    dead: int
    #: Ends that were refused because the lease had gone.
    stale: int
    crashes: int

    def __str__(self) -> str:
        return ", ".join(f"{getattr(self, one.name)} {one.name.replace('_', ' ')}" for one in fields(self))


async def classify(ledger: Ledger, journal: Journal, rig: QueueRig, run_id: str) -> Classes:
    """Sort the tasks of a run into classes."""
    expected = {task.id for task in ledger.tasks}
    events = await rig.events(run_id)
    ended = Counter(task for task, _ in events)
    jobs = {str(JobId.of(task)) for task in ledger.tasks}
    return Classes(
        expected=len(expected),
        terminal=len(expected & set(ledger.first)),
        lost=len(expected - set(ledger.first)),
        double_counted=ledger.again,
        duplicate_events=sum(ended.values()) - len(ended),
        duplicate_executions=sum(count - 1 for job, count in journal.executions.items() if job in jobs),
        conflicts=len(journal.conflicts),
        unexpected=len((set(ledger.first) | set(ended)) - expected),
        recovered=ledger.recovered,
        dead=sum(state == JobState.DEAD for _, state in events),
        stale=len(journal.of("end", outcome="stale")),
        crashes=len(journal.of("crash")),
    )


def answers_without_faults(bundle: Bundle, tasks: Iterable[Task]) -> dict[str, tuple[QuestionResult, ...]]:
    """Task -> its answers as computed in this process, without worker, queue or batch; as they travel."""
    manifest = bundle.manifest
    encoder = Encoder.of(bundle)
    found = {}
    for task in tasks:
        answers = ask(encoder, task, rule, manifest)
        questions = (
            QuestionResult(question.id, answer=answer)
            for question, answer in zip(task.questions, answers, strict=True)
        )
        result = TaskResult(id=task.id, questions=tuple(questions))
        found[task.id] = TaskResult.from_bytes(result.to_bytes()).questions
    return found


async def check(
    ledger: Ledger,
    journal: Journal,
    rig: QueueRig,
    bundle: Bundle,
    run_id: str,
    *,
    unanswered: int = 0,
    excused: Collection[str] = (),
    restarts: int = 0,
) -> Classes:
    """Nothing lost, nothing counted twice, every answer as without faults, and the queue as empty as before.

    Args:
        unanswered: how many tasks are meant to end without answers, beside those excused.
        excused: tasks that may or may not end without answers.
        restarts: how often Redis was killed and started on what it had written. Of a script cut off it keeps half,
            forgets the end, and executes that half at a later start: an event more.
    """
    classes = await classify(ledger, journal, rig, run_id)
    assert (0, 0, 0, 0) == (
        classes.lost,
        classes.double_counted,
        classes.conflicts,
        classes.unexpected,
    ), str(classes)
    assert classes.duplicate_events <= restarts, str(classes)
    answered = ledger.answered
    failed = {task.id for task in ledger.tasks} - answered - set(excused)
    assert unanswered == len(failed), f"{sorted(failed)[:10]}; {classes}"
    expected = answers_without_faults(bundle, (task for task in ledger.tasks if task.id in answered))
    for name, questions in expected.items():
        assert questions == ledger.first[name].questions, name
    assert ((0, 0), (0, 0)) == (rig.depth(), rig.load()), str(classes)
    print(classes)
    return classes

"""Names of the keys of one queue; layout.md says what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass

from spanserve.contract import Priority, Refusal, Task
from spanserve.contract.limits import ID_PATTERN

_NAME = re.compile(ID_PATTERN)

#: Priority -> number of its stream in the scripts.
CLASSES = {Priority.INTERACTIVE: 1, Priority.BULK: 2}


@dataclass(frozen=True, slots=True)
class JobId:
    """What identifies a job: tenant, run and task."""

    tenant: str
    run_id: str
    task_id: str

    @classmethod
    def of(cls, task: Task) -> JobId:
        return cls(task.tenant, task.run_id, task.id)

    @classmethod
    def parse(cls, text: str) -> JobId:
        """Read `tenant/run/task`.

        Raises:
            Refusal: it has not three parts.
        """
        parts = text.split("/")
        if len(parts) != 3:
            raise Refusal.invalid("job", "is not tenant/run/task", value=f"{len(parts)} parts")
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.tenant}/{self.run_id}/{self.task_id}"


class Keys:
    """Keys of the queue `name`; all share one slot of a cluster.

    Raises:
        Refusal: the name does not match the pattern of ids.
    """

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise Refusal.invalid("queue", "does not match its pattern", value=name[:64], limit=ID_PATTERN)
        self.name = name
        self.tag = f"{{q:{name}}}"
        self.config = f"{self.tag}:config"
        #: In the order of the classes 1 and 2.
        self.streams = (f"{self.tag}:interactive", f"{self.tag}:bulk")
        self.dead = f"{self.tag}:dead"
        self.dead_load = f"{self.tag}:dead:load"
        self.load = f"{self.tag}:load"
        self.workers = f"{self.tag}:workers"

    def stream(self, number: int) -> str:
        """The stream of a class."""
        return self.streams[number - 1]

    def worker(self, consumer: str) -> str:
        return f"{self.tag}:worker:{consumer}"

    def job(self, job: JobId) -> str:
        return f"{self.tag}:job:{job}"

    def results(self, tenant: str, run_id: str) -> str:
        return f"{self.tag}:run:{tenant}/{run_id}:results"

    def events(self, tenant: str, run_id: str) -> str:
        return f"{self.tag}:run:{tenant}/{run_id}:events"

    def tenant(self, tenant: str) -> str:
        return f"{self.tag}:tenant:{tenant}"

    def of_job(self, job: JobId) -> tuple[str, ...]:
        """The keys that every script about one job gets."""
        return (
            self.job(job),
            *self.streams,
            self.results(job.tenant, job.run_id),
            self.events(job.tenant, job.run_id),
            self.tenant(job.tenant),
            self.load,
            self.dead,
            self.config,
        )

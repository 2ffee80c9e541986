"""The queue as a few lines of Python: what the scripts must do, without Redis."""

from __future__ import annotations

from dataclasses import dataclass, field

from spanserve.queue import JobState

RELEASED = "released"
QUEUED = JobState.QUEUED


@dataclass(eq=False)
class ModelJob:
    """A job that was submitted; `name` stands for the task."""

    name: str
    #: 1 interactive, 2 bulk.
    number: int
    size: int
    #: Name of its newest entry, and its place in the order of all entries.
    entry: str
    place: int
    state: JobState = QUEUED
    #: Who holds the entry: None for nobody, be it that it waits or that it was lost.
    owner: str | None = None
    deliveries: int = 0
    #: Its lease has run out.
    idle: bool = False
    #: Its entry was given out at least once.
    read: bool = False
    #: Its entry was deleted from the stream by an operator.
    trimmed: bool = False
    #: To be cancelled by whoever holds it.
    flagged: bool = False
    #: Consumers that began it alone and have not said that it ended; `1` of a release that knew only that.
    ran: set[str] = field(default_factory=set)
    blob: bytes | None = None
    by: str = ""

    @property
    def live(self) -> bool:
        return self.state is QUEUED

    @property
    def alive(self) -> bool:
        """Whether a worker holds the entry or one is going to be given it."""
        return not self.trimmed and (self.owner is not None or not self.read)

    @property
    def in_stream(self) -> bool:
        return self.live and not self.trimmed

    def lie_in(self, entry: str, place: int) -> None:
        """Wait in a new entry."""
        self.entry, self.place = entry, place
        self.owner, self.deliveries = None, 0
        self.idle = self.read = self.trimmed = False


@dataclass
class Model:
    """All jobs, their events and dead letters.

    Args:
        max_tasks: entries at which new tasks are refused.
        forgets_trimmed: whether the server drops a pending entry that is no more when somebody claims it (7.0).
    """

    max_tasks: int
    forgets_trimmed: bool
    jobs: dict[str, ModelJob] = field(default_factory=dict)
    events: list[tuple[str, str]] = field(default_factory=list)
    letters: list[str] = field(default_factory=list)
    places: int = 0

    def in_order(self, number: int) -> list[ModelJob]:
        """Live jobs of a class, oldest entry first."""
        found = (job for job in self.jobs.values() if job.live and job.number == number)
        return sorted(found, key=lambda job: job.place)

    def place(self) -> int:
        self.places += 1
        return self.places

    def submit(self, name: str) -> str:
        """The outcome of a submit; what changes is done by `queue` and `restore`, which know the entry."""
        job = self.jobs.get(name)
        if job is None:
            full = sum(job.in_stream for job in self.jobs.values()) >= self.max_tasks
            return "resource_exhausted max_tasks" if full else "queued"
        if not job.live:
            return "forgotten" if job.blob is None else "ended"
        return "known" if job.alive else "restored"

    def claim(self, me: str, count: int, share: int) -> list[ModelJob]:
        """Released ones first, then up to `share` interactive ones, then bulk, then interactive ones."""
        given: list[ModelJob] = []
        for number in (1, 2):
            if len(given) >= count:
                break
            for job in [job for job in self.in_order(number) if job.owner == RELEASED]:
                if job.trimmed:
                    job.owner = None
                elif len(given) < count:
                    given.append(self._give(job, me))
        for number, limit in ((1, share), (2, count), (1, count)):
            fresh = [job for job in self.in_order(number) if job.in_stream and not job.read]
            given += [self._give(job, me) for job in fresh[: max(0, min(limit, count - len(given)))]]
        return given

    def reclaim(self, me: str, count: int) -> tuple[list[ModelJob], int]:
        """What is idle and not mine; and how many were found trimmed."""
        given: list[ModelJob] = []
        trimmed = 0
        for number in (1, 2):
            if len(given) >= count:
                break  # it looks no further than it has room
            for job in self.in_order(number):
                if job.owner is None or not job.idle:
                    continue
                if job.trimmed:
                    job.owner = None
                    trimmed += 1
                elif job.owner != me and len(given) < count:
                    given.append(self._give(job, me))
        return given, trimmed

    def renew(self, me: str, held: dict[str, str]) -> tuple[set[str], set[str]]:
        """Of `held`, job -> entry: what is lost, and what is to be cancelled."""
        lost, cancelled = set(), set()
        for name, entry in held.items():
            job = self.jobs[name]
            if not self.holds(me, name, entry):
                lost.add(name)
                continue
            job.idle = False
            if job.flagged:
                cancelled.add(name)
            if job.trimmed and self.forgets_trimmed:
                job.owner = None
        return lost, cancelled

    def release(self, me: str, name: str, entry: str, deliveries: int) -> bool:
        if not self.holds(me, name, entry):
            return False
        job = self.jobs[name]
        job.owner, job.idle, job.deliveries = RELEASED, False, deliveries
        if job.trimmed and self.forgets_trimmed:
            job.owner = None
        return True

    def end(self, me: str, name: str, entry: str, state: JobState, blob: bytes) -> str:
        job = self.jobs[name]
        if not job.live:
            return "dup"
        if state is not JobState.DONE and not self.holds(me, name, entry):
            return "stale"
        self._finish(job, state, me, blob)
        if state is JobState.DEAD:
            self.letters.append(name)
        return "ok"

    def mark(self, me: str, name: str) -> bool:
        job = self.jobs[name]
        if job.live:
            job.ran.add(me)
        return job.live

    def unmark(self, me: str, name: str) -> bool:
        job = self.jobs[name]
        known = bool(job.ran)
        job.ran.discard(me)
        return known

    def cancel(self, name: str) -> str:
        job = self.jobs.get(name)
        if job is None:
            return "unknown"
        if not job.live:
            return "ended"
        if job.owner not in (None, RELEASED):
            job.flagged = True
            return "flagged"
        self._finish(job, JobState.CANCELLED, "client", None)
        return "cancelled"

    def holds(self, me: str, name: str, entry: str) -> bool:
        job = self.jobs[name]
        return job.live and (job.owner, job.entry) == (me, entry)

    def _give(self, job: ModelJob, me: str) -> ModelJob:
        job.owner, job.idle, job.read = me, False, True
        job.deliveries += 1
        return job

    def _finish(self, job: ModelJob, state: JobState, by: str, blob: bytes | None) -> None:
        job.state, job.by, job.owner, job.flagged = state, by, None, False
        job.blob = blob
        job.ran.clear()
        self.events.append((job.name, state.value))

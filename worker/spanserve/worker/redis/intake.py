"""From entries to work: checks what was claimed, gives it to the engine, and turns results into ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import structlog

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.queue import End, Entry, JobState, Lease
from spanserve.worker.credit import CreditPool
from spanserve.worker.engine import Engine
from spanserve.worker.redis.finisher import Finisher
from spanserve.worker.redis.held import Held, HeldTasks
from spanserve.worker.redis.outcome import refused, state_of

#: Weight of a new task in the moving average of questions per task.
QUESTIONS_WEIGHT = 0.05
#: Questions a task is thought to have before any was seen.
FIRST_QUESTIONS = 8.0
#: Seconds an entry that we do not understand is kept from us.
STRANGE_S = 1.0
#: Tasks claimed at a time, at most.
MAX_CLAIM = 64

log = structlog.get_logger(__name__)


class Intake:
    """Takes claimed entries in.

    The door has an account in the same pool as the gRPC streams: capacity is counted in windows, credit in
    questions, and a claim in tasks, each estimated from those seen.
    """

    def __init__(self, engine: Engine, pool: CreditPool, held: HeldTasks, finisher: Finisher) -> None:
        self._engine = engine
        self._pool = pool
        self._held = held
        self._finisher = finisher
        self._account = pool.open()
        self._questions_per_task = FIRST_QUESTIONS

    def room(self) -> int:
        """How many tasks may be claimed now."""
        self._pool.grant(self._account)
        if self._account.credit <= 0:
            return 0
        return max(1, min(MAX_CLAIM, int(self._account.credit / self._questions_per_task)))

    def take(self, entries: list[Entry]) -> None:
        """Make work of entries; those that cannot be end here and now."""
        tasks: list[Task] = []
        held: list[Held] = []
        for entry in entries:
            lease = Lease(entry.number, entry.id, entry.job)
            if not entry.known_version:
                log.warning(
                    "entry of an unknown version given back", job=str(entry.job), version=entry.version
                )
                # Not at once: we would be the first to claim it again.
                give_back = partial(self._finisher.release, lease, entry.deliveries - 1)
                asyncio.get_running_loop().call_later(STRANGE_S, give_back)
                continue
            task = self._checked(entry, lease)
            if task is not None:
                tasks.append(task)
                held.append(Held(lease, entry.deliveries, len(task.questions)))
        for one in held:
            self._hold(one)
        jobs = self._engine.submit(tasks, [partial(self._finished, one.lease) for one in held])
        for one, job in zip(held, jobs, strict=True):
            one.job = job

    def give_back(self, entries: list[Entry]) -> None:
        """Release entries at once, not charged."""
        for entry in entries:
            self._finisher.release(Lease(entry.number, entry.id, entry.job), entry.deliveries - 1)

    def drop(self, held: Held) -> None:
        """A task is no longer ours, or ended: what it held of the capacity is free."""
        if self._held.remove(held.lease) is not None:
            self._pool.settle(self._account, held.questions)

    def close(self) -> None:
        """Take nothing more."""
        self._pool.close(self._account)

    def _checked(self, entry: Entry, lease: Lease) -> Task | None:
        """The task to compute; None if it has ended already."""
        try:
            task = entry.task()
        except Refusal as refusal:
            self._hold(Held(lease, entry.deliveries, 0))
            self._finisher.end(End(lease, JobState.DEAD, b"", str(refusal), self._engine.model_digest))
            return None
        verdict = None
        if entry.cancelled:
            verdict = Refusal(ErrorCode.CANCELLED, "the client withdrew the task")
        elif entry.remaining_ms == 0:
            verdict = Refusal(
                ErrorCode.DEADLINE_EXCEEDED,
                "not computed in time",
                field="timeout_ms",
                limit=f"{task.timeout_ms} ms",
            )
        task = replace(task, attempt=entry.deliveries, timeout_ms=entry.remaining_ms or None)
        if verdict is None:
            return task
        held = Held(lease, entry.deliveries, len(task.questions))
        self._hold(held)
        engine = self._engine
        result = refused(task, verdict, worker=engine.name, model_digest=engine.model_digest)
        self._finished(lease, result)
        return None

    def _hold(self, held: Held) -> None:
        self._held.add(held)
        self._pool.charge(self._account, held.questions)

    def _finished(self, lease: Lease, result: TaskResult) -> None:
        """The engine is done with a task."""
        held = self._held.get(lease)
        if held is None:  # given back meanwhile
            return
        self._observe(held)
        state = state_of(result)
        if held.lost and state is not JobState.DONE:
            self.drop(held)  # whoever has it now says how it ends
        elif state is None:
            self._finisher.release(lease, result.attempt - 1)
        else:
            reason = next((str(q.error) for q in result.questions if q.error is not None), "")
            digest = self._engine.model_digest
            self._finisher.end(End(lease, state, result.to_bytes(), reason, digest))

    def _observe(self, held: Held) -> None:
        """Learn what tasks are like."""
        questions = max(1, held.questions)
        self._questions_per_task += QUESTIONS_WEIGHT * (questions - self._questions_per_task)
        if held.job is not None and held.job.encoded is not None:
            self._pool.observe(max(1, held.job.encoded.windows), questions)

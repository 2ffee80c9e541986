"""From entries to work: checks what was claimed, gives it to the engine, and turns results into ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.limits import MAX_ATTEMPTS, MAX_DEATHS, MAX_TIMEOUT_MS
from spanserve.contract.trace import TraceContext
from spanserve.doors.door import Inside
from spanserve.doors.redis.finisher import Finisher
from spanserve.doors.redis.leased import LeasedTask, LeasedTasks
from spanserve.doors.redis.mark import Mark
from spanserve.doors.redis.outcome import faulted, state_of
from spanserve.engine.admission import Caller
from spanserve.engine.average import MovingAverage
from spanserve.engine.origin import Origin
from spanserve.queue import SUSPECT, End, Entry, JobState, Lease

#: Weight of a new task in the moving average of questions per task.
QUESTIONS_WEIGHT = 0.05
#: Questions a task is thought to have before any was seen.
FIRST_QUESTIONS = 8.0
#: Tasks claimed at a time, at most.
MAX_CLAIM = 64
log = structlog.get_logger(__name__)


class Intake:
    """Takes claimed entries in.

    The door has an account like every gRPC stream: capacity is counted in windows, credit in questions, and a
    claim in tasks, each estimated from those seen.

    Args:
        wake: called when there is room again after there was none.
        age_s: seconds since an entry was queued; None where that is not known.
    """

    def __init__(
        self,
        inside: Inside,
        queue: str,
        weight: float,
        held: LeasedTasks,
        finisher: Finisher,
        wake: Callable[[], None],
        age_s: Callable[[str], float | None],
    ) -> None:
        status = inside.status()
        self._worker, self._model_digest = status.worker, status.model_digest
        self._engine = inside.engine
        self._admission = inside.admission
        self._queue = queue
        self._age_s = age_s
        self._held = held
        self._finisher = finisher
        self._account = self._admission.open(Caller(f"queue:{queue}", weight), wake)
        #: Entries so far that were not tasks of this layout.
        self.garbage = 0
        self._questions_per_task = MovingAverage(FIRST_QUESTIONS, QUESTIONS_WEIGHT)

    def room(self) -> int:
        """How many tasks may be claimed now."""
        self._admission.grant(self._account)
        ready = self._account.ready
        return max(1, min(MAX_CLAIM, int(ready / self._questions_per_task.value))) if ready else 0

    def rest(self) -> None:
        """There is nothing to claim: keep no room for it."""
        self._admission.forgo(self._account)

    def suspects(self) -> int:
        """How many suspects may be claimed: one at a time, for what kills a worker takes all it holds along."""
        return 0 if any(held.suspect and not held.settled for held in self._held.all()) else 1

    def take(self, entries: list[Entry]) -> None:
        """Make work of entries; those that cannot be end here and now. A suspect waits until Redis knows of it."""
        for entry in entries:
            held = self._hold(entry)
            if entry.suspect and entry.ran < MAX_DEATHS:
                held.waiting = True
                held.witness.begins(partial(self._begin, held, entry))
            else:
                self._submit(held, entry)

    def _begin(self, held: LeasedTask, entry: Entry, wanted: bool) -> None:
        """Redis knows that this worker begins a suspect."""
        held.waiting = False
        if held not in self._held:  # given back meanwhile
            return
        if wanted:
            self._submit(held, entry)
        else:
            self.drop(held)

    def _submit(self, held: LeasedTask, entry: Entry) -> None:
        task = self._checked(held, entry)
        if task is not None:
            held.request = self._admission.submit(
                self._account,
                task,
                partial(self._finished, held),
                late=True,
                witness=held.witness,
                origin=self._origin(entry),
            )

    def _origin(self, entry: Entry) -> Origin:
        trace = TraceContext.parse(entry.trace) if entry.trace else None
        return Origin(trace=trace, queue=self._queue, waited_s=self._age_s(entry.id) or 0.0)

    def give_back(self, entries: list[Entry]) -> None:
        """Release entries at once, not charged."""
        for entry in entries:
            self._finisher.release(entry.ref, entry.deliveries - 1)

    def give_back_unstarted(self) -> None:
        """Release all that has not been on the device, not charged."""
        released = []
        for held in self._held.all():
            request = held.request
            if request is not None and not request.started and not request.ended:
                self._engine.cancel(request)
                released.append(request)
            elif not held.waiting:
                continue
            self.drop(held)
            held.witness.ended()
            self._finisher.release(held.lease.ref, held.deliveries - 1)
        self._engine.resume(released)  # to their end, if they waited for leases

    def drop(self, held: LeasedTask) -> None:
        """A task is no longer ours, or ended: what it held of the capacity is free."""
        self._held.remove(held)
        if not held.settled:
            held.settled = True
            if held.request is not None:
                self._admission.settle(self._account, held.request)

    def close(self) -> None:
        """Stop taking tasks."""
        self._admission.close(self._account)

    def _checked(self, held: LeasedTask, entry: Entry) -> Task | None:
        """The task to compute; None if it has ended already."""
        try:
            task = entry.task()
        except Refusal as refusal:
            self.garbage += 1
            held.witness.ended()
            end = End(held.lease, JobState.DEAD, b"", str(refusal), self._model_digest)
            self._finisher.end(held, end)
            return None
        held.questions = len(task.questions)
        verdict = None
        if entry.cancelled:
            verdict = Refusal(ErrorCode.CANCELLED, "the client withdrew the task")
        elif entry.remaining_ms == 0:
            limit = f"{task.timeout_ms} ms"
            message = "not computed in time"
            verdict = Refusal(ErrorCode.DEADLINE_EXCEEDED, message, field="timeout_ms", limit=limit)
        elif entry.ran >= MAX_DEATHS:
            verdict = Refusal(ErrorCode.POISON, f"given up: {entry.ran} workers that were alone with it died")
        remaining_ms = None if entry.remaining_ms is None else min(max(1, entry.remaining_ms), MAX_TIMEOUT_MS)
        # However often it was handed out, that makes its company smaller and no more.
        attempt = min(max(entry.deliveries, SUSPECT if entry.suspect else 1), MAX_ATTEMPTS)
        task = replace(task, attempt=attempt, timeout_ms=remaining_ms)
        if verdict is None:
            return task
        result = TaskResult.refused(task, verdict, worker=self._worker, model_digest=self._model_digest)
        self._finished(held, result, computed=False)
        return None

    def _hold(self, entry: Entry) -> LeasedTask:
        lease = Lease(entry.number, entry.id, entry.job)
        earlier = self._held.of(lease)
        if earlier is not None:
            # Lost and come back: the old request may still win, but speaks for nothing else.
            earlier.lost = True
            self.drop(earlier)
            if earlier.request is not None:
                self._engine.cancel(earlier.request)
                self._engine.resume([earlier.request])
        held = LeasedTask(lease, entry.deliveries, entry.suspect, Mark(self._finisher, entry.job))
        self._held.add(held)
        return held

    def _finished(self, held: LeasedTask, result: TaskResult, *, computed: bool = True) -> None:
        """The engine is done with a task, or it never had it."""
        held.witness.ended()
        state = state_of(result)
        if held not in self._held and state is not JobState.DONE:
            return  # given back meanwhile
        self._observe(held)
        if held.lost and state is not JobState.DONE:
            self.drop(held)  # whoever has it now says how it ends
        elif state is None:
            self._finisher.release(held.lease.ref, result.attempt - 1, held)
        else:
            reason = next((str(q.error) for q in result.questions if q.error is not None), "")
            digest = self._model_digest
            held.faulted = computed and faulted(result)
            self._finisher.end(held, End(held.lease, state, result.to_bytes(), reason, digest))

    def _observe(self, held: LeasedTask) -> None:
        """Learn what tasks are like."""
        self._questions_per_task.add(max(1, held.questions))

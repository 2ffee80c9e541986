"""Any sequence of submits, claims, crashes, skips of time and an operator's blunders, against a model."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from spanserve.contract import Priority, Task
from spanserve.queue import Entry, JobId, JobState, Lease
from spanserve.queue.keys import CLASSES
from tests.integration.queue.model import Model, ModelJob
from tests.kit.queue_rig import GROUP, LEASE_MS, QueueRig, lease_of, queued_task, undocumented_keys
from tests.kit.redis_server import Executable, RedisServer

#: Tasks that may be submitted; one more than the queue takes at a time.
TASKS = {
    name: queued_task(name, questions=n + 1, priority=Priority.INTERACTIVE if name in "ab" else Priority.BULK)
    for n, name in enumerate("abcde")
}
MAX_TASKS = 4
WORKERS = (0, 1)
ENDS = [state for state in JobState if state is not JobState.QUEUED]

names = st.sampled_from(sorted(TASKS))
workers = st.sampled_from(WORKERS)
counts = st.sampled_from([4, 1, 0])


class QueueMachine(RuleBasedStateMachine):
    """The queue and its model, step by step."""

    server: ClassVar[RedisServer]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()

    @initialize()
    def begin(self) -> None:
        self.rig = QueueRig(self.server)
        self.rig.plain.flushall()
        self.run(self.rig.provision(max_tasks=MAX_TASKS))
        self.model = Model(MAX_TASKS, forgets_trimmed=self.server.executable.series != "6.2")
        self.starts = itertools.count()
        self.consumers = {worker: f"w{next(self.starts)}" for worker in WORKERS}
        #: What every worker believes to hold: job -> lease. It need not be so any more.
        self.held: dict[int, dict[str, Lease]] = {worker: {} for worker in WORKERS}
        #: Entries were trimmed, so that the load may be off until the queue is empty.
        self.astray = False
        for name in TASKS:
            self.submit(name)

    def teardown(self) -> None:
        if hasattr(self, "rig"):
            self.drain()
            self.run(self.rig.redis.aclose())
            self.rig.plain.close()
        self.runner.close()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(call)

    @rule(wanted=st.lists(names, min_size=1, unique=True))
    def submit_some(self, wanted: list[str]) -> None:
        for name in wanted:
            self.submit(name)

    def submit(self, name: str) -> None:
        expected = self.model.submit(name)
        assert [expected] == self.run(self.rig.submit(TASKS[name]))
        task = TASKS[name]
        entry = self.rig.record(task).get("entry", "")
        if expected == "queued":
            number, size = CLASSES[task.priority], len(task.to_bytes())
            self.model.jobs[name] = ModelJob(name, number, size, entry, self.model.place())
        elif expected == "restored":
            self.model.jobs[name].lie_in(entry, self.model.place())

    @rule(name=names)
    def submit_another_with_the_id(self, name: str) -> None:
        if name in self.model.jobs:
            assert ["already_exists id"] == self.run(self.rig.submit(queued_task(name, context="Another.")))

    @rule(worker=workers, count=counts, share=counts)
    def claim(self, worker: int, count: int, share: int) -> None:
        expected = self.model.claim(self.consumers[worker], count, share)
        claimed = self.run(self.consumer(worker).claim(count, share))
        assert (0, 0) == (claimed.orphans, claimed.leftovers)
        self.take(worker, expected, claimed.entries)

    @rule(worker=workers, count=counts)
    def reclaim(self, worker: int, count: int) -> None:
        expected, trimmed = self.model.reclaim(self.consumers[worker], count)
        claimed = self.run(self.consumer(worker).reclaim(count))
        assert (0, 0, trimmed) == (claimed.orphans, claimed.leftovers, claimed.trimmed)
        self.take(worker, expected, claimed.entries)

    @precondition(lambda self: self.busy_workers())
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        worker = data.draw(st.sampled_from(self.busy_workers()))
        held = self.held[worker]
        expected = self.model.renew(
            self.consumers[worker], {name: lease.entry for name, lease in held.items()}
        )
        found = self.run(self.consumer(worker).renew(list(held.values())))
        assert expected == tuple({lease.job.task_id for lease in leases} for leases in found)

    @precondition(lambda self: self.busy_workers())
    @rule(state=st.sampled_from(ENDS), data=st.data())
    def end(self, state: JobState, data: st.DataObject) -> None:
        me, name, lease = self.some_held(data)
        if state is JobState.DEAD and self.model.jobs[name].trimmed:
            return  # it leaves a dead letter without a task
        expected = self.model.end(me, name, lease.entry, state, me.encode())
        assert expected == self.run(self.rig.end(lease, state, me))

    @precondition(lambda self: self.busy_workers())
    @rule(deliveries=st.integers(0, 3), data=st.data())
    def release(self, deliveries: int, data: st.DataObject) -> None:
        me, name, lease = self.some_held(data)
        expected = self.model.release(me, name, lease.entry, deliveries)
        assert self.run(self.rig.release(lease, deliveries, me)) is expected

    @precondition(lambda self: self.busy_workers())
    @rule(data=st.data(), ended=st.booleans())
    def mark(self, data: st.DataObject, ended: bool) -> None:
        """A worker begins something alone, or says that it has survived it; twice, as after a lost reply."""
        me, name, lease = self.some_held(data)
        for _ in range(2):
            expected = self.model.unmark(me, name) if ended else self.model.mark(me, name)
            consumer = self.rig.consumer(me)
            assert [expected] == self.run((consumer.unmark if ended else consumer.mark)([lease.job]))

    @rule(name=names)
    def mark_as_earlier_releases_do(self, name: str) -> None:
        """The script of a release that only noted that a job had been alone once."""
        job = self.model.jobs.get(name)
        if job is not None and job.live:
            key = self.rig.keys.job(job_of(TASKS[name]))
            self.rig.plain.hdel(key, "ran")
            self.rig.plain.hset(key, "ran", 1)
            job.ran = {"1"}

    @rule(name=names)
    def cancel(self, name: str) -> None:
        assert [self.model.cancel(name)] == self.run(self.rig.producer.cancel([job_of(TASKS[name])]))

    @rule(worker=workers)
    def crash(self, worker: int) -> None:
        """The next start of the worker has another name, and knows of nothing."""
        self.held[worker].clear()
        self.consumers[worker] = f"w{next(self.starts)}"

    @rule(worker=workers)
    def be_silent_for_a_lease(self, worker: int) -> None:
        self.skip_time({self.consumers[worker]})

    @rule()
    def skip_time(self, owners: set[str] | None = None) -> None:
        for job in self.model.jobs.values():
            if job.in_stream and job.owner is not None and (owners is None or job.owner in owners):
                self.rig.age(Lease(job.number, job.entry, job_of(TASKS[job.name])), LEASE_MS)
                job.idle = True

    @precondition(lambda self: self.model.letters)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        letters = {letter["job"].decode(): letter["entry"].decode() for letter in self.rig.dead()}
        name = data.draw(st.sampled_from(self.model.letters))
        task, job = TASKS[name], self.model.jobs[name]
        entry = letters[str(job_of(task))]
        assert "queued" == self.run(self.rig.producer.replay(entry, job_of(task)))
        assert "gone" == self.run(self.rig.producer.replay(entry, job_of(task)))
        self.model.letters.remove(name)
        job.lie_in(self.rig.record(task)["entry"], self.model.place())
        job.state, job.blob = JobState.QUEUED, None

    @rule(name=names)
    def trim(self, name: str) -> None:
        """An operator deletes an entry."""
        job = self.model.jobs.get(name)
        if job is not None and job.in_stream:
            self.rig.trim(TASKS[name])
            job.trimmed = self.astray = True

    @rule(worker=workers)
    def delete_consumer(self, worker: int) -> None:
        """An operator deletes a consumer, and with it what it holds."""
        for stream in self.rig.keys.streams:
            self.rig.plain.xgroup_delconsumer(stream, GROUP, self.consumers[worker])
        for job in self.model.jobs.values():
            if job.owner == self.consumers[worker]:
                job.owner = None

    @rule()
    def lose_scripts(self) -> None:
        self.rig.plain.script_flush()

    @invariant()
    def same(self) -> None:
        if not hasattr(self, "rig"):
            return
        jobs = self.model.jobs
        for name, job in jobs.items():
            record = self.rig.record(TASKS[name])
            assert (job.state.value, job.by if not job.live else None) == (record["state"], record.get("by"))
            if job.live:
                assert (job.entry, job.flagged) == (record["entry"], "cancel" in record)
                assert job.ran == set(record.get("ran", "").split())
                assert job.ran or "ran" not in record, "earlier releases take any value for a mark"
                lease = Lease(job.number, job.entry, job_of(TASKS[name]))
                owner = None if job.owner is None else (job.owner, job.deliveries)
                assert owner == self.rig.owner(lease)
        assert self.model.events == self.run(self.rig.events())
        assert {n: job.blob for n, job in jobs.items() if job.blob is not None} == self.rig.blobs()
        waiting = sum(job.in_stream for job in jobs.values())
        held = sum(job.live and job.owner is not None for job in jobs.values())
        assert (waiting, held) == self.rig.depth()
        assert len(self.model.letters) == len(self.rig.dead())
        if not any(job.live for job in jobs.values()):
            self.astray = False
        if not self.astray:
            live = [job for job in jobs.values() if job.live]
            sums = sum(job.size for job in live), sum(len(TASKS[job.name].questions) for job in live)
            assert sums == self.rig.load()
        assert [] == undocumented_keys(self.rig.plain, self.rig.keys)

    def drain(self) -> None:
        """One worker and a patient producer bring every job to its one end."""
        for name in sorted(self.model.jobs):
            self.submit(name)
        self.crash(0)
        self.skip_time()
        self.claim(0, 2 * MAX_TASKS, MAX_TASKS)
        self.reclaim(0, 2 * MAX_TASKS)
        for lease in self.held[0].values():
            self.model.end(self.consumers[0], lease.job.task_id, lease.entry, JobState.DONE, b"drained")
            self.run(self.rig.end(lease, JobState.DONE, self.consumers[0]))
        for name, job in self.model.jobs.items():
            if job.by == self.consumers[0]:
                job.blob = self.consumers[0].encode()
            assert not job.live, name
        self.same()
        assert ((0, 0), (0, 0)) == (self.rig.depth(), self.rig.load())

    def consumer(self, worker: int) -> Any:
        return self.rig.consumer(self.consumers[worker])

    def take(self, worker: int, expected: list[ModelJob], entries: list[Entry]) -> None:
        me = self.consumers[worker]
        assert [
            (job.name, job.entry, job.deliveries, job.flagged, len(job.ran - {me})) for job in expected
        ] == [
            (entry.job.task_id, entry.id, entry.deliveries, entry.cancelled, entry.ran) for entry in entries
        ]
        for entry in entries:
            assert TASKS[entry.job.task_id] == entry.task()
            self.held[worker][entry.job.task_id] = lease_of(entry)

    def busy_workers(self) -> list[int]:
        """Workers that believe to hold something."""
        return [worker for worker, held in self.held.items() if held]

    def some_held(self, data: st.DataObject) -> tuple[str, str, Lease]:
        """A consumer, and the name and lease of something that it believes to hold."""
        worker = data.draw(st.sampled_from(self.busy_workers()))
        name = data.draw(st.sampled_from(sorted(self.held[worker])))
        return self.consumers[worker], name, self.held[worker][name]


def job_of(task: Task) -> JobId:
    return JobId.of(task)


def test_machine(shared_redis: Callable[[Executable], RedisServer], redis_executable: Executable) -> None:
    """Whatever happens in whatever order, every job has one end and one event, and the queue drains."""

    class Machine(QueueMachine):
        server = shared_redis(redis_executable)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=settings().max_examples // 2,
            stateful_step_count=60,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )

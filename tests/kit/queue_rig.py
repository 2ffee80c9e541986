"""A queue on a real Redis, seen from all sides: submit, compute, and look inside."""

from __future__ import annotations

import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

from spanserve.contract import Question, QuestionResult, Refusal, Task, TaskResult
from spanserve.queue import (
    Consumer,
    End,
    Ended,
    Entry,
    JobId,
    JobState,
    Keys,
    Lease,
    Producer,
    QueueConfig,
    QueueError,
    RedisSettings,
    provision,
)
from spanserve.queue.keys import CLASSES
from tests.kit.redis_server import RedisServer

#: Long enough for a lease to hold over a test that does not want it to run out.
LEASE_MS = 60_000
GROUP = "workers"


def queued_task(
    name: str = "t", *, run_id: str = "r", questions: int = 1, context: str = "Anna Holm said.", **fields: Any
) -> Task:
    """A task of the run `r` of nobody, unless told otherwise."""
    asked = tuple(Question(f"{name}/{number}", "Who said?") for number in range(questions))
    return Task(id=name, run_id=run_id, context=context, questions=asked, **fields)


def result_of(task: Task, worker: str = "a") -> TaskResult:
    """A result that says who made it."""
    error = Refusal.invalid("questions.text", "a result for a test")
    questions = tuple(QuestionResult(question.id, error=error) for question in task.questions)
    return TaskResult(id=task.id, run_id=task.run_id, questions=questions, worker=worker)


def lease_of(entry: Entry) -> Lease:
    return Lease(entry.number, entry.id, entry.job)


class QueueRig:
    """One queue, its producer, its consumers, and a plain client to look behind them."""

    def __init__(self, server: RedisServer, name: str = "q") -> None:
        self.server = server
        self.keys = Keys(name)
        self.plain = server.client()
        self.redis = RedisSettings(url=server.url).connect()
        self.producer = Producer(self.redis, self.keys)
        self._entries = itertools.count()

    async def provision(self, **config: int) -> QueueConfig:
        return await provision(self.redis, self.keys, QueueConfig(**{"lease_ms": LEASE_MS, **config}))

    def consumer(self, name: str = "a") -> Consumer:
        return Consumer(self.redis, self.keys, name)

    async def submit(self, *tasks: Task) -> list[str]:
        """Submit tasks; the outcome of each as a word: of a refusal its field, of an error its class."""
        return [word(outcome) for outcome in await self.producer.submit(tasks)]

    async def claimed(self, name: str = "a", count: int = 16) -> list[Lease]:
        """What a consumer is given."""
        return [lease_of(entry) for entry in (await self.consumer(name).claim(count, count)).entries]

    async def submitted_and_claimed(self, name: str = "a", **fields: Any) -> tuple[Task, Lease]:
        """A new task, held by a consumer."""
        task = queued_task(f"t{next(self._entries)}", **fields)
        assert ["queued"] == await self.submit(task)
        (lease,) = await self.claimed(name)
        return task, lease

    async def end(self, lease: Lease, state: JobState = JobState.DONE, name: str = "a") -> str:
        """End a job, with a blob that tells who did it."""
        end = End(lease, state, name.encode(), reason="because", model="m")
        (outcome,) = await self.consumer(name).end([end])
        return word(outcome)

    async def release(self, lease: Lease, deliveries: int = 0, name: str = "a") -> bool | QueueError:
        """Give an entry back, with so many deliveries behind it; whether it was still there to be given."""
        (given,) = await self.consumer(name).release({lease.ref: deliveries})
        return given

    def age(self, lease: Lease, ms: int = LEASE_MS) -> None:
        """Let so much time pass for one lease."""
        stream = self.keys.stream(lease.number)
        (pending,) = self.plain.xpending_range(stream, GROUP, lease.entry, lease.entry, 1)
        self.plain.xclaim(stream, GROUP, pending["consumer"], 0, [lease.entry], idle=ms, justid=True)

    def owner(self, lease: Lease) -> tuple[str, int] | None:
        """Who holds an entry, and its deliveries."""
        stream = self.keys.stream(lease.number)
        for pending in self.plain.xpending_range(stream, GROUP, lease.entry, lease.entry, 1):
            return pending["consumer"].decode(), pending["times_delivered"]
        return None

    def record(self, task: Task) -> dict[str, str]:
        """The record of a job."""
        found = self.plain.hgetall(self.keys.job(JobId.of(task)))
        return {name.decode(): value.decode() for name, value in found.items()}

    def state(self, task: Task) -> str | None:
        return self.record(task).get("state")

    async def events(self, run_id: str = "r") -> list[tuple[str, str]]:
        """Ends of a run so far: task and state."""
        found: list[tuple[str, str]] = []
        cursor = "0"
        while page := await self.producer.events("", run_id, cursor):
            found += [(event.task_id, (event.state or "")) for event in page]
            cursor = page[-1].cursor
        return found

    def blobs(self, run_id: str = "r") -> dict[str, bytes]:
        """What ends have left, by task."""
        found = self.plain.hgetall(self.keys.results("", run_id))
        return {task.decode(): blob for task, blob in found.items()}

    def load(self) -> tuple[int, int]:
        """Bytes and questions that the queue thinks it has."""
        bytes_, questions = self.plain.hmget(self.keys.load, "bytes", "questions")
        return int(bytes_ or 0), int(questions or 0)

    def depth(self) -> tuple[int, int]:
        """Entries in the streams, and how many of them are leased or released."""
        lengths = sum(self.plain.xlen(stream) for stream in self.keys.streams)
        return lengths, sum(self.plain.xpending(stream, GROUP)["pending"] for stream in self.keys.streams)

    def dead(self) -> list[dict[str, bytes]]:
        """The dead letters, each with its entry as `entry`."""
        letters = self.plain.xrange(self.keys.dead)
        return [
            {"entry": id_, **{name.decode(): value for name, value in fields.items()}}
            for id_, fields in letters
        ]

    def trim(self, task: Task) -> None:
        """Make the entry of a waiting task vanish, as an operator's XTRIM would."""
        self.plain.xdel(self.keys.stream(CLASSES[task.priority]), self.record(task)["entry"])

    def damage(self, task: Task, **fields: str) -> None:
        """Give a waiting task another entry, with a wrong checksum or other fields."""
        stream = self.keys.stream(CLASSES[task.priority])
        entry = self.record(task)["entry"]
        ((_, found),) = self.plain.xrange(stream, entry, entry)
        changed = {name.encode(): value.encode() for name, value in (fields or {"crc": "00000000"}).items()}
        self.plain.xdel(stream, entry)
        self.plain.hset(self.keys.job(JobId.of(task)), "entry", self.plain.xadd(stream, found | changed))


def word(outcome: Refusal | QueueError | Ended | Any) -> str:
    """An outcome in a word."""
    if isinstance(outcome, Refusal):
        return f"{outcome.code.name.lower()} {outcome.field}"
    if isinstance(outcome, QueueError):
        return type(outcome).__name__
    return str(outcome.value)


@asynccontextmanager
async def queue_rig(server: RedisServer, name: str = "q") -> AsyncIterator[QueueRig]:
    rig = QueueRig(server, name)
    try:
        yield rig
    finally:
        await rig.redis.aclose()


def documented_keys() -> dict[str, bool]:
    """Patterns of the keys in layout.md -> whether they may be without an expiry."""
    text = (files("spanserve.queue") / "layout.md").read_text(encoding="utf-8")
    table = text.split("## Keys")[1].split("\n## ")[0]
    patterns: dict[str, bool] = {}
    for row in re.findall(r"^\| (`:.*) \|$", table, re.MULTILINE):
        cells = [cell.strip() for cell in row.split("|")]
        # `never`, or `goes when ...`; every other says after how long.
        lasting = not re.match(r"\d", cells[-1]) and not cells[-1].startswith("as ")
        for key in re.findall(r"`(:[^`]*)`", cells[0]):
            patterns[re.sub(r"[A-Z]+", ".*", key)] = lasting
    return patterns


def undocumented_keys(client: Any, keys: Keys) -> list[str]:
    """Keys in Redis that layout.md does not know, or that have no expiry though it says they have."""
    patterns = documented_keys()
    found = []
    for key in client.scan_iter():
        name = key.decode()
        rest = name.removeprefix(keys.tag)
        lasting = [may for pattern, may in patterns.items() if re.fullmatch(pattern, rest)]
        if rest == name or not lasting or not (any(lasting) or client.pttl(key) > 0):
            found.append(name)
    return sorted(found)

"""Events of a queue in any order, repeated and late: the score of a run does not depend on it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from spanserve.client.evaluation.results import Results
from spanserve.client.redis import QueueConnection, QueueDispatcher
from spanserve.client.scores import score_run
from spanserve.contract import Answer, NBest, Options, QuestionResult, Span, Task, TaskResult
from spanserve.queue import Event, JobState, QueueUnavailable, Submitted
from spanserve.squad import Dataset, DatasetQuestion, Passage

WORDS = ("anna", "holm", "said", "harbour", "froze")
DATASET = Dataset(
    name="ice",
    version="1.1",
    sha256="0" * 64,
    passages=tuple(
        Passage(
            number,
            "ice",
            " ".join(WORDS),
            tuple(
                DatasetQuestion(
                    f"{number}-{n}", "who?", (WORDS[(number + n) % len(WORDS)],), impossible=False
                )
                for n in range(2)
            ),
        )
        for number in range(6)
    ),
)
TASKS = DATASET.tasks("r", Options())[0]


def result_of(task: Task, worker: str) -> TaskResult:
    """The same answers whoever gives them; about half of them are right."""
    start = task.context.index(WORDS[int(task.id[1:]) % len(WORDS)])
    end = task.context.find(" ", start) % (len(task.context) + 1)
    answer = Answer(
        Span(task.context[start:end], start, end, 1.0), NBest((start,), (end,), (1.0,)), no_answer_score=0.0
    )
    questions = tuple(QuestionResult(question.id, answer=answer) for question in task.questions)
    return TaskResult(id=task.id, run_id="r", questions=questions, worker=worker, model_digest="m")


class ScriptedQueue:
    """Stands for a connection: tells of ends as it is told, and loses calls now and then."""

    name = "scripted"

    def __init__(self, told: Sequence[Sequence[str]], known: set[str], faults: random.Random) -> None:
        self.producer = self.listener = self
        self._told = told
        self._known = known
        self._faults = faults

    async def submit(self, tasks: Sequence[Task], trace: object) -> list[Submitted]:
        self._fail()
        return [Submitted.ENDED if task.id in self._known else Submitted.QUEUED for task in tasks]

    async def events(self, tenant: str, run_id: str, cursor: str, *, block_ms: int) -> list[Event]:
        await asyncio.sleep(0)
        self._fail()
        place = int(cursor)
        ids = self._told[place] if place < len(self._told) else [task.id for task in TASKS]
        return [Event(str(place + 1), task_id, JobState.DONE) for task_id in ids]

    async def results(self, tenant: str, run_id: str, task_ids: Sequence[str]) -> dict[str, TaskResult]:
        self._fail()
        worker = self._faults.choice(("a", "b"))
        return {task.id: result_of(task, worker) for task in TASKS if task.id in task_ids}

    async def workers(self) -> list[Any]:
        return ["somebody"]

    def _fail(self) -> None:
        if self._faults.random() < 0.2:
            raise QueueUnavailable("Redis: cut")


async def outcome(queue: ScriptedQueue) -> tuple[Results, int]:
    results, deliveries = Results(DATASET.question_ids), 0
    dispatcher = QueueDispatcher(cast(QueueConnection, queue), withdraw=False, chance=_Hasty())
    async for arrived in dispatcher.run(TASKS):
        for result in arrived:
            results.add(result)
            deliveries += 1
    return results, deliveries


class _Hasty(random.Random):
    """No pauses."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


def score(results: Results) -> object:
    return score_run(DATASET, results.predictions(), None).to_json()


IN_ONE_PIECE = Results(DATASET.question_ids)
for one in TASKS:
    IN_ONE_PIECE.add(result_of(one, "a"))
IDS = st.sampled_from([*(task.id for task in TASKS), "stranger"])


@given(
    st.lists(st.lists(IDS, min_size=1, max_size=8), max_size=8),
    st.sets(IDS),
    st.integers(0, 1000),
)
def test_score(told: list[list[str]], known: set[str], seed: int) -> None:
    """Every task is delivered once, and the score is that of a run in one piece."""
    results, deliveries = asyncio.run(outcome(ScriptedQueue(told, known, random.Random(seed))))
    assert len(TASKS) == deliveries
    assert results.complete
    assert (0, 0) == (results.duplicates, results.conflicts)
    assert score(IN_ONE_PIECE) == score(results)

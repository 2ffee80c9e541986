"""What a worker sends is not believed: wrong results, results of other tasks, and what is no result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from spanserve.client import Dispatcher, NoWorker
from spanserve.client.grpc.connection import FAULTS_ALLOWED
from spanserve.client.result_check import checked
from spanserve.contract import ErrorCode, NBest, QuestionResult, Refusal, Task, TaskResult
from spanserve.contract.limits import MAX_ERROR_CHARS, MAX_N_BEST
from spanserve.v1 import worker_pb2 as pb
from tests.kit.frame_worker import FrameWorker, dial_to
from tests.kit.scripted_worker import answers
from tests.kit.wire import make_tasks

ADDRESS = "unix:/w"


def with_answer(result: TaskResult, **changes: Any) -> TaskResult:
    """The result with something else in its first answer; `best_*` in its best span."""
    first = result.questions[0]
    assert first.answer is not None
    best = {name[5:]: value for name, value in changes.items() if name.startswith("best_")}
    others = {name: value for name, value in changes.items() if not name.startswith("best_")}
    answer = replace(first.answer, best=replace(first.answer.best, **best), **others)
    return replace(result, questions=(QuestionResult(first.id, answer=answer), *result.questions[1:]))


#: What is wrong with an answer, and a word of the error that says so.
WRONG = {
    "before the context": ({"best_start": -1}, "outside"),
    "behind the context": ({"best_end": 1 << 31}, "outside"),
    "backwards": ({"best_start": 3, "best_end": 1}, "outside"),
    "another text": ({"best_text": "\x1b]52;c;x"}, "not the text"),
    "no score": ({"best_score": math.nan}, "not a number"),
    "an infinite score": ({"no_answer_score": -math.inf}, "not a number"),
    "columns": ({"n_best": NBest((0, 0), (1,), (1.0,))}, "columns of 1, 2 rows"),
    "rows": ({"n_best": NBest((0,) * 101, (0,) * 101, (0.0,) * 101)}, f"limit {MAX_N_BEST}"),
    "a row outside": ({"n_best": NBest((0,), (1 << 30,), (1.0,))}, "n-best span outside"),
}


@pytest.mark.parametrize(("changes", "words"), WRONG.values(), ids=WRONG.keys())
def test_wrong_answer(changes: dict[str, Any], words: str) -> None:
    """An answer that cannot be right becomes an error that says why; its sibling stays."""
    (task,) = make_tasks(1)
    task = replace(task, questions=(*task.questions, replace(task.questions[0], id="sibling")))
    right = answers(task)
    wrong = checked(task, with_answer(right, **changes))
    first, *siblings = wrong.questions
    assert first.error is not None
    assert (ErrorCode.INTERNAL, True) == (first.error.code, words in first.error.message)
    assert "\x1b" not in first.error.message
    assert siblings == list(right.questions[1:])


def test_right_answer() -> None:
    """What is right is passed on as it is."""
    (task,) = make_tasks(1)
    result = answers(task)
    assert result is checked(task, result)


def test_long_error() -> None:
    """Errors are kept, but not megabytes of them."""
    (task,) = make_tasks(1)
    error = Refusal(ErrorCode.POISON, "x" * 1_000_000, value="y" * 1_000_000)
    found = checked(task, TaskResult.refused(task, error)).questions[0].error
    assert found is not None
    assert (ErrorCode.POISON, MAX_ERROR_CHARS, MAX_ERROR_CHARS) == (
        found.code,
        len(found.message),
        len(found.value),
    )


async def run(worker: FrameWorker, tasks: list[Task]) -> dict[str, TaskResult]:
    """All results, one of each task."""
    found: list[TaskResult] = []
    async for results in Dispatcher([ADDRESS], dial=dial_to({ADDRESS: worker}), wait_s=0.0).run(tasks):
        found += results
    assert len(found) == len(tasks)
    return {result.id: result for result in found}


async def test_one_wrong_result_costs_its_task() -> None:
    """A run goes on behind a wrong result; its task alone has an error."""
    worker = FrameWorker(lambda t: with_answer(answers(t), best_text="x") if t.id == "t1" else answers(t))
    found = await run(worker, make_tasks(4))
    assert ["t1"] == [name for name, result in found.items() if result.shared_error is not None]


class Rude(FrameWorker):
    """Says something of its own before it answers a task."""

    def __init__(self, words: Callable[[Task], pb.ServerFrame], times: int = 1) -> None:
        super().__init__(self._script)
        self._words = words
        self.times = times

    def _script(self, task: Task) -> TaskResult:
        if self.times and self.streams:
            self.times -= 1
            self.streams[0].say(self._words(task))
        return answers(task)


async def test_results_that_were_not_asked_for() -> None:
    """A result of a task that the worker was not sent, or that has ended, changes nothing."""

    def words(task: Task) -> pb.ServerFrame:
        result = replace(answers(task), id="nobody's", worker="forged")
        return pb.ServerFrame(results=[answers(task).to_bytes()] * 2 + [result.to_bytes()])

    worker = Rude(words)
    found = await run(worker, make_tasks(1))
    assert {"t0": "scripted"} == {name: result.worker for name, result in found.items()}


async def test_what_is_no_result_breaks_the_stream() -> None:
    """Bytes that are no result cannot be told whose they were: what the stream held is sent again."""
    worker = Rude(lambda _: pb.ServerFrame(results=[b"\xff\xff"]))
    found = await run(worker, make_tasks(4))
    assert all(result.shared_error is None for result in found.values())
    assert len(worker.delivered) > 4


async def test_a_worker_that_never_makes_sense_is_left_alone() -> None:
    """Who says nothing that can be used is not asked for ever, and the error says what it did."""
    worker = Rude(lambda _: pb.ServerFrame(results=[b"\xff\xff"]), times=1_000_000)
    with pytest.raises(NoWorker, match="something that is not a result"):
        await run(worker, make_tasks(1))
    assert FAULTS_ALLOWED == len(worker.delivered)

"""The Open Inference Protocol as one of the doors: a task is a request, its questions are the rows."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
from grpc import aio

from spanserve.contract import Answer, ErrorCode, NBest, QuestionResult, Refusal, Span, Task, TaskResult
from spanserve.v1 import task_pb2
from tests.kit.oip import call, columns, infer_request, qa_tensors

#: Calls at a time: more than wait for room, fewer than a connection may have open.
MOST_CALLS = 100
#: Inputs -> fields of a task.
_FIELDS = {"question": "questions.text"}


class OipCaller:
    """Calls of `ModelInfer`."""

    def __init__(self, channel: aio.Channel) -> None:
        self._channel = channel
        self._tasks: dict[str, Task] = {}
        self._calls: dict[str, asyncio.Task[Any]] = {}
        self._open = asyncio.Semaphore(MOST_CALLS)

    async def send(self, *tasks: Task) -> None:
        for task in tasks:
            rows = qa_tensors(*((question.text, task.context) for question in task.questions))
            request = infer_request("qa", rows, parameters={"n_best": task.options.n_best}, id=task.id)
            self._tasks[task.id] = task
            self._calls[task.id] = asyncio.create_task(self._call(request))
        await asyncio.sleep(0)

    async def _call(self, request: Any) -> Any:
        async with self._open:
            return await call(self._channel, "ModelInfer", request)

    async def outcome(self, task_id: str) -> TaskResult | Refusal:
        try:
            response = await self._calls[task_id]
        except aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ()).get("spanserve-error-bin")
            if not isinstance(details, bytes):
                raise
            return Refusal.from_proto(task_pb2.Error.FromString(details))
        except asyncio.CancelledError:
            return Refusal(ErrorCode.CANCELLED, "this caller withdrew it")
        return result_of(self._tasks[task_id], columns(response))

    async def withdraw(self, task_id: str) -> None:
        self._calls[task_id].cancel()

    async def vanish(self) -> None:
        for one in self._calls.values():
            one.cancel()


def infer_json(task: Task) -> dict[str, Any]:
    """A task as a body of the protocol over HTTP."""
    columns = {
        "question": [question.text for question in task.questions],
        "context": [task.context] * len(task.questions),
    }
    return {
        "id": task.id,
        "parameters": {"n_best": task.options.n_best},
        "inputs": [
            {"name": name, "datatype": "BYTES", "shape": [len(column)], "data": column}
            for name, column in columns.items()
        ],
    }


def json_columns(response: dict[str, Any]) -> dict[str, Any]:
    """The outputs of a response in JSON by name, as arrays of their shape."""
    found = {}
    for output in response["outputs"]:
        texts = output["datatype"] == "BYTES"
        values = [value.encode() if texts else value for value in output["data"]]
        kind = {"BYTES": object, "INT32": int, "FP32": float}[output["datatype"]]
        found[output["name"]] = np.array(values, kind).reshape(output["shape"])
    return found


def result_of(task: Task, found: dict[str, Any]) -> TaskResult:
    """What the outputs say of a task."""
    outcomes = []
    for row, question in enumerate(task.questions):
        if error := found["error"][row].decode():
            code, field, message = error.split(": ", 2)
            refusal = Refusal(ErrorCode[code], message, field=_FIELDS.get(field, field))
            outcomes.append(QuestionResult(question.id, error=refusal))
            continue
        count = int((found["start"][row] >= 0).sum())
        starts, ends, scores = (found[name][row, :count].tolist() for name in ("start", "end", "score"))
        best = Span(found["answer"][row, 0].decode(), starts[0], ends[0], scores[0])
        no_answer = float(found["no_answer_score"][row])
        outcomes.append(
            QuestionResult(question.id, answer=Answer(best, NBest(starts, ends, scores), no_answer))
        )
    return TaskResult(id=task.id, questions=tuple(outcomes))

"""`POST /v1/answer`: one task and its result, or many of both, a line each."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from spanserve.contract.limits import ANSWER_TIMEOUT_MS
from spanserve.doors.calls import Calls
from spanserve.doors.door import Inside
from spanserve.doors.http import models
from spanserve.doors.http.body import disconnected, media_type, parse, parts_of, read_whole
from spanserve.doors.http.gone import unless
from spanserve.doors.http.operation import JSON, NDJSON, Call, Operation
from spanserve.doors.http.stream import LineStream

PATH = "/v1/answer"
_EXAMPLE = {
    "context": "The Amazon rainforest covers 5,500,000 square kilometres.",
    "questions": ["How large is the Amazon rainforest?"],
}

T = TypeVar("T")


class Answers:
    """Answers over HTTP.

    Args:
        calls: lets them in.
    """

    def __init__(self, inside: Inside, calls: Calls) -> None:
        self._inside = inside
        self._calls = calls
        self._count = itertools.count(1)
        self._streams: set[LineStream] = set()

    def operations(self) -> list[Operation]:
        """The operation."""
        return [
            Operation(
                path=PATH,
                method="POST",
                handle=self._answer,
                summary="Answer questions about a text",
                description="One task as JSON; or many as NDJSON, a task a line: results come as soon as there are "
                "any, in any order, and lines are read no faster than the worker takes them.",
                body={JSON: models.Task, NDJSON: models.Task},
                answers={200: {JSON: models.Result, NDJSON: models.ResultLine | models.ErrorLine}},
                errors=(400, 408, 413, 415, 422, 504),
                examples={JSON: _EXAMPLE},
            )
        ]

    def drain(self) -> None:
        """Stop reading lines; results of what is held still go out."""
        for stream in tuple(self._streams):
            stream.drain()

    async def _answer(self, call: Call) -> Response:
        kind = media_type(call.request, JSON, NDJSON)
        with self._calls.enter(call.caller, call.connection) as account:
            if kind == NDJSON:
                return LineStream(self._inside, call, self._streams, lambda: f"line-{next(self._count)}")
            data = await read_whole(call.request)
            with self._inside.admission.entering():
                model = await call.in_turn(parts_of(data), partial(parse, models.Task, data))
                task = call.caller.own(model.to_task(f"call-{next(self._count)}", ANSWER_TIMEOUT_MS))
                answering = self._inside.admission.call(account, [task], call.origin)
                (result,) = await unless_gone(call.request, answering)
            error = result.shared_error
            if error is not None and not error.field.startswith("questions."):  # it is the task's
                raise error
        return Response(to_json(models.result_to_json(result, task.context)), media_type=JSON)


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Wait for work for a client whose body has been read; without the client it is cancelled.

    Raises:
        ClientDisconnect: the client has gone.
    """
    return await unless(disconnected(request), work)

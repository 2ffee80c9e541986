"""The spans of a worker's tasks: an observer that records when things happen.

    spanserve.task       from the arrival of a task, in the queue where it came through one, to its end
    ├── queue            until it is tokenised
    ├── tokenise
    ├── wait             for a batch       once for every batch that it was in
    ├── device           in that batch     once for every batch that it was in
    └── decode           from the last batch to the end

A task whose trace is not sampled costs one look at that. Names and numbers go into spans, texts never.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from spanserve.contract import Task
from spanserve.contract.trace import TraceContext
from spanserve.engine.batcher import Batch
from spanserve.engine.observer import Observer
from spanserve.engine.request import Request


@dataclass(slots=True)
class _Live:
    """A task whose trace is recorded, until it ends. Times are seconds of the worker's clock."""

    span: Span
    #: When it began to wait: in the queue, or here.
    began: float
    #: Nanoseconds between the worker's clock and the wall's: one for all spans, so that they nest.
    offset_ns: int
    #: Since when its windows wait for a batch, where that is not since they were made: they were in one that failed.
    waits: float = 0.0
    #: When its last batch came back; 0.0 before.
    returned: float = 0.0

    def ns(self, at: float) -> int:
        return self.offset_ns + round(at * 1e9)


class Traces(Observer):
    """Makes spans of what happens to tasks.

    Args:
        tracer: samples and exports.
        clock: seconds, monotonic; that of the engine.
        wall_ns: nanoseconds since 1970.
    """

    def __init__(
        self,
        tracer: Tracer,
        clock: Callable[[], float] = time.monotonic,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tracer = tracer
        self._clock = clock
        self._wall_ns = wall_ns
        self._live: dict[Request[Any], _Live] = {}
        self._sent: dict[Batch, float] = {}

    def request_arrived(self, request: Request[Any]) -> None:
        origin = request.origin
        began = request.arrived - origin.waited_s
        offset_ns = self._wall_ns() - round(self._clock() * 1e9)
        span = self._tracer.start_span(
            "spanserve.task",
            _remote(origin.trace),
            SpanKind.CONSUMER if origin.queue else SpanKind.SERVER,
            start_time=offset_ns + round(began * 1e9),
        )
        if not span.is_recording():
            return
        live = self._live[request] = _Live(span, began, offset_ns)
        span.set_attributes(_asked(request))
        if origin.queue:
            span.set_attribute("spanserve.queue", origin.queue)
            span.add_event("claimed", timestamp=live.ns(request.arrived))

    def batch_formed(self, batch: Batch, max_batch: int) -> None:
        if self._live and any(row.question.request in self._live for row in batch.rows):
            self._sent[batch] = self._clock()

    def batch_returned(self, batch: Batch, seconds: float) -> None:
        now = self._clock()
        for live in self._went(batch, now, seconds):
            live.returned = now

    def batch_failed(self, batch: Batch, error: BaseException) -> None:
        now = self._clock()
        for live in self._went(batch, now, status=Status(StatusCode.ERROR, str(error))):
            live.waits = now

    def request_ended(self, request: Request[Any], result: Any) -> None:
        live = self._live.pop(request, None)
        if live is None:
            return
        encoded = request.encode_began or request.ended_at
        self._child(live, "queue", live.began, encoded)
        if request.encoded is not None:
            self._child(live, "tokenise", request.encode_began, request.encode_ended)
        if live.returned:
            self._child(live, "decode", live.returned, request.ended_at)
        live.span.set_attribute("spanserve.windows", request.windows)
        live.span.set_attribute("spanserve.attempt", request.attempt)
        refused = [question.error for question in request.questions if question.error is not None]
        if refused:
            live.span.set_attribute("spanserve.refused", len(refused))
            live.span.set_attribute("error.type", refused[0].code.name)
        if len(refused) == len(request.questions):
            live.span.set_status(StatusCode.ERROR, str(refused[0]))
        live.span.end(live.ns(request.ended_at))

    def _went(
        self, batch: Batch, now: float, seconds: float = 0.0, status: Status | None = None
    ) -> list[_Live]:
        """Write down for each task in a batch that it waited for it and was in it, `seconds` at least; returns them."""
        told = self._sent.pop(batch, None)
        if told is None:
            return []
        sent = min(told, now - seconds)  # the device may have begun before we were told
        since: dict[Request[Any], float] = {}
        for row in batch.rows:
            request = row.question.request
            since[request] = min(row.since, since.get(request, row.since))
        facts = {"spanserve.batch.windows": len(batch.rows), "spanserve.batch.length": batch.length}
        found = [
            (self._live[request], entered) for request, entered in since.items() if request in self._live
        ]
        for live, entered in found:
            self._child(live, "wait", max(entered, live.waits), sent)
            self._child(live, "device", sent, now, facts, status)
        return [live for live, _ in found]

    def _child(
        self,
        live: _Live,
        name: str,
        began: float,
        ended: float,
        facts: dict[str, int] | None = None,
        status: Status | None = None,
    ) -> None:
        span = self._tracer.start_span(
            name, set_span_in_context(live.span), attributes=facts, start_time=live.ns(began)
        )
        if status is not None:
            span.set_status(status)
        span.end(live.ns(ended))


def _remote(trace: TraceContext | None) -> Context:
    """The context of a span of another program; an empty one where there is none: the task begins a trace."""
    if trace is None:
        return Context()
    parent = SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(trace.flags),
        trace_state=TraceState.from_header([trace.state]) if trace.state else None,
    )
    return set_span_in_context(NonRecordingSpan(parent))


def _asked(request: Request[Any]) -> dict[str, str | int]:
    """What a task asks for; one of rows of tokens has no name."""
    task = request.task
    facts: dict[str, str | int] = {
        "spanserve.priority": task.priority.name.lower(),
        "spanserve.questions": len(task.questions),
    }
    if isinstance(task, Task):
        facts |= {
            "spanserve.task_id": task.id,
            "spanserve.run_id": task.run_id,
            "spanserve.tenant": task.tenant,
        }
    return facts

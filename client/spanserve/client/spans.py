"""A span for each task that a client hands over, as part of the trace that its program is in.

They are made by OpenTelemetry's API, where the program uses it. Its provider decides whether a trace is recorded, and
where it goes; without a provider the trace context is passed on as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from spanserve.contract import Task, TaskResult
from spanserve.contract.trace import TraceContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class TaskSpans:
    """The spans of the tasks of one call, under the span that is current when they are handed over."""

    def __init__(self) -> None:
        # Looked up and not imported: a program that has not imported it has no current span.
        self._api: Any = sys.modules.get("opentelemetry.trace")
        self._open: dict[str, Span] = {}

    def begin(self, tasks: Iterable[Task]) -> None:
        """Tasks are handed over."""
        if self._api is None:
            return
        tracer = self._api.get_tracer("spanserve")
        for task in tasks:
            span = tracer.start_span("spanserve.answer", kind=self._api.SpanKind.CLIENT)
            if not span.get_span_context().is_valid:
                return  # nothing is traced
            self._open[task.id] = span
            if span.is_recording():
                span.set_attributes(
                    {
                        "spanserve.task_id": task.id,
                        "spanserve.run_id": task.run_id,
                        "spanserve.questions": len(task.questions),
                    }
                )

    def trace(self, task: Task) -> TraceContext | None:
        """What travels next to a task; None for nothing."""
        span = self._open.get(task.id)
        if span is None:
            return None
        context = span.get_span_context()
        return TraceContext(
            f"{context.trace_id:032x}",
            f"{context.span_id:016x}",
            int(context.trace_flags),
            context.trace_state.to_header(),
        )

    def end(self, result: TaskResult) -> None:
        """The result of a task is there."""
        self._end(result.id, result.shared_error)

    def close(self, error: BaseException | None = None) -> None:
        """The others are no longer waited for."""
        for task_id in list(self._open):
            self._end(task_id, error)

    def _end(self, task_id: str, error: BaseException | None) -> None:
        span = self._open.pop(task_id, None)
        if span is None:
            return
        if error is not None:
            span.set_status(self._api.StatusCode.ERROR, str(error))
        span.end()

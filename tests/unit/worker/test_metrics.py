"""What a worker counts of its tasks, end to end."""

from __future__ import annotations

from typing import Any

import pytest

from spanserve.contract import Priority, Question, Task, TaskResult
from spanserve.device.telemetry import Reading
from spanserve.engine.request import Request
from spanserve.queue import End, JobId, JobState, Lease
from spanserve.worker.metrics import Metrics


def ended(priority: Priority, seconds: float, *, cancelled: bool = False) -> Request[Any]:
    task = Task(id="t", context="c", questions=(Question("q", "who"),), priority=priority)
    request = Request(task, 1, lambda request: None, arrived=5.0)
    request.ended_at = 5.0 + seconds
    request.cancelled = cancelled
    return request


def observed(metrics: Metrics, name: str, priority: str) -> tuple[float | None, float | None]:
    """How many, and their sum."""
    get, labels = metrics.registry.get_sample_value, {"priority": priority}
    return get(f"{name}_count", labels), get(f"{name}_sum", labels)


def test_tasks_by_priority() -> None:
    """A task counts from arrival to result under its priority; one that was withdrawn does not."""
    metrics = Metrics()
    for request in (
        ended(Priority.INTERACTIVE, 0.25),
        ended(Priority.INTERACTIVE, 0.5),
        ended(Priority.BULK, 40.0),
        ended(Priority.BULK, 7.0, cancelled=True),
    ):
        metrics.request_ended(request, TaskResult(id="t", questions=()))
    assert (2, 0.75) == observed(metrics, "spanserve_task_seconds", "interactive")
    assert (1, 40.0) == observed(metrics, "spanserve_task_seconds", "bulk")


@pytest.mark.parametrize(("number", "priority"), [(1, "interactive"), (2, "bulk")])
def test_queue_tasks_by_class(number: int, priority: str) -> None:
    """A task of the queue counts from its entry to its end under its class; one that was withdrawn does not."""
    metrics = Metrics()
    lease = Lease(number, "1-0", JobId("default", "run", "t"))
    for state, seconds in ((JobState.DONE, 2.0), (JobState.DEAD, 3.0), (JobState.CANCELLED, 9.0)):
        metrics.task_aged("q", End(lease, state, b""), seconds)
    assert (2, 5.0) == observed(metrics, "spanserve_queue_task_seconds", priority)


def test_card() -> None:
    """A reading is shown under the labels of mlu-exporter; what the card does not tell, or no more, is not shown."""
    metrics = Metrics()
    reading = Reading(
        card=1,
        model="MLU370-X4",
        driver="5.10.22",
        utilization=93,
        memory_used=4096,
        memory_total=8192,
        power=None,
        temperature=32,
    )
    metrics.card_read(reading)
    labels = {"mlu": "1", "model": "MLU370-X4", "driver": "5.10.22"}
    names = ("utilization", "memory_used_bytes", "memory_total_bytes", "power_watts", "temperature_celsius")

    def shown() -> list[float | None]:
        return [metrics.registry.get_sample_value(f"spanserve_card_{name}", labels) for name in names]

    assert [93, 4096, 8192, None, 32] == shown()
    metrics.card_read(None)
    assert [None] * 5 == shown()

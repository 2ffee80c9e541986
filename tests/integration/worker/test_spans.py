"""The spans of a worker's tasks: where a task is cut into windows, retried, withdrawn, or not sampled."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_OFF, DEFAULT_ON, Sampler

from spanserve.bundle import Bundle
from spanserve.contract import ErrorCode, Refusal, Task, TaskResult
from spanserve.contract.trace import TraceContext
from spanserve.engine.origin import Origin
from spanserve.worker.traces import Traces
from tests.kit.bundles import POISON_ID, make_sim_bundle
from tests.kit.serving import Rig, rig
from tests.kit.wire import CONTEXT, make_task

SAMPLED = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", 1, "a=1")


class Traced:
    """A worker in this process, and the spans that it has made."""

    def __init__(self, made: Rig, traces: Traces, exporter: InMemorySpanExporter) -> None:
        self.rig = made
        self.traces = traces
        self._exporter = exporter

    async def run(self, task: Task, origin: Origin) -> TaskResult:
        done: list[TaskResult] = []
        self.rig.engine.submit(task, done.append, origin=origin)
        await self.rig.engine.idle.wait()
        return done[0]

    def spans(self, name: str) -> list[ReadableSpan]:
        """In the order of their beginnings."""
        found = [span for span in self._exporter.get_finished_spans() if span.name == name]
        return sorted(found, key=lambda span: span.start_time or 0)

    @property
    def count(self) -> int:
        return len(self._exporter.get_finished_spans())


@asynccontextmanager
async def traced(
    bundle: Bundle, device: str = "sim:fixed", sampler: Sampler = DEFAULT_ON
) -> AsyncIterator[Traced]:
    async with rig(bundle, device) as made:
        exporter, provider = InMemorySpanExporter(), TracerProvider(sampler=sampler)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        traces = Traces(provider.get_tracer("test"), time.monotonic)
        made.engine.observers.add(traces)
        yield Traced(made, traces, exporter)
        assert not traces._live
        assert not traces._sent


def fact(span: ReadableSpan, name: str) -> object:
    return (span.attributes or {}).get(f"spanserve.{name}")


def times(spans: Sequence[ReadableSpan]) -> list[tuple[int, int]]:
    return [(span.start_time or 0, span.end_time or 0) for span in spans]


async def test_many_windows(tmp_path: Path) -> None:
    """A task of several batches waits for each and is in each; it waits for the first from when it was tokenised."""
    long = make_task("long", "Who said?", context=f"{CONTEXT} " * 300)
    async with traced(make_sim_bundle(tmp_path / "b", max_batch_size=4)) as made:
        result = await made.run(long, Origin(trace=SAMPLED))
        answer = result.questions[0].answer
        assert answer is not None
        (task,), waits, devices = made.spans("spanserve.task"), made.spans("wait"), made.spans("device")
        assert (
            answer.windows
            == fact(task, "windows")
            == sum(int(str(fact(d, "batch.windows"))) for d in devices)
        )
        assert len(waits) == len(devices) > 1
        assert {(start, end) for start, end in times(waits)} == {
            (times(waits)[0][0], start) for start, _ in times(devices)
        }
        assert 1 == len(made.spans("queue")) == len(made.spans("tokenise")) == len(made.spans("decode"))


async def test_a_batch_that_fails(sim_bundle: Bundle) -> None:
    """Every run of a task on the device is there, the failed ones marked; between them it waits."""
    async with traced(sim_bundle, f"sim:fixed?fail_id={POISON_ID}") as made:
        await made.run(make_task("p", "Where is the poison?"), Origin(trace=SAMPLED))
        (task,), waits, devices = made.spans("spanserve.task"), made.spans("wait"), made.spans("device")
        assert [False] * len(devices) == [device.status.is_ok for device in devices]
        assert len(waits) == len(devices) > 2
        alternating = [at for pair in zip(times(waits), times(devices), strict=True) for at in pair]
        assert all(one[1] <= other[0] for one, other in pairwise(alternating))
        assert not task.status.is_ok
        assert "POISON" == (task.attributes or {})["error.type"]
        assert [] == made.spans("decode")


async def test_withdrawn(sim_bundle: Bundle) -> None:
    """A task that nobody waits for any more has a span that ends there, and no stage that it never came to."""
    async with traced(sim_bundle) as made:
        made.rig.block()
        request = made.rig.engine.submit(make_task(), lambda result: None, origin=Origin(trace=SAMPLED))
        made.rig.engine.cancel(request, Refusal(ErrorCode.CANCELLED, "gone"))
        await made.rig.engine.idle.wait()
        (task,) = made.spans("spanserve.task")
        assert "CANCELLED" == (task.attributes or {})["error.type"]
        assert [(task.start_time, task.end_time)] == times(made.spans("queue"))
        assert 2 == made.count


async def test_it_waited_elsewhere(sim_bundle: Bundle) -> None:
    """The time in a queue belongs to the task, and to its span `queue`; the claim is an event in it."""
    async with traced(sim_bundle) as made:
        await made.run(make_task(), Origin(trace=SAMPLED, queue="squad", waited_s=3.0))
        (task,) = made.spans("spanserve.task")
        assert "squad" == fact(task, "queue")
        (claimed,) = task.events
        assert 3_000_000_000 == claimed.timestamp - (task.start_time or 0)
        assert task.start_time == times(made.spans("queue"))[0][0]
        assert task.parent is not None
        assert (SAMPLED.trace_id, SAMPLED.state) == (
            f"{task.parent.trace_id:032x}",
            task.parent.trace_state.to_header(),
        )


async def test_not_sampled(sim_bundle: Bundle) -> None:
    """Of a task that is not sampled nothing is kept, whoever decided that."""
    unsampled = TraceContext(SAMPLED.trace_id, SAMPLED.span_id, 0)
    async with traced(sim_bundle, sampler=DEFAULT_OFF) as made:
        for origin in (Origin(trace=unsampled), Origin()):
            made.rig.engine.submit(make_task("off"), lambda result: None, origin=origin)
            assert not made.traces._live
        await made.rig.engine.idle.wait()
        await made.run(make_task("on"), Origin(trace=SAMPLED))  # its parent is: the sampler follows it
        assert [("on",)] == [(fact(span, "task_id"),) for span in made.spans("spanserve.task")]

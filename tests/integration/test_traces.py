"""Traces from a client through a worker to a collector: one tree of spans, over gRPC and through Redis."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spanserve.client import AsyncClient, Client
from spanserve.client.grpc.channel import stub_of
from spanserve.v1 import worker_pb2
from tests.kit.bundles import POISON_ID
from tests.kit.collector import CollectedSpan, Collector
from tests.kit.oip import infer_request, qa_tensors
from tests.kit.processes import PATIENCE_S, ROOT, WorkerProcess
from tests.kit.redis_server import RedisServer, servers
from tests.kit.wire import RawStream, make_task, make_tasks, open_raw

StartWorker = Callable[..., WorkerProcess]

STAGES = ("queue", "tokenise", "wait", "device", "decode")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
#: What clocks of one machine may differ by, and what a process may be late by on a busy one.
CLOCKS_NS = 10_000_000_000
TEXT = "Anna Holm said so. The harbour froze in 1871."


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.over_grpc() as collector:
        yield collector


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path / "redis", servers()[0]).start()
    yield server
    server.close()


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> tuple[TracerProvider, InMemorySpanExporter]:
    """What a program that traces has: a provider, which is that of the process, and the spans it has recorded."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", lambda name: provider.get_tracer(name))
    return provider, exporter


def ask(collector: Collector, *arguments: str) -> None:
    """Ask as somebody at a terminal does, whose environment wants traces."""
    command = [sys.executable, "-m", "spanserve", "ask", "-c", TEXT, "Who said so?", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **collector.environment}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE_S)
    assert 0 == done.returncode, done.stderr.decode()
    assert b"" == done.stderr


def one_tree(collector: Collector) -> dict[str, CollectedSpan]:
    """The spans by name, which are one tree: client over task over stages, each within the time of what it is under."""
    spans = {span.name: span for span in collector.named("spanserve.answer", "spanserve.task", *STAGES)}
    assert 1 == len({span.trace_id for span in spans.values()})
    answer, task = spans["spanserve.answer"], spans["spanserve.task"]
    assert "" == answer.parent_id
    assert answer.span_id == task.parent_id
    assert ("spanserve-client", "spanserve-worker") == (answer.service, task.service)
    assert abs(answer.began - task.began) < CLOCKS_NS  # that of Redis counts milliseconds
    assert abs(answer.ended - task.ended) < CLOCKS_NS
    for name in STAGES:
        assert task.span_id == spans[name].parent_id
        assert task.holds(spans[name])
    order = [spans[name] for name in STAGES]
    assert all(one.ended <= next_.began for one, next_ in pairwise(order))
    assert task.began == spans["queue"].began
    assert task.ended == spans["decode"].ended
    assert not any(span.failed for span in spans.values())
    return spans


def test_over_grpc(collector: Collector, start_worker: StartWorker) -> None:
    """A question over gRPC is one trace from the client's call to the answer, with the device's time in it."""
    worker = start_worker("--name", "w", device="sim:fixed?latency_ms=20", env=collector.environment)
    ask(collector, "--worker", worker.wait_ready().address)
    spans = one_tree(collector)
    assert spans["device"].ended - spans["device"].began >= 20_000_000
    assert {"spanserve.batch.windows": 1, "spanserve.batch.length": 32} == spans["device"].attributes
    facts = spans["spanserve.task"].attributes
    assert (1, 1, "interactive") == tuple(
        facts[f"spanserve.{name}"] for name in ("questions", "windows", "priority")
    )
    assert TEXT not in str(collector.spans)


def test_through_redis(collector: Collector, start_worker: StartWorker, redis: RedisServer) -> None:
    """A question through a queue is one trace; what it waited for in Redis is in the span `queue`."""
    worker = start_worker("--redis", redis.url, env=collector.environment)
    worker.wait_for("queue")
    ask(collector, "--redis", redis.url)
    spans = one_tree(collector)
    assert "default" == spans["spanserve.task"].attributes["spanserve.queue"]
    assert (5, 3) == (spans["spanserve.task"].kind, spans["spanserve.answer"].kind)  # consumer, client


def test_over_http(start_worker: StartWorker) -> None:
    """OTLP over HTTP is a variable away, as the name of the service is."""
    with Collector.over_http() as collector:
        named = {**collector.environment, "OTEL_SERVICE_NAME": "mine"}
        worker = start_worker(env=named).wait_ready()
        ask(collector, "--worker", worker.address)
        spans = collector.named("spanserve.answer", "spanserve.task", *STAGES)
        assert {"spanserve-client", "mine"} == {span.service for span in spans}


async def test_within_a_program(
    collector: Collector, start_worker: StartWorker, recorded: tuple[TracerProvider, InMemorySpanExporter]
) -> None:
    """Tasks that a program streams, or asks one by one, are part of its trace, each with a span of its own."""
    provider, exporter = recorded
    worker = start_worker(env=collector.environment).wait_ready()
    with provider.get_tracer("program").start_as_current_span("program") as span:
        async with AsyncClient(worker.address) as client:
            assert 20 == len([result async for result in client.answer_all(make_tasks(20))])
            await client.answer(make_task("alone"))
    program = span.get_span_context()
    answers = {
        made.context.span_id: made
        for made in exporter.get_finished_spans()
        if made.name == "spanserve.answer"
    }
    assert {program.span_id} == {made.parent.span_id for made in answers.values() if made.parent}
    tasks = collector.wait_for(lambda spans: 21 == sum(span.name == "spanserve.task" for span in spans))
    found = {int(task.parent_id, 16): task for task in tasks if task.name == "spanserve.task"}
    assert set(answers) == set(found)
    assert {f"{program.trace_id:032x}"} == {task.trace_id for task in tasks}
    for span_id, task in found.items():
        facts = answers[span_id].attributes
        assert facts is not None
        assert facts["spanserve.task_id"] == task.attributes["spanserve.task_id"]


async def test_headers_and_frames(collector: Collector, start_worker: StartWorker) -> None:
    """A bad trace context is ignored, beside a good one, in frames and metadata; what is not sampled leaves nothing."""
    worker = start_worker(env=collector.environment).wait_ready()
    async with open_raw(worker.address) as channel:
        stream = RawStream(channel)
        await stream.hello()
        contexts = (PARENT, "nonsense", PARENT[:-2] + "00", "")
        tasks = [make_task(name) for name in ("good", "bad", "unsampled", "empty", "none")]
        batch = worker_pb2.TaskBatch(tasks=[task.to_bytes() for task in tasks], traces=contexts)
        await stream.send(worker_pb2.ClientFrame(tasks=batch))
        await stream.until(results=5)
        more = worker_pb2.TaskBatch(tasks=[make_task("more").to_bytes()], traces=[PARENT] * 3)
        await stream.send(worker_pb2.ClientFrame(tasks=more))
        await stream.until(results=6)
        assert [] == stream.heard.errors
        for name, metadata in (
            ("unary", (("traceparent", PARENT), ("tracestate", "a=1"))),
            ("upper", (("traceparent", PARENT.upper()),)),
        ):
            request = worker_pb2.AnswerRequest(task=make_task(name).to_proto())
            await stub_of(channel).Answer(request, metadata=metadata)
    spans = collector.wait_for(lambda spans: 7 == sum(span.name == "spanserve.task" for span in spans))
    trees = {span.attributes["spanserve.task_id"]: span for span in spans if span.name == "spanserve.task"}
    continued = {
        name for name, span in trees.items() if (TRACE, PARENT[36:52]) == (span.trace_id, span.parent_id)
    }
    assert {"good", "more", "unary"} == continued
    assert {"bad", "empty", "none", "upper"} == {name for name, span in trees.items() if not span.parent_id}
    assert 5 == len({span.trace_id for span in trees.values()})


async def test_over_http_and_the_open_protocol(collector: Collector, start_worker: StartWorker) -> None:
    """The headers of HTTP, for one task and for lines, and the metadata of ModelInfer carry the context as well."""
    worker = start_worker("--http", "127.0.0.1:0", env=collector.environment).wait_ready()
    address = worker.wait_for("listening", 2)["address"]
    task = {"context": TEXT, "questions": ["Who said so?"]}
    inputs = [
        {"name": name, "datatype": "BYTES", "shape": [1], "data": [text]}
        for name, text in (("question", "Who said so?"), ("context", TEXT))
    ]
    for path, kind, bodies in (
        ("v1/answer", "application/json", [task]),
        ("v1/answer", "application/x-ndjson", [task, task]),
        ("v2/models/qa/infer", "application/json", [{"inputs": inputs}]),
    ):
        body = b"\n".join(json.dumps(entry).encode() for entry in bodies)
        headers = {"Content-Type": kind, "Traceparent": PARENT}
        request = urllib.request.Request(f"http://{address}/{path}", body, headers)
        with await asyncio.to_thread(urllib.request.urlopen, request) as response:
            assert len(bodies) == len(response.read().strip().splitlines())
    async with open_raw(worker.address) as channel:
        infer: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        asked = infer_request("qa", qa_tensors(("Who said so?", TEXT)))
        await infer(asked.SerializeToString(), metadata=(("traceparent", PARENT),))
    spans = collector.wait_for(lambda spans: 5 == sum(span.name == "spanserve.task" for span in spans))
    assert {(TRACE, PARENT[36:52])} == {
        (span.trace_id, span.parent_id) for span in spans if span.name == "spanserve.task"
    }


async def test_the_log_names_the_trace(start_worker: StartWorker) -> None:
    """Lines about a task carry its trace id, whether spans are exported or not."""
    worker = start_worker(device=f"sim:fixed?fail_id={POISON_ID}").wait_ready()
    async with open_raw(worker.address) as channel:
        request = worker_pb2.AnswerRequest(task=make_task("p", "Where is the poison?").to_proto())
        with pytest.raises(aio.AioRpcError):
            await stub_of(channel).Answer(request, metadata=(("traceparent", PARENT),))
    assert TRACE == worker.wait_for("batch failed")["trace_id"]


def test_without_the_extra(start_worker: StartWorker, tmp_path: Path) -> None:
    """Where the packages are missing one line says how to get them, and the worker serves."""
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry/__init__.py").touch()  # hides the real one
    path = os.pathsep.join([str(tmp_path), *sys.path])
    worker = start_worker(env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": path})
    told = worker.wait_ready().wait_for("no traces")["error"]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces" in told
    assert told.endswith("pip install 'spanserve[otel]'")


def test_a_collector_that_is_away(start_worker: StartWorker) -> None:
    """Without its collector a worker answers, and ends as fast as it would."""
    worker = start_worker(
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    )
    with Client(worker.wait_ready().address) as client:
        assert 1 == len(client.ask(TEXT, ["Who said so?"]))
    worker.signal(signal.SIGTERM)
    assert 0 == worker.wait()

"""The spans of a client's tasks: what travels beside them, whoever traces, and how they end."""

from __future__ import annotations

import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from spanserve.client import NoWorker
from spanserve.client.spans import TaskSpans
from spanserve.contract import Question, Refusal, Task, TaskResult

TASKS = [Task(id=name, context="Anna.", questions=(Question("q", "Who?"),)) for name in ("a", "b", "c")]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans of a program with a provider."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr("opentelemetry.trace.get_tracer", lambda name: provider.get_tracer(name))
    return exporter


def test_nobody_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry, or where nobody has set it up, nothing travels and nothing is kept."""
    for _ in range(2):
        spans = TaskSpans()
        spans.begin(TASKS)
        assert [None] * 3 == [spans.trace(task) for task in TASKS]
        spans.end(TaskResult.refused(TASKS[0], Refusal.invalid("a", "b")))
        spans.close()
        monkeypatch.delitem(sys.modules, "opentelemetry.trace", raising=False)


def test_passed_on() -> None:
    """A program that only passes a context on, without a provider, passes it to the worker as well."""
    parent = trace.SpanContext(
        1, 2, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=trace.TraceState([("a", "1")])
    )
    with trace.use_span(trace.NonRecordingSpan(parent)):
        spans = TaskSpans()
        spans.begin(TASKS)
    found = spans.trace(TASKS[0])
    assert found is not None
    assert f"00-{'0' * 31}1-{'0' * 15}2-01 a=1" == found.text


def test_ends(recorded: InMemorySpanExporter) -> None:
    """A span ends once: with the result of its task, or when nobody waits any more; it tells an error of all of it."""
    spans = TaskSpans()
    spans.begin(TASKS)
    traces = [spans.trace(task) for task in TASKS]
    assert 3 == len({found.trace_id for found in traces if found})  # each is a trace of its own
    for _ in range(2):
        spans.end(TaskResult.refused(TASKS[0], Refusal.invalid("context", "is empty")))
        spans.close(NoWorker("nobody is there"))
    first, *others = recorded.get_finished_spans()
    assert [None] * 3 == [spans.trace(task) for task in TASKS]
    assert "INVALID_ARGUMENT: context: is empty" == first.status.description
    assert ["nobody is there"] * 2 == [span.status.description for span in others]

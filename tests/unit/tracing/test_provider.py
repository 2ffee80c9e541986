"""Where spans go: who asks for them, and what is said where they cannot go there."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from spanserve.engine.observer import Observers
from spanserve.tracing import Provider, TracingError, asked_by
from spanserve.worker.tracing import begin_tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


@pytest.mark.parametrize(
    ("environment", "by"),
    [
        ({}, ""),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, ""),
        (ENDPOINT, "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, ""),
        ({"OTEL_TRACES_EXPORTER": "console"}, "OTEL_TRACES_EXPORTER"),
        ({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"}, ""),
        ({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}, ""),
    ],
)
def test_who_asks(environment: dict[str, str], by: str) -> None:
    """An exporter or an endpoint asks for traces; a name, a sampler or an empty text does not."""
    assert by == asked_by(environment)
    assert bool(by) or begin_tracing("w", Observers(), environment) is None


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "traces cannot be exported to 'zipkin': use otlp, console or none",
        ),
        (
            {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "carrier pigeon"},
            "OTEL_EXPORTER_OTLP_PROTOCOL is 'carrier pigeon': use grpc or http/protobuf",
        ),
        (
            {**ENDPOINT, "OTEL_BSP_MAX_QUEUE_SIZE": "-1"},
            "OTEL_EXPORTER_OTLP_ENDPOINT asks for traces, which cannot be exported: max_queue_size must be",
        ),
    ],
)
def test_what_cannot_be(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], told: str) -> None:
    """A variable that cannot be used is named; a worker says so and goes on without traces."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(TracingError) as caught:
        Provider("service", {}, variables)
    assert str(caught.value).startswith(told)
    with capture_logs() as lines:
        assert begin_tracing("w", Observers(), variables) is None
    assert [("no traces", "warning")] == [(line["event"], line["log_level"]) for line in lines]

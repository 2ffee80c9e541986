"""A collector of spans: what OTLP brings over gRPC or HTTP, to be looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as pb
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as services

#: Seconds that spans may take to come.
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedSpan:
    """One span as it came; times are nanoseconds since 1970."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]

    def holds(self, other: CollectedSpan) -> bool:
        """Whether another one lies within this one's time."""
        return self.began <= other.began <= other.ended <= self.ended


class Collector(services.TraceServiceServicer):
    """Keeps spans by the order in which they came."""

    def __init__(self) -> None:
        self._spans: list[CollectedSpan] = []
        self._more = threading.Condition()
        self.address = ""
        self.protocol = "grpc"

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs that shall export to this one, soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.address,
            "OTEL_EXPORTER_OTLP_PROTOCOL": self.protocol,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def Export(self, request: Any, context: Any) -> Any:
        with self._more:
            for resource in request.resource_spans:
                facts = _facts(resource.resource.attributes)
                for scope in resource.scope_spans:
                    self._spans += [_span(facts["service.name"], span) for span in scope.spans]
            self._more.notify_all()
        return pb.ExportTraceServiceResponse()

    @property
    def spans(self) -> list[CollectedSpan]:
        with self._more:
            return list(self._spans)

    def wait_for(self, done: Callable[[list[CollectedSpan]], bool]) -> list[CollectedSpan]:
        """The spans, once there are enough of them."""
        with self._more:
            assert self._more.wait_for(lambda: done(self._spans), PATIENCE_S), f"only {self._spans}"
            return list(self._spans)

    def named(self, *names: str) -> list[CollectedSpan]:
        """The spans, once there is one of each name."""
        return self.wait_for(lambda spans: set(names) <= {span.name for span in spans})

    @classmethod
    @contextmanager
    def over_grpc(cls) -> Iterator[Self]:
        collector = cls()
        server = grpc.server(ThreadPoolExecutor(2))
        services.add_TraceServiceServicer_to_server(collector, server)  # type: ignore[no-untyped-call]
        collector.address = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        try:
            yield collector
        finally:
            server.stop(None).wait()

    @classmethod
    @contextmanager
    def over_http(cls) -> Iterator[Self]:
        collector = cls()
        collector.protocol = "http/protobuf"

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                collector.Export(pb.ExportTraceServiceRequest.FromString(data), None)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        collector.address = f"http://127.0.0.1:{server.server_port}"
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield collector
        finally:
            server.shutdown()
            serving.join()
            server.server_close()


def _span(service: str, span: Any) -> CollectedSpan:
    return CollectedSpan(
        service=service,
        name=span.name,
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        kind=span.kind,
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_facts(span.attributes),
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in attributes}

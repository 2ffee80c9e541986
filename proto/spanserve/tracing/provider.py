"""The provider of tracers, of OpenTelemetry's SDK: it samples, collects and exports.

Its settings are OpenTelemetry's own variables, and nearly all are read by its SDK: OTEL_EXPORTER_OTLP_*,
OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES, OTEL_TRACES_SAMPLER, OTEL_BSP_*. Exporters are found as it finds them.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any, Final

from spanserve.tracing.errors import TracingError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

#: Setting one of these asks for traces.
_ASKING: Final = (
    "OTEL_TRACES_EXPORTER",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
)
#: Transport of OTLP -> the name under which its exporter is found, and the package that has it.
_PROTOCOLS: Final = {
    "grpc": ("otlp_proto_grpc", "opentelemetry-exporter-otlp-proto-grpc"),
    "http/protobuf": ("otlp_proto_http", "opentelemetry-exporter-otlp-proto-http"),
}
_EXTRA: Final = "pip install 'spanserve[otel]'"
#: Seconds that a process waits at its end for spans that a collector has not taken yet.
CLOSE_S: Final = 2.0


def asked_by(environment: Mapping[str, str]) -> str:
    """The variable that asks for traces; empty if none does."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return ""
    if environment.get("OTEL_TRACES_EXPORTER", "").strip() == "none":
        return ""
    return next((name for name in _ASKING if environment.get(name, "").strip()), "")


class Provider:
    """Makes tracers, and exports their spans from a thread of its own.

    Args:
        service: name of the service, where OTEL_SERVICE_NAME gives none.
        facts: further attributes of the resource, by their names in OpenTelemetry.
        environment: variables; those of the process, which is where the SDK reads the others.

    Raises:
        TracingError: a package is missing, or a variable cannot be used.
    """

    def __init__(self, service: str, facts: Mapping[str, str], environment: Mapping[str, str]) -> None:
        by = asked_by(environment)
        try:
            from opentelemetry.sdk.resources import OTELResourceDetector, Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ModuleNotFoundError as error:
            raise TracingError(
                f"{by} asks for traces, which need the package {error.name}: {_EXTRA}"
            ) from None
        ours = {"service.name": service, "service.version": version("spanserve"), **facts}
        # What is made by `create` goes before the environment, so the environment is put on top.
        resource = Resource.create({**ours, **OTELResourceDetector().detect().attributes})
        self._provider: TracerProvider = TracerProvider(resource=resource, shutdown_on_exit=False)
        try:
            for exporter in _exporters(environment):
                self._provider.add_span_processor(BatchSpanProcessor(exporter()))
        except TracingError:
            raise
        except Exception as error:  # whatever the SDK makes of its variables
            raise TracingError(f"{by} asks for traces, which cannot be exported: {error}") from None

    def tracer(self) -> Tracer:
        """The tracer of this package."""
        return self._provider.get_tracer("spanserve", version("spanserve"))

    def use_everywhere(self) -> None:
        """Be the provider of this process, unless it has one."""
        from opentelemetry import trace

        trace.set_tracer_provider(self._provider)

    def close(self) -> None:
        """Export what is left. A collector that is away is not waited for long."""
        closing = threading.Thread(target=self._provider.shutdown, name="spanserve-traces", daemon=True)
        closing.start()
        closing.join(CLOSE_S)


def _exporters(environment: Mapping[str, str]) -> list[Any]:
    """The classes of the exporters that OTEL_TRACES_EXPORTER names; without it OTLP."""
    names = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    return [_exporter(name.strip(), environment) for name in names.split(",")]


def _exporter(name: str, environment: Mapping[str, str]) -> Any:
    entry, cure = name, "use otlp, console or none"
    if name == "otlp":
        variables = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
        variable = next((v for v in variables if environment.get(v, "").strip()), variables[-1])
        protocol = environment.get(variable, "").strip() or "grpc"
        if protocol not in _PROTOCOLS:
            raise TracingError(f"{variable} is {protocol!r}: use {' or '.join(_PROTOCOLS)}")
        entry, package = _PROTOCOLS[protocol]
        cure = f"the package {package} is missing: {_EXTRA}"
    found = next(iter(entry_points(group="opentelemetry_traces_exporter", name=entry)), None)
    if found is None:
        raise TracingError(f"traces cannot be exported to {name!r}: {cure}")
    return found.load()

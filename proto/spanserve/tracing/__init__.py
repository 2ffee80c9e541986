"""Where spans go: to a collector, as the standard variables OTEL_* ask; nowhere if none does.

Which trace a task belongs to is part of the contract (`spanserve.contract.trace`) and needs nothing of this.
"""

from spanserve.tracing.errors import TracingError
from spanserve.tracing.provider import Provider, asked_by

__all__ = ["Provider", "TracingError", "asked_by"]

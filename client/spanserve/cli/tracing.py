"""Traces of commands that ask workers, where they are turned on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from spanserve.options.terminal import complain
from spanserve.tracing import Provider, TracingError, asked_by

#: Commands whose tasks can be part of a trace.
ASKING = ("ask", "eval", "predict", "bench")


@contextlib.contextmanager
def traced(name: str) -> Iterator[None]:
    """Export the spans of a command that asks workers, if the environment wants traces; it runs without them, too."""
    provider = None
    if name in ASKING and asked_by(os.environ):
        try:
            provider = Provider("spanserve-client", {}, os.environ)
            provider.use_everywhere()
        except TracingError as error:
            complain(f"spanserve: {error}")
    try:
        yield
    finally:
        if provider is not None:
            provider.close()

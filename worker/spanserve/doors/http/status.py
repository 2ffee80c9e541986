"""`GET /v1/status`: what the worker is, has done, and does now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

from pydantic import Field
from starlette.responses import JSONResponse, Response

from spanserve.contract import State
from spanserve.doors.door import Inside
from spanserve.doors.http.figures import Figures
from spanserve.doors.http.operation import JSON, Call, Model, Operation

_STATES = tuple(state.value for state in State)


class Latency(Model):
    """Milliseconds from a task's arrival to its result."""

    p50: float
    p90: float
    p99: float


class Lately(Model):
    """The last seconds; null where there was nothing to count."""

    window_s: float
    """Seconds looked back."""
    questions_per_s: float
    tasks_per_s: float
    batches_per_s: float
    batch_fill: float | None
    """Windows in a batch divided by the most it may hold, 0 to 1."""
    padding: float | None
    """Share of the computed tokens that was padding, 0 to 1."""
    latency_ms: Latency | None


class Status(Model):
    """A worker at this moment. Counts are since its start."""

    worker: str
    version: str
    state: Literal[_STATES]  # type: ignore[valid-type]
    up_s: float
    device: str
    model: str
    model_digest: str
    precision: str
    max_seq_length: int
    """Longest window in tokens."""
    max_batch_size: int
    """Largest batch in windows."""
    runtime: str
    tokenizer: str
    simulated: bool
    """Whether the device is simulated: its answers are made up."""
    capacity_windows: int
    """Windows it wants to hold."""
    held_windows: int
    """Windows waiting or on the device."""
    backlog_windows: int
    """Windows waiting for a batch."""
    ended_questions: int = Field(ge=0)
    batches: int
    useful_tokens: int
    padded_tokens: int
    host_restarts: int
    lately: Lately


def status(inside: Inside, figures: Figures, state: Callable[[], State]) -> Operation:
    """The operation."""

    async def handle(call: Call) -> Response:
        found = asdict(inside.status())
        known = {name: found[name] for name in Status.model_fields if name in found}
        return JSONResponse(
            {
                **known,
                "state": state().value,
                "up_s": round(figures.up_s, 3),
                "capacity_windows": inside.engine.capacity_windows,
                "backlog_windows": figures.backlog_windows,
                "lately": asdict(figures.lately()),
            }
        )

    return Operation(
        path="/v1/status",
        handle=handle,
        summary="What the worker is and does",
        answers={200: {JSON: Status}},
    )

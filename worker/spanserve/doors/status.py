"""What a worker says of itself through any door."""

from __future__ import annotations

from importlib.metadata import version

from spanserve.contract import WorkerStatus
from spanserve.engine.engine import Engine


def status_of(engine: Engine) -> WorkerStatus:
    """How a worker stands now, but for what only one door knows of it."""
    manifest = engine.manifest
    return WorkerStatus(
        worker=engine.name,
        version=version("spanserve"),
        state=engine.state,
        device=engine.device.spec.text,
        model=manifest.name,
        model_digest=engine.model_digest,
        precision=manifest.precision,
        max_seq_length=manifest.max_seq_length,
        max_batch_size=engine.batcher.max_batch,
        held_windows=engine.held_windows,
        ended_questions=engine.ended_questions,
        useful_tokens=engine.useful_tokens,
        padded_tokens=engine.padded_tokens,
        batches=engine.batches,
        host_restarts=max(0, engine.device.starts - 1),
    )

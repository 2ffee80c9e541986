"""What a worker reports about itself, put together from its parts."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import Any

from spanserve.contract import WorkerStatus
from spanserve.device import Device
from spanserve.engine.engine import Engine


class StatusSource:
    """The status of one worker; each door adds what only it knows."""

    def __init__(self, name: str, device: Device, engine: Engine[Any, Any]) -> None:
        manifest = device.bundle.manifest
        self._device = device
        self._engine = engine
        self._fixed = WorkerStatus(
            worker=name,
            version=version("spanserve"),
            device=device.spec.text,
            model=manifest.name,
            model_digest=manifest.digest,
            precision=manifest.precision,
            max_seq_length=manifest.max_seq_length,
            max_batch_size=device.max_batch,
            tokenizer=f"{'uncased' if manifest.tokenizer.lower_case else 'cased'}, "
            f"{manifest.model.vocab_size:,} pieces",
            simulated=device.spec.kind.rule is not None,
        )

    def __call__(self) -> WorkerStatus:
        """The worker at this moment."""
        engine, info = self._engine, self._device.info
        return replace(
            self._fixed,
            state=engine.lifecycle.state,
            held_windows=engine.held_windows,
            ended_questions=engine.ended_questions,
            useful_tokens=engine.useful_tokens,
            padded_tokens=engine.padded_tokens,
            batches=engine.batches,
            host_restarts=max(0, self._device.starts - 1),
            runtime=f"{info.get('runtime', '')} {info.get('version', '')}".strip(),
        )

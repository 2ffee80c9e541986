"""A device that is not there: constant latency, logits a pure function of the token ids, faults on demand.

    sim:fixed?latency_ms=5&abort_id=2026

`latency_ms` per batch (0); `fail_id`, `hang_id`, `abort_id`: a batch holding this token id fails, never
returns, or ends the process, as a poison input on a real card would.
"""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Backend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .ring import Arrays


class SimulatedBackend(Backend):
    """`sim:fixed`."""

    def open(self) -> dict[str, Any]:
        options = self.config["options"]
        self._latency_s = float(options.get("latency_ms", 0)) / 1000
        self._faults = {name: int(options[name + "_id"]) for name in _FAULTS if name + "_id" in options}
        self._never = threading.Event()
        return {"runtime": "simulated", "latency_ms": self._latency_s * 1000, "faults": self._faults}

    def run(self, lane: int, arrays: Arrays) -> None:
        for fault, token in self._faults.items():
            if (arrays.ids == token).any():
                self._fail(fault, token)
        arrays.start[:], arrays.end[:] = logits(arrays.ids)
        if self._latency_s:
            self._never.wait(self._latency_s)

    def _fail(self, fault: str, token: int) -> None:
        if fault == "abort":
            os.abort()
        if fault == "hang":
            self._never.wait()
        raise RuntimeError(f"told to fail on token id {token}")


_FAULTS = ("fail", "hang", "abort")


def logits(ids: NDArray[np.int32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Start and end logits, float32 [B, S] each: every position mixes its own id and its left neighbour's.

    A row depends on itself only, so an answer that reaches the wrong question is visible.
    """
    wide = ids.astype(np.uint32)
    left = np.zeros_like(wide)
    left[:, 1:] = wide[:, :-1]
    mixed = wide * np.uint32(2654435761) + left * np.uint32(40503)  # Knuth's multiplicative hash
    start = ((mixed >> np.uint32(8)) & np.uint32(0xFFFF)).astype(np.float32) / np.float32(4096)
    end = ((mixed >> np.uint32(12)) & np.uint32(0xFFFF)).astype(np.float32) / np.float32(4096)
    return start, end

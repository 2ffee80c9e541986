"""A device that does not exist: time passes as on a card, logits are a pure function of the token ids.

    sim:mlu370-x8?precision=fp16&time_scale=20
    sim:fixed?latency_ms=5&abort_id=2026

A card of `cards.py` takes as long as published, times `time_scale` (1): slowed down, many cards fit on one
host without its processor being the limit. `sim:fixed` takes `latency_ms` (0) per batch; with `holds_lock=1` it
lets no other thread of its process run Python meanwhile, as an SDK might. On demand both have
faults: a batch holding the token id `fail_id` fails, `hang_id` never returns, `abort_id` ends the process, as
a poison input on a real card would. From a batch on that holds `wrong_id`, outputs are wrong: those of every batch, of
`wrong_lane`, of batches padded to `wrong_length`, or of both.
"""

from __future__ import annotations

import ctypes
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from .backend import Backend
from .cards import CARDS, DEFAULT_PRECISION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from .ring import Arrays


class SimulatedBackend(Backend):
    """`sim:fixed`, or a card."""

    def open(self) -> dict[str, Any]:
        options = self.config["options"]
        self._faults = {name: int(options[name + "_id"]) for name in _FAULTS if name + "_id" in options}
        self._wrong_id = int(options.get("wrong_id", -1))
        #: Lane and length of batches with wrong outputs, where told.
        self._wrong_where = (options.get("wrong_lane"), options.get("wrong_length"))
        self._wrong = False
        self._never = threading.Event()
        self._latency_s = float(options.get("latency_ms", 0)) / 1000
        self._scale = float(options.get("time_scale", 1))
        self._sleep: Callable[[float], None] = _sleep_with_lock if options.get("holds_lock") else time.sleep
        self._card = None
        facts = {"runtime": "simulated", "faults": self._faults}
        name, precision = self.config["unit"], options.get("precision", DEFAULT_PRECISION)
        if name not in CARDS:
            return {**facts, "latency_ms": self._latency_s * 1000}
        self._card = CARDS[name][precision]
        # Batches beyond that wait, as they do in a card's queue.
        self.lanes = min(self.lanes, self._card.lanes)
        return {**facts, "card": name, "precision": precision, "lanes": self.lanes, "time_scale": self._scale}

    def run(self, lane: int, arrays: Arrays) -> None:
        ids = arrays.inputs[INPUT_IDS]
        due = time.monotonic() + self._seconds(*ids.shape)
        for fault, token in self._faults.items():
            if (ids == token).any():
                self._fail(fault, token)
        if (ids == self._wrong_id).any():  # lanes run at once: none may take this back
            self._wrong = True
        here = all(told in (None, real) for told, real in zip(self._wrong_where, (lane, ids.shape[1])))
        for name, array in answers(arrays.inputs).items():
            arrays.outputs[name][:] = array[:, ::-1] if self._wrong and here else array
        self._sleep(max(0.0, due - time.monotonic()))

    def _seconds(self, batch: int, length: int) -> float:
        """How long a batch takes, in seconds of the host's clock."""
        if self._card is None:
            return self._latency_s
        return self._card.seconds(batch, length) * self._scale

    def _fail(self, fault: str, token: int) -> None:
        if fault == "abort":
            os.abort()
        if fault == "hang":
            self._never.wait()
        raise RuntimeError(f"told to fail on token id {token}")


def _sleep_with_lock(seconds: float) -> None:
    """Sleep in a call that keeps the interpreter's lock."""
    ctypes.PyDLL(None).usleep(int(seconds * 1e6))


_FAULTS = ("fail", "hang", "abort")


#: Names of the tensors that the rule is about.
INPUT_IDS, START_LOGITS, END_LOGITS = "input_ids", "start_logits", "end_logits"


def answers(inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
    """The outputs for inputs, float32 [B, S] each: `logits` by name."""
    return dict(zip((START_LOGITS, END_LOGITS), logits(inputs[INPUT_IDS])))


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

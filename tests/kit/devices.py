"""Devices with real host processes for tests: what they say, and batches with known logits."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from spanserve.device import Device, DeviceError, Slot
from spanserve.device.host.simulated import answers
from tests.kit.processes import PATIENCE_S

#: A token id that brings a device down when it is told so.
BAD = 4242

Ints = NDArray[np.int32]


class Log:
    """What a device says, to be waited for."""

    def __init__(self) -> None:
        self.died = threading.Event()
        self.records: list[tuple[str, dict[str, Any]]] = []
        self._more = threading.Condition()

    def __call__(self, event: str, **facts: Any) -> None:
        with self._more:
            self.records.append((event, facts))
            self._more.notify_all()
        if event == "device host died":
            self.died.set()

    def wait_said(self, text: str) -> None:
        """Wait until the host has printed a line that holds a text."""

        def said() -> bool:
            return any(text in facts["line"] for facts in self.facts("device host says"))

        with self._more:
            assert self._more.wait_for(said, PATIENCE_S), f"the host never said {text!r}: {self.records}"

    def facts(self, event: str) -> list[dict[str, Any]]:
        return [facts for name, facts in self.records if name == event]


def children() -> set[int]:
    """Processes that this one has started and not reaped."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # a thread that has just ended
            found.update(map(int, (task / "children").read_text().split()))
    return found


def wait_gone(process: int) -> None:
    """Wait for the end of the process that a pidfd stands for, and close that."""
    assert select.select([process], [], [], PATIENCE_S)[0], "the process still runs"
    os.close(process)


def rings() -> int:
    """Rings of shared memory that this process still holds."""
    gc.collect()  # the memory of a device goes with its last view
    links = (os.readlink(entry.path) for entry in os.scandir("/proc/self/fd") if os.path.lexists(entry.path))
    return sum("spanserve-ring" in link for link in links)


def batch(rows: int = 2, length: int = 16, seed: int = 0, bad: bool = False) -> Ints:
    """Token ids, int32 [rows, length]; the last one is BAD if wanted."""
    ids = np.random.default_rng(seed).integers(5, BAD, (rows, length)).astype(np.int32)
    if bad:
        ids[-1, -1] = BAD
    return ids


def compute(device: Device, ids: Ints) -> None:
    """Run a batch and compare its logits."""
    found = device.compute(whole(ids))
    assert {name: array.tolist() for name, array in answers({"input_ids": ids}).items()} == {
        name: array.tolist() for name, array in found.items()
    }


def fill(slot: Slot, ids: Ints) -> None:
    """Write a batch of windows without padding into a slot."""
    for name, area in slot.arrays(*ids.shape).inputs.items():
        area[:] = whole(ids)[name]


def whole(ids: Ints) -> dict[str, Ints]:
    """The inputs of a batch of windows without padding."""
    return {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}


def why_not(device: Device) -> str:
    """Why a device does not start."""
    with pytest.raises(DeviceError) as caught:
        device.start()
    assert device.host_pid is None
    return str(caught.value)

"""A queue: batches are put in and return at once, a thread of its own computes, errors come at sync."""

from __future__ import annotations

import ctypes
import itertools
import queue
import threading
import time
import weakref
from typing import TYPE_CHECKING, Hashable

import numpy as np

from . import cards
from .faults import FAULTS
from .networks import OutsideTable
from .results import answers
from .status import Status, driver_error

if TYPE_CHECKING:
    from .container import Compiled
    from .dump import Dumper
    from .engine import Context
    from .tensor import Tensor


class Job:
    """One batch: what to compute from what, and the tensors it is for."""

    def __init__(
        self,
        context: Context,
        compiled: Compiled,
        inputs: list[Tensor],
        outputs: list[Tensor],
        dumper: Dumper | None,
    ) -> None:
        self.context = context
        self.compiled = compiled
        self.dumper = dumper
        self.inputs = [tensor._data for tensor in inputs]
        self.outputs = outputs
        self._sources = [weakref.ref(tensor) for tensor in inputs]

    @property
    def holds_inputs(self) -> bool:
        """Whether the caller has kept its tensors: nothing else keeps their memory on the card."""
        return all(source() is not None for source in self._sources)

    def run(self, queue: int) -> Status:
        """Compute, in the queue of this number; a failure becomes the Status that the next sync gives."""
        if FAULTS.slow_s:
            time.sleep(FAULTS.slow_s)
        struck = FAULTS.strike("batch")
        if struck is not None:
            return struck
        shape = self.inputs[0].shape or (0,)  # a number has none
        garbled = FAULTS.garbles(queue, shape[-1])
        try:
            results = self.compiled.run(self.inputs)
            if self.dumper is not None:
                self.dumper.write(self.compiled, self.inputs, results)
        except OutsideTable as error:
            return driver_error(100124, f"cnQueueSync ({error})")
        except Exception as error:
            return driver_error(100200, f"cnQueueSync ({error})")
        for tensor, data in zip(self.outputs, results):
            tensor._data = np.array(data[..., ::-1] if garbled else data, tensor._dtype, order="C")
        return Status.OK()


class Queue:
    """Made by Device.create_queue only."""

    __slots__ = ("_contexts", "_device", "_error", "_jobs", "_number", "_todo")
    _numbers = itertools.count()

    def __init__(self, device: Hashable) -> None:
        self._device = device
        self._number = next(self._numbers)
        self._todo: queue.Queue[Job] = queue.Queue()
        self._jobs: list[Job] = []
        self._contexts: list[Context] = []
        self._error = Status.OK()
        thread = threading.Thread(target=self._work, name="magicmind-queue")
        thread.daemon = True
        thread.start()

    @answers
    def sync(self) -> Status:
        """Wait for what was enqueued. After a failure queue and contexts are of no use any more."""
        if cards.active() != self._device:
            return driver_error(100005, "cnQueueSync")
        struck = FAULTS.strike("sync")
        if FAULTS.gil_s:
            ctypes.PyDLL(None).usleep(int(FAULTS.gil_s * 1e6))
        self._todo.join()
        if struck is not None and self._error.ok():
            self._error = struck
        jobs, self._jobs = self._jobs, []
        if self._error.ok() and not all(job.holds_inputs for job in jobs):
            self._error = driver_error(100131, "cnQueueSync (an input was freed before)")
        if not self._error.ok():
            for context in self._contexts:
                context._lost = True
            return self._error
        for job in jobs:
            for tensor in job.outputs:
                tensor._ready = True
        return Status.OK()

    def _put(self, job: Job) -> None:
        if job.context not in self._contexts:
            self._contexts.append(job.context)
        self._jobs.append(job)
        self._todo.put(job)

    def _work(self) -> None:
        while True:
            job = self._todo.get()
            if self._error.ok():
                self._error = job.run(self._number)
            self._todo.task_done()

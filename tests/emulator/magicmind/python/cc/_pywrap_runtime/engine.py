"""Engine and Context: a model on a card, and one stream of batches through it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from . import cards
from .enums import DataType
from .faults import FAULTS
from .queue import Job, Queue
from .results import answers
from .status import Status, driver_error, refusal, say
from .tensor import Tensor, make_tensor

if TYPE_CHECKING:
    from .container import Compiled

#: Seconds that making a context takes (a published log says 4 ms): two threads that do it at once are caught.
CREATE_S = 0.004


class Engine:
    """Made by Model.create_i_engine only."""

    __slots__ = ("_compiled", "_creating", "_device")

    def __init__(self, compiled: Compiled, device: int) -> None:
        self._compiled = compiled
        self._device = device
        self._creating = threading.Lock()

    def create_i_context(self) -> Context | None:
        """A context; None, with the reason printed, if another thread is making one."""
        if FAULTS.strike("create_i_context") is not None:
            return None
        if cards.active() != self._device:
            say("create_i_context: the engine's device is not active in this thread")
            return None
        if not self._creating.acquire(blocking=False):
            say("create_i_context: another thread is making a context of this engine")
            return None
        try:
            time.sleep(CREATE_S)
            return Context(self._compiled, self._device)
        finally:
            self._creating.release()


class Context:
    """Made by Engine.create_i_context only."""

    __slots__ = ("_compiled", "_device", "_lost", "_queue")

    def __init__(self, compiled: Compiled, device: int) -> None:
        self._compiled = compiled
        self._device = device
        #: The one queue it issues through, from its first batch on.
        self._queue: Queue | None = None
        #: A sync has failed; there is no way back.
        self._lost = False

    def create_inputs(self) -> Any:
        """A list of tensors, or a failing Status."""
        struck = FAULTS.strike("create_inputs")
        if struck is not None or self._lost:
            return struck or driver_error(100201, "create_inputs")
        compiled = self._compiled
        return [make_tensor(dtype, len(dims)) for dtype, dims in zip(compiled.input_dtypes, compiled.dims)]

    def create_outputs(self, inputs: Any = None, suppress_infer_shape_error: bool = False) -> Any:
        """A list of tensors, or a failing Status where their shape is not known beforehand."""
        struck = FAULTS.strike("create_outputs")
        if struck is not None or self._lost:
            return struck or driver_error(100201, "create_outputs")
        if self._compiled.mutable:
            return refusal("create_outputs: the shape of the outputs is not known", "UNAVAILABLE")
        return self._fresh_outputs()

    @answers
    def enqueue(self, inputs: list[Tensor], outputs: list[Tensor], queue: Queue) -> Status:
        """Start a batch. Tensors of the results are put into `outputs`; they hold data after a sync."""
        _check_types(inputs, outputs, queue)
        struck = FAULTS.strike("enqueue")
        if struck is not None:
            return struck
        if self._lost:
            return driver_error(100201, "enqueue")
        if cards.active() != self._device or queue._device != self._device:
            return driver_error(100005, "enqueue")
        if self._queue not in (None, queue):
            return refusal("enqueue: this context issues through another queue", "FAILED_PRECONDITION")
        compiled = self._compiled
        if len(inputs) != len(compiled.dims) or any(tensor._data is None for tensor in inputs):
            return refusal(f"enqueue: {len(compiled.dims)} inputs with data are needed")
        misfit = compiled.misfit([tensor.shape for tensor in inputs])
        if misfit:
            return refusal("enqueue: " + misfit, "OUT_OF_RANGE")
        if not outputs:
            outputs.extend(self._fresh_outputs())
        elif compiled.mutable or len(outputs) != len(compiled.computation.output_names):
            return refusal("enqueue: outputs of an earlier batch; pass an empty list")
        for tensor in outputs:
            tensor._ready = False
        self._queue = queue
        queue._put(Job(self, compiled.computation.run, inputs, list(outputs)))
        return Status.OK()

    def _fresh_outputs(self) -> list[Tensor]:
        return [make_tensor(DataType.FLOAT32, 2) for _ in self._compiled.computation.output_names]


def _check_types(inputs: Any, outputs: Any, queue: Any) -> None:
    """As pybind does: no overload fits."""
    fits = isinstance(inputs, list) and isinstance(outputs, list) and isinstance(queue, Queue)
    if not fits or not all(isinstance(tensor, Tensor) for tensor in (*inputs, *outputs)):
        raise TypeError("enqueue(): incompatible function arguments")

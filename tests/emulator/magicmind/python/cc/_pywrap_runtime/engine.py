"""Engine and Context: a model on a card, and one stream of batches through it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Hashable

from . import cards, dump
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

    def __init__(self, compiled: Compiled, device: Hashable) -> None:
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

    __slots__ = ("_compiled", "_device", "_dumper", "_lost", "_queue")

    ContextDumpInfo = dump.ContextDumpInfo

    def __init__(self, compiled: Compiled, device: Hashable) -> None:
        self._compiled = compiled
        self._device = device
        #: The one queue it issues through, from its first batch on.
        self._queue: Queue | None = None
        #: A sync has failed; there is no way back.
        self._lost = False
        self._dumper: dump.Dumper | None = None

    def create_inputs(self) -> Any:
        """A list of tensors, or a failing Status.

        Those of a fixed graph show their shape at once: mm_convert compares with it. Inferred: others show what was
        set for them, and -1 where a size may vary.
        """
        struck = FAULTS.strike("create_inputs")
        if struck is not None or self._lost:
            return struck or driver_error(100201, "create_inputs")
        compiled = self._compiled
        return [make_tensor(dtype, dims) for dtype, dims in zip(compiled.input_dtypes, compiled.known_dims)]

    def create_outputs(self, inputs: Any = None, suppress_infer_shape_error: bool = False) -> Any:
        """A list of tensors, or a failing Status where their shape is not known beforehand.

        It is known of a graph whose shape is mutable too, once its inputs have data: three public programs use
        what comes then as a list. Unless it depends on the data itself.
        """
        struck = FAULTS.strike("create_outputs")
        if struck is not None or self._lost:
            return struck or driver_error(100201, "create_outputs")
        compiled = self._compiled
        if not compiled.mutable:
            return self._fresh_outputs(None)
        ready = inputs is not None and len(inputs) == len(compiled.dims) and _have_data(inputs)
        if not ready or compiled.computation.data_dependent:
            return refusal("create_outputs: the shape of the outputs is not known", "UNAVAILABLE")
        return self._fresh_outputs([tensor.shape for tensor in inputs])

    @answers
    def set_context_dump_info(self, info: dump.ContextDumpInfo) -> Status:
        """From the next batch on, tensors are written to files."""
        if not isinstance(info, dump.ContextDumpInfo):
            raise TypeError("set_context_dump_info(): incompatible function arguments")
        struck = FAULTS.strike("set_context_dump_info")
        if struck is not None:
            return struck
        try:
            self._dumper = dump.Dumper(info)
        except ValueError as error:
            return refusal(f"set_context_dump_info: {error}")
        return Status.OK()

    @answers
    def enqueue(
        self,
        inputs: list[Tensor],
        outputs: list[Tensor],
        queue: Queue,
        input_by_tensor_order: bool = False,
    ) -> Status:
        """Start a batch. Results lie in the tensors of `outputs` after a sync; an empty list gets new ones.

        Tensors of an earlier batch have room for the results of inputs of the same shapes. Inferred: of no others.
        """
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
        if len(inputs) != len(compiled.dims) or not _have_data(inputs):
            return refusal(f"enqueue: {len(compiled.dims)} inputs with data are needed")
        shapes = [tensor.shape for tensor in inputs]
        misfit = compiled.misfit(shapes, [tensor._dtype for tensor in inputs])
        if misfit:
            return refusal("enqueue: " + misfit, "OUT_OF_RANGE")
        if not outputs:
            outputs.extend(self._fresh_outputs(shapes))
        elif len(outputs) != len(compiled.computation.output_names):
            return refusal(f"enqueue: the graph has {len(compiled.computation.output_names)} outputs")
        elif any(tensor._made_for not in (None, shapes) for tensor in outputs):
            return refusal("enqueue: the outputs are those of another shape; pass an empty list")
        for tensor in outputs:
            tensor._ready = False
        self._queue = queue
        queue._put(Job(self, compiled, inputs, list(outputs), self._dumper))
        return Status.OK()

    def _fresh_outputs(self, shapes: list[tuple[int, ...]] | None) -> list[Tensor]:
        """Outputs for inputs of some shapes; None: of the only shapes there are."""
        made = [make_tensor(dtype, None) for dtype in self._compiled.computation.output_dtypes]
        for tensor in made:
            tensor._made_for = shapes
        return made


def _have_data(inputs: list[Tensor]) -> bool:
    return all(tensor._data is not None and tensor._ready for tensor in inputs)


def _check_types(inputs: Any, outputs: Any, queue: Any) -> None:
    """As pybind does: no overload fits."""
    fits = isinstance(inputs, list) and isinstance(outputs, list) and isinstance(queue, Queue)
    if not fits or not all(isinstance(tensor, Tensor) for tensor in (*inputs, *outputs)):
        raise TypeError("enqueue(): incompatible function arguments")

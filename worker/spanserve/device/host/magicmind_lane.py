"""One batch at a time through the contexts of one queue."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .backend import DeviceLost
from .driver_codes import driver_code
from .sdk_calls import done, made
from .ticker import Ticker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .ring import Arrays

#: The input that says which tokens are real.
MASK = "attention_mask"


class Graph(NamedTuple):
    """A compiled graph on a card."""

    engine: Any
    #: Longest window it takes.
    max_length: int
    #: Most windows it takes.
    max_batch: int
    #: Whether it takes smaller batches and shorter windows; if not they are padded.
    dynamic: bool


class Lane:
    """A context of every graph, and a queue. Made and used by one thread, after that has activated the card.

    Args:
        device: the SDK's Device.
        graphs: ascending by `max_length`.
        limits: of every input, in the order of the graphs; what is in it has to be below.
        outputs: how many the graphs have.
    """

    def __init__(self, device: Any, graphs: list[Graph], limits: dict[str, int], outputs: int) -> None:
        self._device = device
        self._graphs = graphs
        self._limits = limits
        self._outputs = outputs
        self._contexts = [made("create_i_context", graph.engine.create_i_context) for graph in graphs]
        self._queue = made("create_queue", device.create_queue)
        self._inputs = [made("create_inputs", context.create_inputs) for context in self._contexts]
        #: Inputs of the batch that is on the card: nothing else holds what `to` gave.
        self._moved: list[Any] = []

    def run(self, arrays: Arrays) -> dict[str, int]:
        """Compute the logits of a batch.

        Returns:
            Nanoseconds of its parts. `sync` is the wait for the card; an SDK that copies late does so in there.

        Raises:
            DeviceLost: it failed on the card, or the driver gave a code: nothing is known to work after that.
            Exception: it was refused before it reached the card.
        """
        laps = Laps()
        self._check_ids(arrays.inputs)
        inputs = tuple(arrays.inputs[name] for name in self._limits)
        batch, length = inputs[0].shape
        index = self._fitting(batch, length)
        graph = self._graphs[index]
        if not graph.dynamic:
            inputs = tuple(_padded(array, graph.max_batch, graph.max_length) for array in inputs)
        outputs = self._sync(self._enqueue(index, inputs, laps), inputs[0].shape, laps)
        for logits, found in zip(arrays.outputs.values(), outputs):
            logits[:] = found[:batch, :length]
        laps.end("device_to_host")
        return laps.ns

    def warm_up(self, shapes: list[tuple[int, int]]) -> dict[str, Any]:
        """Run a batch of each shape, so that memory is taken and kernels are ready.

        Args:
            shapes: (batch, length), the largest last.

        Returns:
            How long the wait for the largest batch was once it was warm, and whether other threads could
            run meanwhile.
        """
        for shape in shapes:
            self._run_empty(*shape)
        ticker = Ticker()
        self._run_empty(*shapes[-1], watch=ticker)
        return {"sync_s": round(ticker.seconds, 4), "sync_releases_gil": ticker.others_ran}

    def dump(self, info: Any) -> None:
        """Have the tensors of every batch from now on written to files, as an SDK's ContextDumpInfo says.

        Raises:
            Refused: the SDK refuses.
        """
        for context in self._contexts:
            done("set_context_dump_info", context.set_context_dump_info, info)

    def _run_empty(self, batch: int, length: int, watch: Any = None) -> None:
        """Run a batch of padding; `watch` is entered for the wait."""
        index = self._fitting(batch, length)
        graph = self._graphs[index]
        shape = (batch, length) if graph.dynamic else (graph.max_batch, graph.max_length)
        inputs = [np.full(shape, name == MASK, np.int32) for name in self._limits]
        laps = Laps()
        self._sync(self._enqueue(index, inputs, laps), shape, laps, watch)

    def _fitting(self, batch: int, length: int) -> int:
        """The smallest graph that takes a batch."""
        for index, graph in enumerate(self._graphs):
            if length <= graph.max_length and batch <= graph.max_batch:
                return index
        raise ValueError(
            f"a batch of {batch} x {length} is over the graph's {graph.max_batch} x {graph.max_length}"
        )

    def _check_ids(self, inputs: dict[str, NDArray[Any]]) -> None:
        """What is outside its table would be read outside the card's memory, and end the process."""
        for name, limit in self._limits.items():
            lowest, highest = int(inputs[name].min()), int(inputs[name].max())
            if lowest < 0 or highest >= limit:
                wrong = lowest if lowest < 0 else highest
                raise ValueError(f"{name} {wrong} is outside 0 to {limit - 1}")

    def _enqueue(self, index: int, inputs: Sequence[Any], laps: Laps) -> list[Any]:
        """Start a batch; returns the tensors that will hold its logits."""
        outputs: list[Any] = []  # a fresh one: the SDK would use those of another shape again
        try:
            for tensor, array in zip(self._inputs[index], inputs):
                done("from_numpy", tensor.from_numpy, array)
            self._moved = [self._on_card(tensor) for tensor in self._inputs[index]]
            laps.end("host_to_device")
            done("enqueue", self._contexts[index].enqueue, self._moved, outputs, self._queue)
        except Exception as error:
            if driver_code(str(error)) is None:
                raise
            batch, length = inputs[0].shape
            raise DeviceLost(f"a batch of {batch} x {length} did not reach the card: {error}") from error
        laps.end("enqueue")
        return outputs

    def _on_card(self, tensor: Any) -> Any:
        """A tensor that was moved to the card: the same one, or another one where the SDK gives that."""
        given = done("to", tensor.to, self._device)
        return given if isinstance(given, type(tensor)) else tensor

    def _sync(self, outputs: list[Any], shape: tuple[int, ...], laps: Laps, watch: Any = None) -> list[Any]:
        """Wait for a batch, `watch` entered meanwhile; returns its outputs."""
        lost = f"a batch of {shape[0]} x {shape[1]} was lost"
        try:
            with watch or nullcontext():
                done("sync", self._queue.sync)
            laps.end("sync")
            logits = [made("asnumpy", tensor.asnumpy) for tensor in outputs]
        except Exception as error:
            raise DeviceLost(f"{lost}: {error}") from error
        found = [(array.dtype.name, array.shape) for array in logits]
        if found != [("float32", shape)] * self._outputs:
            raise DeviceLost(f"the graph gave {found} instead of {self._outputs} float32 outputs of {shape}")
        return logits


class Laps:
    """Times the parts of a batch, one after another."""

    def __init__(self) -> None:
        self.ns: dict[str, int] = {}
        self._since = time.monotonic_ns()

    def end(self, part: str) -> None:
        """A part ends here, and the next one begins."""
        now = time.monotonic_ns()
        self.ns[part] = now - self._since
        self._since = now


def _padded(array: NDArray[np.int32], batch: int, length: int) -> NDArray[np.int32]:
    """The array with zeros after it: a static graph takes exactly its own shape. Zeros in the mask hide them."""
    if array.shape == (batch, length):
        return array
    padded = np.zeros((batch, length), np.int32)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded

"""The CPU as a device, through OpenVINO."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

# With this package OpenVINO reports its own import to a server of its maker's, from a fork of this process.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

from . import streams  # noqa: E402
from .backend import Backend, Refused  # noqa: E402
from .detours import Varied, find_detours, lengthened  # noqa: E402
from .layers import STEPS, Layer, write_layers  # noqa: E402
from .versions import check_version  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .ring import Arrays

#: Precision of a bundle -> precision OpenVINO may compute the float parts of the graph in.
_INFERENCE_PRECISION = {"float32": "f32", "bfloat16": "bf16", "int8": "f32", "int8_mixed_bfloat16": "bf16"}
#: Kernels that OpenVINO keeps for shapes it has seen, where memory is to be small; oneDNN then keeps none.
_FEW_KERNELS = 48
#: Tokens of the windows that are timed: those of most texts are about as long.
_TYPICAL_LENGTH = 176
#: Seconds after which nothing more is tried: the model is large, or the processor has other things to do.
_LONG_S = 3.0


class CpuBackend(Backend):
    """Runs the graph of a `cpu` bundle in streams that share the threads; each lane has a stream.

    A row's logits were bit-equal alone, in batches up to 64 and padded to longer multiples of 16, with
    one thread and with two, in one stream and in two: nothing below may be tuned without testing that again. Where
    the runtime is wrong at a length, its batches are computed at another.
    """

    def open(self) -> dict[str, Any]:
        check_version("OpenVINO", ov.__version__, *self.config["manifest"]["runtime"]["accepts"])
        self._small = self.config["options"].get("memory") == "small"
        if self._small:
            # oneDNN keeps kernels of its own on top; it reads this when it makes its first one.
            os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "0"
        self._hint = _INFERENCE_PRECISION[self.config["manifest"]["precision"]]
        # Two threads that hand over their first arrays at once would wait for each other for ever.
        ov.Tensor(np.zeros(1, np.int32), shared_memory=True)
        self._core = ov.Core()
        if self._hint == "bf16" and "BF16" not in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            precision = self.config["manifest"]["precision"]
            raise Refused(f"this bundle is {precision}, and this processor has no bfloat16 arithmetic")
        count, reason = self._streams()
        self._requests = self._compile(count)
        self._detours = self._find_detours() if self._hint == "bf16" else {}
        settled = self.config.get("settled") or self._settle(reason)
        self.lanes = len(self._requests)
        return {
            "runtime": "openvino",
            "version": ov.__version__,
            "float_parts": self._hint,
            "threads": self.config["threads"],
            "lanes": self.lanes,
            "batch": settled["batch"],
            "reason": settled["reason"],
            "memory": "small" if self._small else "fast",
            "detours": self._detours,
            "settled": settled,
        }

    def run(self, lane: int, arrays: Arrays) -> None:
        request = self._requests[lane]
        used = self._arrays_used(arrays)  # mostly the ring itself: nothing is copied
        for tensors in used:
            for name, array in tensors.items():
                request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        request.start_async()  # in whichever stream is free; `infer` would take one that may be busy
        request.wait()
        if used is not arrays:
            for name, array in arrays.outputs.items():
                array[:] = used.outputs[name][:, : array.shape[1]]

    def _arrays_used(self, arrays: Arrays) -> Arrays:
        """Those given, or longer ones where the runtime is wrong at their length."""
        if not self._detours:
            return arrays
        length = next(iter(arrays.inputs.values())).shape[1]
        return lengthened(arrays, self._detours[length]) if length in self._detours else arrays

    def _find_detours(self) -> dict[int, int]:
        """Compute rows by a request of their own: the others keep no tensor of theirs."""
        inputs, outputs = self.config["manifest"]["inputs"], self.config["manifest"]["outputs"]
        request = self._requests[0].get_compiled_model().create_infer_request()

        def compute(row: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
            results = request.infer(row)
            return {tensor["name"]: results[tensor["name"]] for tensor in outputs}

        try:
            return find_detours(compute, (inputs, outputs), int(self.config["length"]))
        except Varied as error:
            sys.stderr.write(f"answers may depend on what else is in a batch: {error}\n")
            return {}

    def profile(self, lane: int, arrays: Arrays, folder: str) -> None:
        """As the base class: layers.csv with the mean time of each layer, the longest first."""
        (request,) = self._compile(1, PERF_COUNT=True)
        inputs = {name: np.array(array) for name, array in self._arrays_used(arrays).inputs.items()}
        request.infer(inputs)
        write_layers(os.path.join(folder, "layers.csv"), [_layers(request, inputs) for _ in range(STEPS)])

    def _compile(self, count: int, **further: Any) -> list[Any]:
        """A request for each of so many streams."""
        manifest = self.config["manifest"]
        properties = {
            "INFERENCE_PRECISION_HINT": self._hint,
            "INFERENCE_NUM_THREADS": int(self.config["threads"]),
            "NUM_STREAMS": count,
            "ENABLE_CPU_PINNING": False,
            **further,
        }
        if self._small:
            properties["CPU_RUNTIME_CACHE_CAPACITY"] = _FEW_KERNELS
        path = os.path.join(self.config["bundle"], manifest["graphs"][-1]["file"])
        compiled = self._core.compile_model(path, "CPU", properties)
        return [compiled.create_infer_request() for _ in range(count)]

    def _streams(self) -> tuple[int, str]:
        """How many streams, and why."""
        given = self.config["options"].get("streams")
        if given:
            return min(int(given), self.lanes), "streams as given"
        if self._small:
            return 1, "one stream, because each takes memory"
        count = streams.streams_for(int(self.config["threads"]), self.lanes)
        return count, f"{count} streams for {self.config['threads']} threads and {self.lanes} slots"

    def _settle(self, reason: str) -> dict[str, Any]:
        """Find out how large batches should be."""
        began, full = time.monotonic(), int(self.config["batch"])
        rates: dict[int, float] = {}
        if not self._small:
            for batch in (full, -(-full // 2), -(-full // 4)):
                if batch not in rates and time.monotonic() - began < _LONG_S:
                    rates[batch] = self._rate(batch)
        if len(rates) < 2:
            return {"batch": full, "reason": reason}
        words = ", ".join(f"{rate:.0f} in batches of {batch}" for batch, rate in rates.items())
        return {"batch": streams.largest(rates), "reason": f"{reason}; windows per second: {words}"}

    def _rate(self, batch: int) -> float:
        """Windows per second, a batch in each stream."""
        sizes = {"batch": batch, "length": min(_TYPICAL_LENGTH, int(self.config["length"]))}
        inputs = {
            tensor["name"]: np.zeros([sizes.get(size, size) for size in tensor["shape"]], tensor["dtype"])
            for tensor in self.config["manifest"]["inputs"]
        }

        def run(stream: int) -> None:
            self._requests[stream].start_async(inputs, share_inputs=True)
            self._requests[stream].wait()

        return batch * streams.measure(run, len(self._requests))


def _layers(request: Any, inputs: dict[str, Any]) -> list[Layer]:
    """The layers of one batch as they were run."""
    request.infer(inputs)
    return [
        Layer(info.node_name, info.node_type, info.exec_type, info.real_time.total_seconds())
        for info in request.profiling_info
        if info.status == ov.ProfilingInfo.Status.EXECUTED
    ]

"""The CPU as a device, through OpenVINO."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import openvino as ov

from .backend import Backend

if TYPE_CHECKING:
    from .ring import Arrays

#: Precision of a bundle -> precision OpenVINO may compute the float parts of the graph in.
_INFERENCE_PRECISION = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}


class CpuBackend(Backend):
    """Runs the graph of a `cpu` bundle; lanes share the threads."""

    def open(self) -> dict[str, Any]:
        core = ov.Core()
        precision = self.config["manifest"]["precision"]
        hint = _INFERENCE_PRECISION[precision]
        if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise RuntimeError("this bundle is bfloat16, and this processor has no bfloat16 arithmetic")
        graph = self.config["manifest"]["graphs"][-1]["file"]
        compiled = core.compile_model(
            os.path.join(self.config["bundle"], graph),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": hint,
                "INFERENCE_NUM_THREADS": int(self.config["threads"]),
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
            },
        )
        self._requests = [compiled.create_infer_request() for _ in range(self.lanes)]
        return {"runtime": "openvino", "version": ov.__version__, "threads": int(self.config["threads"])}

    def run(self, lane: int, arrays: Arrays) -> None:
        request = self._requests[lane]
        for index, array in enumerate((arrays.ids, arrays.mask, arrays.types)):
            request.set_input_tensor(index, ov.Tensor(array, shared_memory=True))
        request.infer()
        arrays.start[:] = request.get_output_tensor(0).data
        arrays.end[:] = request.get_output_tensor(1).data

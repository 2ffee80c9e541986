"""The CPU as a device, through OpenVINO."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

# With this package OpenVINO reports its own import to a server of its maker's, from a fork of this process.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
import openvino as ov  # noqa: E402

from .backend import Backend, Refused  # noqa: E402
from .versions import check_version  # noqa: E402

if TYPE_CHECKING:
    from .ring import Arrays

#: Precision of a bundle -> precision OpenVINO may compute the float parts of the graph in.
_INFERENCE_PRECISION = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
#: Kernels that OpenVINO keeps for shapes it has seen. A trade: with the small int8 model this process stays
#: near 300 MB instead of reaching 680 MB, and a batch of a shape not seen lately takes some 15 ms longer.
_KEPT_KERNELS = 48


class CpuBackend(Backend):
    """Runs the graph of a `cpu` bundle; lanes share the threads.

    A row's logits were bit-equal alone, in batches up to 16 and padded to longer multiples of 16, with
    one thread and with two, on an AVX-512 processor: nothing below may be tuned without testing that again.
    """

    def open(self) -> dict[str, Any]:
        manifest = self.config["manifest"]
        check_version("OpenVINO", ov.__version__, *manifest["runtime"]["accepts"])
        # oneDNN keeps kernels of its own on top; it reads this when it makes its first one.
        os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] = "0"
        core = ov.Core()
        hint = _INFERENCE_PRECISION[manifest["precision"]]
        if hint == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise Refused("this bundle is bfloat16, and this processor has no bfloat16 arithmetic")
        threads = int(self.config["threads"])
        compiled = core.compile_model(
            os.path.join(self.config["bundle"], manifest["graphs"][-1]["file"]),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": hint,
                "INFERENCE_NUM_THREADS": threads,
                "NUM_STREAMS": 1,
                "ENABLE_CPU_PINNING": False,
                "CPU_RUNTIME_CACHE_CAPACITY": _KEPT_KERNELS,
            },
        )
        self._requests = [compiled.create_infer_request() for _ in range(self.lanes)]
        return {"runtime": "openvino", "version": ov.__version__, "threads": threads}

    def run(self, lane: int, arrays: Arrays) -> None:
        request = self._requests[lane]
        # The runtime reads and writes the ring itself; nothing is copied.
        for tensors in arrays:
            for name, array in tensors.items():
                request.set_tensor(name, ov.Tensor(array, shared_memory=True))
        request.infer()

"""Peers without a server: the question answering pipeline of transformers, in the process that asks."""

from __future__ import annotations

from typing import ClassVar

from tests.benchmarks.peers.peer import Peer
from tests.benchmarks.peers.processes import ToldClient
from tests.benchmarks.setup import checkpoint_dir

_OFFLINE = {"HF_HUB_OFFLINE": 1, "TRANSFORMERS_OFFLINE": 1, "TRANSFORMERS_VERBOSITY": "error"}


class Pipeline(Peer):
    """The checkpoint in torch, float32; `dtype=bfloat16`. `batch` is the pipeline's own."""

    name = "pipeline"
    packages: ClassVar[tuple[str, ...]] = ("torch==2.13.0", "transformers==4.46.3", "numpy<2", "safetensors")
    takes = frozenset({"batch", "dtype"})
    expert = "dtype=bfloat16"
    in_flight = (1,)  # the whole list is handed over
    kind: ClassVar[str] = "torch"
    dtype: ClassVar[str] = "float32"

    def start(self) -> ToldClient:
        graph, checkpoint = self.folder / "graph", checkpoint_dir()
        graph.mkdir()
        for ending in ("xml", "bin"):
            (graph / f"openvino_model.{ending}").symlink_to(self.bundle / f"model.{ending}")
        (graph / "config.json").symlink_to(checkpoint / "config.json")
        batch, dtype = self.options.get("batch", 16), self.options.get("dtype", self.dtype)
        return self.client("pipeline_client.py", self.kind, checkpoint, batch, dtype, graph, **_OFFLINE)


class Optimum(Pipeline):
    """The same pipeline on the graph that all have, by optimum for OpenVINO."""

    name = "optimum"
    # transformers 5 has no such pipeline any more; this is the last line that works with 4.
    packages = ("torch==2.13.0", "optimum-intel==1.27.0", "transformers<5", "openvino==2026.4.1", "nncf")
    takes = frozenset({"batch", "dtype", "bundle"})
    expert = ""
    kind, dtype = "openvino", "default"

"""Cambricon MLU cards, through MagicMind.

The SDK is never imported here: a program of its own compiles under the SDK's Python (see
`spanserve.device.compile`). Names, values and defaults of the options are those of Cambricon's sample
bert_squad_pytorch where it has them.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from spanserve.builder.errors import BuildError
from spanserve.builder.json_file import read_object
from spanserve.builder.samples import as_inputs
from spanserve.builder.targets.compiler import compile_graphs
from spanserve.builder.targets.target import BuildRequest, Compiled
from spanserve.bundle import Arch, Bundle, Graph, Runtime
from spanserve.device import Device, DeviceSpec
from spanserve.device.architectures import CLUSTERS
from spanserve.qa import Window

PARSERS = ("pytorch", "onnx")
PREFERENCES = ("auto", "fast", "high_precision")
#: Lengths of a graph whose length may vary: a row's logits may depend on how far it is padded.
_MULTIPLE = 16
#: Settings that the manifest states, so that only the option that states both may make them.
_STATED = {
    "archs": "--mlu-arch and --cluster-num",
    "graph_shape_mutable": "--dynamic-shape or --static-shape",
    "dim_range": "--max-batch-size, --max-seq-length and --length-buckets",
    "precision_config.precision_mode": "--precision",
}
#: The version of ONNX that a public sample's BERT was parsed from (roberta_pytorch in magicmind_cloud).
_OPSET = 11

# torch is imported where it is used: `spanserve build --help` does not need it.


@dataclass(frozen=True, slots=True, kw_only=True)
class MagicMindOptions:
    """How to compile, and where to run."""

    #: The interpreter that has the SDK; None: none was named.
    python: str | None = None
    #: Variables for children under that interpreter only, such as LD_LIBRARY_PATH.
    environment: Mapping[str, str] = field(default_factory=dict)
    #: The card that calibrates, verifies and is timed.
    device: str = "mlu:0"
    #: Whether to run the result on the card; calibration needs a card all the same.
    verify: bool = True
    parser: str = "pytorch"
    #: Whether the batch may be anything up to the largest, and without buckets the length as well.
    dynamic: bool = True
    #: One graph for each of these lengths instead of one for all.
    length_buckets: tuple[int, ...] = ()
    arch: str = "mtp_372"
    #: Numbers of clusters to compile for: 6 is an MLU370-S4, 8 an X4. None: those of the architecture.
    clusters: tuple[int, ...] | None = None
    type64to32_conversion: bool = True
    computation_preference: str = "auto"
    #: JSON file of the SDK's builder settings, other than those the manifest states; merged last, so it wins.
    build_config: Path | None = None
    #: "ip:port" of a calibration server on a machine with a card.
    calibration_remote: str | None = None


class MagicMindTarget:
    """`--target magicmind`."""

    name = "magicmind"
    precisions = (
        "force_float32",
        "force_float16",
        "qint8_mixed_float16",
        "qint8_mixed_float32",
        "qint16_mixed_float16",
        "qint16_mixed_float32",
    )
    calibrated = frozenset(name for name in precisions if name.startswith("qint"))
    algorithms = ("linear", "eqnm")
    mixable = frozenset(precisions[1:])
    without_device = "--no-verify builds without running it"
    packages = ()
    has_options = True
    has_variants = False

    def __init__(self, options: MagicMindOptions) -> None:
        self.options = options

    @classmethod
    def make(cls, options: Callable[[], MagicMindOptions]) -> MagicMindTarget:
        """With the options of the command.

        Raises:
            BuildError, DeviceError: one is not fit.
        """
        return cls(options())

    def best_precisions(self) -> tuple[str, ...]:
        return self.precisions[:1]

    def graph_of(self, precision: str) -> str:
        return precision

    def length_multiple(self, max_seq_length: int) -> int:
        if self.options.length_buckets:
            return math.gcd(*self.options.length_buckets)
        return _MULTIPLE if self.options.dynamic else max_seq_length

    def check(self, precision: str, max_seq_length: int) -> None:
        options = self.options
        if options.python is None:
            raise BuildError(
                "target magicmind compiles under the SDK's Python: name that interpreter with "
                "--magicmind-python or SPANSERVE_MAGICMIND_PYTHON"
            )
        if shutil.which(options.python) is None:
            raise BuildError(f"magicmind_python {options.python} does not exist, or is not a program")
        for name, value, known in (
            ("parser", options.parser, PARSERS),
            ("computation_preference", options.computation_preference, PREFERENCES),
        ):
            if value not in known:
                raise BuildError(f"{name} {value!r} is not known, only {', '.join(known)}")
        if options.clusters is None and options.arch not in CLUSTERS:
            raise BuildError(
                f"mlu_arch {options.arch!r}: clusters are known only for {', '.join(CLUSTERS)}; "
                "give this card's with --cluster-num"
            )
        if min(self._clusters, default=0) < 1:
            raise BuildError(f"cluster_num {list(self._clusters)}: at least one number from 1 is needed")
        if options.calibration_remote is not None and precision not in self.calibrated:
            raise BuildError(f"{precision} needs no calibration: leave --calibration-remote out")
        self._check_lengths(max_seq_length)
        self._extra()
        if not DeviceSpec.parse(options.device).kind.sdk_python:
            raise BuildError(f"device {options.device!r} is not a card: target magicmind needs mlu:N")

    def check_algorithm(self, algorithm: str) -> None:
        inner = (self._extra() or {}).get("precision_config")
        activations = inner.get("activation_quant_algo") if isinstance(inner, dict) else None
        if algorithm == "eqnm" and activations == "asymmetric":
            raise BuildError(
                "calibration_algo eqnm is for symmetric quantisation: --build-config has "
                "precision_config.activation_quant_algo asymmetric"
            )

    def compile(self, request: BuildRequest) -> Compiled:
        options = self.options
        network = self._export(request)
        lengths = options.length_buckets or (request.max_seq_length,)
        graphs = [self._graph(request, length, several=len(lengths) > 1) for length in lengths]
        assert options.python is not None
        done = compile_graphs(
            {
                "parser": options.parser,
                "network": str(network),
                "input_dtypes": [tensor.dtype.upper() for tensor in request.model.family.inputs],
                "config": self.config(request.precision),
                "calibration": self._calibration(request.precision, request.algorithm),
                "keep_float32": list(request.keep_float32),
                "graphs": graphs,
            },
            python=options.python,
            environment=options.environment,
            folder=request.folder,
            on_step=request.on_step,
        )
        files = tuple(Path(graph["output"]).name for graph in graphs)
        return Compiled(
            graphs=tuple(
                Graph(max_length=length, file=file, dynamic=options.dynamic)
                for length, file in zip(lengths, files, strict=True)
            ),
            files=files,
            runtime=_runtime(done["sdk_version"]),
            arch=(Arch(name=options.arch, clusters=self._clusters),),
        )

    def open(self, bundle: Bundle) -> Device | None:
        options = self.options
        if not options.verify:
            return None
        assert options.python is not None
        return Device(
            bundle,
            DeviceSpec.parse(options.device),
            slots=1,
            python=options.python,
            environment=options.environment,
        )

    def config(self, precision: str) -> dict[str, Any]:
        """The builder's settings as the compile step takes them."""
        options = self.options
        return {
            "precision": precision,
            "archs": [[options.arch, list(self._clusters)]],
            "computation_preference": options.computation_preference,
            "type64to32_conversion": options.type64to32_conversion,
            "extra": self._extra(),
        }

    @property
    def _clusters(self) -> tuple[int, ...]:
        """Numbers of clusters to compile for, once `check` has passed."""
        options = self.options
        return CLUSTERS[options.arch] if options.clusters is None else options.clusters

    def _check_lengths(self, max_seq_length: int) -> None:
        buckets = self.options.length_buckets
        if not buckets:
            multiple = self.length_multiple(max_seq_length)
            if max_seq_length % multiple:
                raise BuildError(f"max_seq_length {max_seq_length} is not a multiple of {multiple}")
            return
        if list(buckets) != sorted(set(buckets)) or buckets[0] < _MULTIPLE or buckets[-1] != max_seq_length:
            raise BuildError(
                f"length_buckets {list(buckets)}: ascending lengths are needed, from {_MULTIPLE} up to "
                f"max_seq_length {max_seq_length}"
            )
        step = math.gcd(*buckets)
        if self.options.dynamic and list(buckets) != list(range(step, max_seq_length + 1, step)):
            # A worker pads to multiples of the step, and each must be the length of a graph.
            raise BuildError(
                f"length_buckets {list(buckets)} are not the multiples of one length, as 128,256,384 are; "
                "others need --static-shape"
            )

    def _extra(self) -> dict[str, Any] | None:
        path = self.options.build_config
        if path is None:
            return None
        content = read_object(path)
        if content is None:
            raise BuildError(f"build_config {path} does not exist")
        inner = content.get("precision_config")
        inner = inner if isinstance(inner, dict) else {}
        given = {*content, *(f"precision_config.{key}" for key in inner)}
        for setting, options in _STATED.items():
            if setting in given:
                raise BuildError(
                    f"build_config {path} has {setting}, which the bundle states as well: give {options} instead"
                )
        return content

    def _export(self, request: BuildRequest) -> Path:
        from spanserve.builder.export import export_onnx, export_trace

        family = request.model.family
        request.on_step(f"exporting for MagicMind's {self.options.parser} parser")
        network = family.to_plain(request.model.module)
        if self.options.parser == "onnx":
            path = request.folder / "network.onnx"
            export_onnx(network, path, inputs=family.inputs, opset=_OPSET)
        else:
            path = request.folder / "network.pt"
            export_trace(network, path, inputs=family.inputs, length=request.max_seq_length)
        return path

    def _graph(self, request: BuildRequest, length: int, *, several: bool) -> dict[str, Any]:
        """One graph of the request, with its calibration samples on disk."""
        largest = [request.max_batch_size, length]
        shortest = length if self.options.length_buckets else _MULTIPLE
        return {
            "shape": largest,
            "dim_range": {"min": [1, shortest], "max": largest} if self.options.dynamic else None,
            "output": str(request.folder / (f"model-{length}.mm" if several else "model.mm")),
            "samples": _write_samples(request, length),
        }

    def _calibration(self, precision: str, algorithm: str) -> dict[str, Any] | None:
        if precision not in self.calibrated:
            return None
        index = DeviceSpec.parse(self.options.device).index
        return {"remote": self.options.calibration_remote, "device": index, "algorithm": algorithm}


def _write_samples(request: BuildRequest, length: int) -> list[str]:
    """Calibration batches for a graph, int32 [N, B, S] per input; rows are repeated to fill the last batch."""
    if not request.calibration:
        return []
    rows: Sequence[Window] = [window for window in request.calibration if window.tokens <= length]
    if not rows:
        raise BuildError(f"no question of the calibration text fits a length of {length} tokens")
    size = request.max_batch_size
    count = -(-len(rows) // size)
    filled = [rows[index % len(rows)] for index in range(count * size)]
    files = []
    for name, batch in as_inputs(filled, length, request.model.family.inputs).items():
        file = request.folder / f"{name}-{length}.npy"
        np.save(file, batch.reshape(count, size, length))
        files.append(str(file))
    return files


def _runtime(version: str) -> Runtime:
    """A model is taken by releases of the minor version that compiled it; others are not known to take it."""
    major, minor = version.split(".")[:2]
    return Runtime(
        name="magicmind", version=version, accepts=(f"{major}.{minor}", f"{major}.{int(minor) + 1}")
    )

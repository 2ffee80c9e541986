"""The CPU, through OpenVINO: float32, bfloat16, int8, and int8 with its float parts in bfloat16.

bfloat16 is the float32 graph; the runtime rounds while it loads, the float parts of int8 too. int8 is static: every
activation has one scale for all rows and tokens, measured on text beforehand, so that a row's logits do not depend on
its neighbours, as scales taken from the current batch would.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spanserve.builder.errors import BuildError
from spanserve.builder.samples import Inputs, as_inputs
from spanserve.builder.tally import Tally
from spanserve.builder.targets.target import BuildRequest, Compiled
from spanserve.bundle import Bundle, Graph, Runtime, padded_length
from spanserve.device import Device, DeviceSpec
from spanserve.device.compile.kept import matching
from spanserve.device.handle import thread_share
from spanserve.device.limits import MAX_SLOTS

if TYPE_CHECKING:
    from spanserve.builder.targets.magicmind import MagicMindOptions

#: Measured for all three precisions: logits are bit-equal at multiples of 16, not at multiples of 1 or 8.
_MULTIPLE = 16
#: ONNX operators with a normalisation of layers among them, which OpenVINO runs as one.
_OPSET = 17
#: Nodes that compute nothing.
_NO_OPERATORS = ("Constant", "Parameter", "Result")
#: Names that OpenVINO gives by counting; those of the model hold slashes.
_COUNTED = re.compile(r"\w+_\d+")

# openvino, nncf and torch are imported where they are used: `spanserve build --help` needs none of them.
# Without this package openvino and nncf report nothing to their maker.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


class CpuTarget:
    """`--target cpu`."""

    name = "cpu"
    precisions = ("float32", "bfloat16", "int8", "int8_mixed_bfloat16")
    calibrated = frozenset({"int8", "int8_mixed_bfloat16"})
    algorithms = ("minmax", "percentile", "histogram")
    #: Not those with bfloat16: the runtime rounds all matrix products of a graph, whatever is marked in it.
    mixable = frozenset({"int8"})
    has_variants = True
    without_device = ""
    packages = ("openvino", "nncf")
    has_options = False

    @classmethod
    def make(cls, options: Callable[[], MagicMindOptions]) -> CpuTarget:
        """It has no options."""
        return cls()

    def length_multiple(self, max_seq_length: int) -> int:
        return _MULTIPLE

    def best_precisions(self) -> tuple[str, ...]:
        """bfloat16 gives nearly float32's answers, which int8 does not; processors without it take the same graph."""
        return ("bfloat16", "float32") if _has_bfloat16() else ("float32",)

    def graph_of(self, precision: str) -> str:
        return {"bfloat16": "float32", "int8_mixed_bfloat16": "int8"}.get(precision, precision)

    def check(self, precision: str, max_seq_length: int) -> None:
        if max_seq_length % _MULTIPLE:
            raise BuildError(f"max_seq_length {max_seq_length} is not a multiple of {_MULTIPLE}")
        if precision.endswith("bfloat16") and not _has_bfloat16():
            raise BuildError(
                f"this processor has no bfloat16 arithmetic, so a {precision} bundle can be neither verified nor "
                "timed here: build it on one that has (AVX512_BF16 or AMX), or take float32 or int8"
            )

    def check_algorithm(self, algorithm: str) -> None:
        """All go with everything."""

    def compile(self, request: BuildRequest) -> Compiled:
        import openvino as ov

        from spanserve.builder.export import Spans, export_onnx

        request.on_step("exporting to ONNX")
        onnx = request.folder / "model.onnx"
        export_onnx(Spans(request.model.module), onnx, inputs=request.model.family.inputs, opset=_OPSET)
        request.on_step(f"compiling for the CPU, {request.precision}")
        try:
            graph = ov.convert_model(onnx)
            if request.precision == "int8":
                graph = _quantize(graph, _inputs(request), request.algorithm, _kept(graph, request))
        except RuntimeError as error:
            raise BuildError(f"OpenVINO cannot compile the graph: {error}") from None
        file = request.folder / f"{request.stem}.xml"
        ov.save_model(graph, file, compress_to_fp16=False)
        _forget_origin(file)
        return Compiled(
            graphs=(Graph(max_length=request.max_seq_length, file=file.name),),
            files=(file.name, f"{request.stem}.bin"),
            runtime=_runtime(),
        )

    def open(self, bundle: Bundle) -> Device:
        spec = DeviceSpec.parse("cpu")
        return Device(bundle, spec, slots=min(thread_share(spec).threads, MAX_SLOTS))


def _has_bfloat16() -> bool:
    import openvino as ov

    return "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _runtime() -> Runtime:
    import openvino as ov

    release = ov.__version__.split("-")[0]  # 2026.4.1-22982-abcdef
    year, month = release.split(".")[:2]
    return Runtime(name="openvino", version=release, accepts=(f"{year}.{month}", str(int(year) + 1)))


def _inputs(request: BuildRequest) -> Tally[Inputs]:
    """The calibration windows one by one, padded as a worker pads a window on its own."""
    longest = request.max_seq_length
    inputs = [
        as_inputs([window], padded_length(window.tokens, _MULTIPLE, longest), request.model.family.inputs)
        for window in request.calibration
    ]
    return Tally(inputs, "windows of the calibration text", request.on_step)


def _kept(graph: Any, request: BuildRequest) -> list[str]:
    """Names of the nodes that stay in float32.

    Raises:
        BuildError: something is named that is not in the graph.
    """
    nodes = [
        (node.get_friendly_name(), node.get_type_name())
        for node in graph.get_ops()
        if node.get_type_name() not in _NO_OPERATORS
    ]
    try:
        kept = [nodes[place][0] for place in matching(request.keep_float32, nodes)]
    except ValueError as error:
        raise BuildError(f"keep_float32: {error}") from None
    if kept:
        request.on_step(f"keeping {len(kept)} of {len(nodes)} nodes in float32")
    return kept


def _quantize(graph: Any, calibration: Tally[Inputs], algorithm: str, kept: list[str]) -> Any:
    """Weights and activations of every matrix product in 8 bits, embedding tables in 8 bits per row.

    Args:
        algorithm: how the ranges of activations are found: of all values, of all but one in ten thousand at each end of
            a window, or where a histogram of all loses least.
        kept: names of nodes that stay as they are, with their weights.
    """
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="nncf")
        import nncf
        from nncf.quantization.range_estimator import RangeEstimatorParametersSet

        nncf.set_log_level(logging.ERROR)
        tables = [
            node.get_friendly_name()
            for node in graph.get_ops()
            if node.get_type_name() == "Gather" and node.get_output_partial_shape(0).rank.get_length() == 3
        ]
        quantized = nncf.quantize(
            graph,
            nncf.Dataset(calibration, lambda inputs: inputs),
            model_type=nncf.ModelType.TRANSFORMER,
            preset=nncf.QuantizationPreset.MIXED,
            subset_size=len(calibration),
            ignored_scope=nncf.IgnoredScope(names=list(dict.fromkeys([*tables, *kept]))),
            advanced_parameters=nncf.AdvancedQuantizationParameters(
                # All 8 bits of a weight: half of them only serve processors without VNNI.
                overflow_fix=nncf.OverflowFix.DISABLE,
                activations_range_estimator_params={
                    "minmax": RangeEstimatorParametersSet.MINMAX,
                    "percentile": RangeEstimatorParametersSet.MEAN_QUANTILE,
                    "histogram": RangeEstimatorParametersSet.HISTOGRAM,
                }[algorithm],
            ),
        )
        return nncf.compress_weights(
            quantized,
            mode=nncf.CompressWeightsMode.INT8_ASYM,
            ignored_scope=nncf.IgnoredScope(names=kept, validate=False),
        )


def _forget_origin(file: Path) -> None:
    """Drop what the graph remembers of its making, so that equal weights give equal files.

    Notes hold paths of this machine; names such as `Constant_3686` count what this process made before.
    """
    tree = ET.parse(file)  # noqa: S314 - written by the line before
    root = tree.getroot()
    for notes in root.findall("rt_info"):
        root.remove(notes)
    for layer in root.iter("layer"):
        if _COUNTED.fullmatch(layer.attrib["name"]):
            layer.attrib["name"] = f"{layer.attrib['type']}_{layer.attrib['id']}"
    tree.write(file, encoding="utf-8", xml_declaration=True)

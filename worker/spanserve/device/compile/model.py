"""One MagicMind model from one network: parse, set the inputs, configure, calibrate, build, serialise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import magicmind.python.runtime as mm
from magicmind.python.runtime.parser import Parser

from .build_config import steps
from .calibration import calibrate
from .failure import StepFailed, done, made
from .precision import keep_float32

#: Start and end logits.
OUTPUT_COUNT = 2
#: The samples' own name for every model.
_NAME = "magicmind_model_name"


def make_model(
    request: dict[str, Any], graph: dict[str, Any], on_step: Callable[[str], None]
) -> dict[str, Any]:
    """Build one graph and write it to its file.

    Args:
        request, graph: as in the package's description.
        on_step: called with the name of every step.

    Returns:
        What the model says of itself: name, type and shape of inputs and outputs.

    Raises:
        StepFailed: with the step and the SDK's message.
    """
    dtypes = [getattr(mm.DataType, name) for name in request["input_dtypes"]]
    on_step("parse")
    network = _parse(request, dtypes)
    if request["keep_float32"]:
        on_step("keep")
        keep_float32(network, request["keep_float32"])
    on_step("shape")
    for index, dtype in enumerate(dtypes):
        tensor = made("shape", f"input {index}", network.get_input, index)
        done("shape", f"shape of input {index}", tensor.set_dimension, mm.Dims(list(graph["shape"])))
        done("shape", f"type of input {index}", tensor.set_data_type, dtype)
    on_step("configure")
    config = mm.BuilderConfig()
    config.mlu_archs = [name for name, _ in request["config"]["archs"]]
    for text in steps(request["config"], graph["dim_range"], len(dtypes)):
        done("configure", text, config.parse_from_string, text)
    if request["calibration"] is not None:
        on_step("calibrate")
        told = request["calibration"]
        calibrate(network, config, graph["samples"], told["remote"], told["algorithm"])
    on_step("build")
    model = made("build", "build_model", mm.Builder().build_model, _NAME, network, config)
    on_step("serialise")
    done("serialise", graph["output"], model.serialize_to_file, graph["output"])
    on_step("check")
    return _described(model, request["input_dtypes"])


def _parse(request: dict[str, Any], dtypes: list[Any]) -> Any:
    """The network in the request's file."""
    if request["parser"] == "pytorch":
        parser = Parser(mm.ModelKind.kPytorch)
        done("parse", "pytorch-input-dtypes", parser.set_model_param, "pytorch-input-dtypes", dtypes)
    else:
        parser = Parser(mm.ModelKind.kOnnx)
    network = mm.Network()
    done("parse", request["parser"], parser.parse, network, request["network"])
    found = (network.get_input_count(), network.get_output_count())
    if found != (len(dtypes), OUTPUT_COUNT):
        raise StepFailed("parse", f"inputs and outputs are {found}, not {(len(dtypes), OUTPUT_COUNT)}")
    return network


def _described(model: Any, input_dtypes: list[str]) -> dict[str, Any]:
    """What the built model says of itself, checked where the worker depends on it."""
    takes, gives = list(model.get_input_data_types()), list(model.get_output_data_types())
    if takes != [getattr(mm.DataType, name) for name in input_dtypes]:
        raise StepFailed("check", f"the model expects inputs of {takes}, not {input_dtypes}")
    if gives != [mm.DataType.FLOAT32] * OUTPUT_COUNT:
        raise StepFailed("check", f"the model gives outputs of {gives}, a worker reads two of FLOAT32")
    return {
        "inputs": _tensors(model.get_input_names(), takes, model.get_input_dimensions()),
        "outputs": _tensors(model.get_output_names(), gives, model.get_output_dimensions()),
    }


def _tensors(names: Any, types: Any, shapes: Any) -> list[dict[str, Any]]:
    return [
        {"name": str(name), "type": str(dtype), "shape": [int(size) for size in shape.GetDims()]}
        for name, dtype, shape in zip(names, types, shapes)
    ]

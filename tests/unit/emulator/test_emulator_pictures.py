"""Networks with float inputs of four dimensions, as resnet50_onnx builds and runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.common.types import get_datatype_by_numpy
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.kit.networks import Picture, exported_picture
from tests.unit.emulator.kit import Kit

MEAN, VAR = [123.675, 116.28, 103.53], [3409.976, 3262.694, 3291.891]
PIXELS = {
    "insert_bn_before_firstnode": {"0": {"mean": MEAN, "var": VAR}},
    "convert_input_layout": {"0": {"src": "NCHW", "dst": "NHWC"}},
}


@pytest.fixture
def network(tmp_path: Path) -> mm.Network:
    """A parsed network of images."""
    file = exported_picture(Picture(), tmp_path / "picture.onnx")
    network = mm.Network()
    assert Parser(mm.ModelKind.kOnnx).parse(network, str(file)).ok()
    return network


class Once(mm.CalibDataInterface):
    """One sample, as resnet50_onnx has it: normalised, in the network's own layout."""

    def __init__(self, data: Any) -> None:
        super().__init__()
        self.data, self.given = data, False

    def get_shape(self) -> mm.Dims:
        return mm.Dims(self.data.shape)

    def get_data_type(self) -> mm.DataType:
        return get_datatype_by_numpy(self.data.dtype)

    def get_sample(self) -> Any:
        return self.data

    def next(self) -> mm.Status:
        if self.given:
            return mm.Status(mm.Code.OUT_OF_RANGE, "No more data.")
        self.given = True
        return mm.Status()

    def reset(self) -> mm.Status:
        self.given = False
        return mm.Status()


def built(kit: Kit, network: mm.Network, *settings: Any) -> mm.Model:
    config = mm.BuilderConfig()
    for part in settings:
        assert config.parse_from_string(json.dumps(part)).ok()
    if "qint" in json.dumps(settings):
        kit.activate()
        calibrator = mm.Calibrator([Once(np.zeros((2, 3, 8, 8), np.float32))])
        assert calibrator.set_quantization_algorithm(mm.QuantizationAlgorithm.LINEAR_ALGORITHM).ok()
        assert calibrator.calibrate(network, config).ok()
    model = mm.Builder().build_model("network", network, config)
    assert model is not None
    assert model.serialize_to_file(str(kit.folder / "model")).ok()
    read = mm.Model()
    assert read.deserialize_from_file(str(kit.folder / "model")).ok()
    return read


def run(kit: Kit, model: mm.Model, array: Any) -> Any:
    device = kit.activate()
    engine = model.create_i_engine()
    assert engine is not None
    context, queue = engine.create_i_context(), device.create_queue()
    assert context is not None
    assert queue is not None
    inputs = context.create_inputs()
    assert inputs[0].from_numpy(array).ok()
    outputs: list[mm.Tensor] = []
    status = context.enqueue(inputs, outputs, queue)
    assert status.ok(), status
    assert queue.sync().ok()
    return outputs[0].asnumpy()


@pytest.mark.parametrize("precision", ["force_float32", "force_float16", "qint8_mixed_float16"])
@pytest.mark.parametrize("dynamic", [True, False])
def test_pixels(kit: Kit, network: mm.Network, precision: str, dynamic: bool) -> None:
    """Pixels go in as uint8, channels last; normalisation and turning are the model's, at every precision."""
    assert [-1, 3, 8, 8] == network.get_input(0).get_dimension().GetDims()
    assert network.get_input(0).set_dimension(mm.Dims((4, 3, 8, 8))).ok()
    limits = {"dim_range": {"0": {"min": [1, 3, 8, 8], "max": [64, 3, 8, 8]}}} if dynamic else {}
    mode = {"precision_config": {"precision_mode": precision}, "graph_shape_mutable": dynamic}
    model = built(kit, network, mode, limits, PIXELS)
    assert [mm.DataType.UINT8] == model.get_input_data_types()
    assert [-1 if dynamic else 4, 8, 8, 3] == model.get_input_dimension(0).GetDims()
    assert [-1 if dynamic else 4, 10] == model.get_output_dimensions()[0].GetDims()
    pixels = np.random.default_rng(4).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    normal = (pixels - np.array(MEAN)) / np.sqrt(VAR)
    with torch.no_grad():
        expected = Picture()(torch.from_numpy(normal.transpose(0, 3, 1, 2).astype(np.float32))).numpy()
    for array in (pixels, pixels.astype(np.float64)):  # the sample fills a buffer of float64
        np.testing.assert_allclose(run(kit, model, array), expected, atol=1e-4)


def test_float_inputs(kit: Kit, network: mm.Network) -> None:
    """Without a normalisation the input is float32, or float16 where that was set; whole numbers do not fit."""
    assert [mm.DataType.FLOAT32] == built(kit, network).get_input_data_types()
    assert network.get_input(0).set_data_type(mm.DataType.FLOAT16).ok()
    model = built(kit, network)
    image = np.ones((1, 3, 8, 8), np.float16)
    with torch.no_grad():
        expected = Picture()(torch.ones((1, 3, 8, 8))).numpy()
    np.testing.assert_allclose(run(kit, model, image), expected, atol=1e-4)
    assert network.get_input(0).set_data_type(mm.DataType.INT32).ok()
    assert mm.Builder().build_model("network", network) is None


def test_output_layout(kit: Kit) -> None:
    """An output can be turned as well."""
    conv, network = Picture().conv, mm.Network()
    file = exported_picture(conv, kit.folder / "conv.onnx")
    assert Parser(mm.ModelKind.kOnnx).parse(network, str(file)).ok()
    model = built(kit, network, {"convert_output_layout": {"0": {"src": "NCHW", "dst": "NHWC"}}})
    image = np.random.default_rng(5).random((2, 3, 8, 8), np.float32)
    with torch.no_grad():
        expected = conv(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(run(kit, model, image), expected.transpose(0, 2, 3, 1), atol=1e-4)


def test_type_of_an_input(kit: Kit, network: mm.Network) -> None:
    """A tensor of another type than the graph's input is refused, whoever made it."""
    device = kit.activate()
    engine = built(kit, network).create_i_engine()
    assert engine is not None
    context, queue = engine.create_i_context(), device.create_queue()
    assert context is not None
    assert queue is not None
    tensor = mm.Tensor((1, 3, 8, 8), mm.DataType.INT32)
    assert tensor.from_numpy(np.ones((1, 3, 8, 8), np.int32)).ok()
    assert "input 0 is int32, the graph takes float32" in str(context.enqueue([tensor], [], queue))

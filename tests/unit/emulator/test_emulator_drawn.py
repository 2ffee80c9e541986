"""Networks that a program draws node by node, and parsed ones that it adds to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.emulator.magicmind.python import runtime as mm
from tests.emulator.magicmind.python.runtime.parser import Parser
from tests.kit.networks import Picture, exported_picture
from tests.unit.emulator.kit import Kit


def run(kit: Kit, network: mm.Network, *arrays: Any, read: bool = True) -> list[Any]:
    """What a network gives, built, and serialised in between unless told otherwise."""
    model = mm.Builder().build_model("drawn", network, mm.BuilderConfig())
    assert model is not None
    if read:
        assert model.serialize_to_file(str(kit.folder / "drawn")).ok()
        model = mm.Model()
        status = model.deserialize_from_file(str(kit.folder / "drawn"))
        assert status.ok(), status
    device = kit.activate()
    engine = model.create_i_engine()
    assert engine is not None
    context, queue = engine.create_i_context(), device.create_queue()
    assert context is not None
    assert queue is not None
    inputs = context.create_inputs()
    for tensor, array in zip(inputs, arrays, strict=True):
        assert tensor.from_numpy(array).ok()
    outputs: list[mm.Tensor] = []
    status = context.enqueue(inputs, outputs, queue, input_by_tensor_order=True)
    assert status.ok(), status
    status = queue.sync()
    assert status.ok(), status
    return [tensor.asnumpy() for tensor in outputs]


def constant(network: mm.Network, values: list[int]) -> mm.ITensor:
    dims = mm.Dims([len(values)])
    return network.add_i_const_node(
        dtype=mm.DataType.INT32, dimensions=dims, value=np.array(values, np.int32)
    ).get_output(0)


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize("dims", [[1], []], ids=["one", "number"])
def test_mask_of_lengths(kit: Kit, read: bool, dims: list[int]) -> None:
    """Places behind the end of each text, and memory filled with zeros (as tacotron2_onnx draws them).

    Sizes are vectors of one, or numbers, as in the release for MagicMind 1.0.
    """
    network = mm.Network()
    zero = network.add_i_const_node(mm.DataType.FLOAT32, mm.Dims([]), [0]).get_output(0)
    none = network.add_i_const_node(mm.DataType.INT32, mm.Dims([]), [0]).get_output(0)
    one = constant(network, [1])
    size = network.add_input(mm.DataType.INT32, mm.Dims(dims))
    lengths = network.add_input(mm.DataType.INT32)
    longest = network.add_input(mm.DataType.INT32, mm.Dims(dims))
    places = network.add_i_range_node(constant(network, [0]), longest, one).get_output(0)
    column = network.add_i_unsqueeze_node(lengths, one).get_output(0)
    inside = network.add_i_logic_node(places, column, mm.enums.ILogic.LT).get_output(0)
    whole = network.add_i_cast_node(inside, mm.DataType.INT32).get_output(0)
    behind = network.add_i_logic_node(whole, none, mm.enums.ILogic.LE).get_output(0)
    network.mark_output(network.add_i_fill_node(size, zero).get_output(0))
    network.mark_output(behind)
    arrays = [np.array(values, np.int32) for values in ([12], [1, 3], [3])]
    memory, mask = run(kit, network, arrays[0].reshape(dims), arrays[1], arrays[2].reshape(dims), read=read)
    assert ((12,), np.float32) == (memory.shape, memory.dtype)
    assert [[False, True, True], [False, False, False]] == mask.tolist()


def test_cut_to_the_longest(kit: Kit) -> None:
    """A slice whose end is a maximum: its shape is known after the run only (as tacotron2_onnx draws it)."""
    network = mm.Network()
    sounds, lengths = network.add_input(mm.DataType.FLOAT32), network.add_input(mm.DataType.INT32)
    first = constant(network, [0])
    longest = network.add_i_reduce_node(lengths, first, mm.IReduce.MAX, False).get_output(0)
    cut = network.add_i_slice_node(sounds, first, longest, constant(network, [2])).get_output(0)
    assert network.mark_output(cut).ok()
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    (found,) = run(kit, network, array, np.array([[2], [3]], np.int32))
    np.testing.assert_array_equal(array[:, :, :3], found)


def test_behind_a_parsed_network(kit: Kit) -> None:
    """Outputs are taken away, turned and activated, and marked again (as mm_convert does)."""
    network = mm.Network()
    conv = Picture().conv
    file = exported_picture(conv, kit.folder / "conv.onnx")
    assert Parser(mm.ModelKind.kOnnx).parse(network, str(file)).ok()
    raw = network.get_output(0)
    active = network.add_i_activation_node(raw, activation_type=mm.IActivation.SIGMOID).get_output(0)
    turned = network.add_i_permute_node(active, constant(network, [0, 2, 3, 1])).get_output(0)
    assert network.unmark_output(raw).ok()
    assert not network.unmark_output(raw).ok()
    assert network.mark_output(turned).ok()
    assert 1 == network.get_output_count()
    image = np.random.default_rng(5).random((2, 3, 8, 8), np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(conv(torch.from_numpy(image))).numpy().transpose(0, 2, 3, 1)
    (found,) = run(kit, network, image)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_detection(kit: Kit, capfd: pytest.CaptureFixture[str]) -> None:
    """A detection node is refused with the reason."""
    network = kit.network()
    assert network.add_i_detection_output_node([network.get_output(0)], constant(network, [1])) is None
    assert "in no public text" in capfd.readouterr().err

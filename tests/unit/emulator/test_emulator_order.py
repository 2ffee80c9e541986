"""Orders of calls that public programs keep to, each in its own way; whose way it is stands in brackets."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulator.magicmind.python import runtime as mm
from tests.unit.emulator.kit import Kit


def logits(context: mm.Context, queue: mm.Queue, kit: Kit) -> list[mm.Tensor]:
    """A batch from start to end."""
    inputs = context.create_inputs()
    kit.fill(inputs)
    outputs: list[mm.Tensor] = []
    assert context.enqueue(inputs, outputs, queue).ok()
    assert queue.sync().ok()
    return outputs


def test_without_a_system(kit: Kit) -> None:
    """A card is activated, and a queue made, before a model is read, and no System is ever made (mm_convert)."""
    file = kit.file()
    device = kit.activate()
    queue = device.create_queue()
    assert queue is not None
    model = mm.Model()
    assert model.deserialize_from_file(file).ok()
    engine = model.create_i_engine()
    assert engine is not None
    context = engine.create_i_context()
    assert context is not None
    assert (2, 16) == logits(context, queue, kit)[0].shape


def test_reading_in_a_system(kit: Kit) -> None:
    """A model is read while a System is open (transformers_pytorch), or initialised by hand (a YOLOX port)."""
    file = kit.file()
    system = mm.System()
    assert system.initialize().ok()
    with mm.System():
        assert mm.Model().deserialize_from_file(file).ok()
    assert mm.Model().deserialize_from_file(file).ok()
    assert system.destory().ok()


def test_number_of_a_device(kit: Kit) -> None:
    """`dev_id` can be set (maskrcnn_pytorch); the card stays that of `id`."""
    device = mm.Device()
    device.dev_id = 7
    assert device.active().ok()
    assert device.create_queue() is not None


def test_outputs_made_before(kit: Kit) -> None:
    """Outputs made for inputs that have data are a list on a mutable graph too (bert_tensorflow and others)."""
    context, queue, inputs = kit.context()
    assert "UNAVAILABLE" in str(context.create_outputs(inputs, suppress_infer_shape_error=True))
    kit.fill(inputs)
    outputs = context.create_outputs(inputs, suppress_infer_shape_error=True)
    assert [mm.Tensor] * 2 == [type(tensor) for tensor in outputs]
    assert context.enqueue(inputs, outputs, queue).ok()
    with pytest.raises(RuntimeError, match="synchronise the queue"):
        outputs[0].asnumpy()
    assert queue.sync().ok()
    assert (2, 16) == outputs[0].asnumpy().shape


@pytest.mark.parametrize("dynamic", [True, False])
def test_outputs_used_again(kit: Kit, dynamic: bool) -> None:
    """One list of outputs serves batch after batch, and holds the last one's results (samples made once)."""
    context, queue, inputs = kit.context(dynamic=dynamic)
    outputs: list[mm.Tensor] = []
    found = []
    for token in (7, 8):
        kit.fill(inputs, (4, 32), token)
        assert context.enqueue(inputs, outputs, queue).ok()
        assert queue.sync().ok()
        found.append(outputs[0].asnumpy())
    assert 2 == len(outputs)
    assert not np.array_equal(*found)


def test_outputs_of_another_number(kit: Kit) -> None:
    """A list that is not as long as the graph has outputs is refused."""
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    outputs = context.create_outputs(inputs)[:1]
    assert "the graph has 2 outputs" in str(context.enqueue(inputs, outputs, queue))


def test_order_of_tensors(kit: Kit) -> None:
    """`enqueue` takes input_by_tensor_order (tacotron2_onnx)."""
    context, queue, inputs = kit.context()
    kit.fill(inputs)
    assert context.enqueue(inputs, [], queue, input_by_tensor_order=True).ok()
    assert queue.sync().ok()


def test_shapes_before_data(kit: Kit) -> None:
    """An input of a fixed graph shows its shape from the start; one that may vary is told its own (mm_convert)."""
    assert [(4, 32)] * 3 == [tensor.shape for tensor in kit.context(dynamic=False)[2]]
    inputs = kit.context()[2]
    assert [(-1, -1)] * 3 == [tensor.shape for tensor in inputs]
    assert inputs[0].resize((2, 16)).ok()
    assert (2, 16) == inputs[0].shape
    assert not inputs[0].resize((2, 16, 1)).ok()


def test_another_machine(
    kit: Kit, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Cards of another machine are reached over the network, and are no devices of this one (mm_convert)."""
    file = kit.file()
    assert mm.remote.IRpcSession.rpc_connect("10.0.0.7:9009") is None
    assert "nothing answers" in capfd.readouterr().err
    monkeypatch.setenv("MM_EMULATOR_REMOTE", "10.0.0.7:9009")
    session = mm.remote.IRpcSession.rpc_connect("10.0.0.7:9009")
    assert session is not None
    device, model = session.get_device_by_id(0), session.create_model()
    assert device is not None
    assert not isinstance(device, mm.resources.Device)
    assert isinstance(mm.Device(), mm.resources.Device)
    assert device.active().ok()
    queue = device.create_queue()
    assert queue is not None
    assert model.deserialize_from_file(file).ok()
    engine = model.create_i_engine()
    assert engine is not None
    context = engine.create_i_context()
    assert context is not None
    assert (2, 16) == logits(context, queue, kit)[0].shape
    kit.activate()
    kit.fill(context.create_inputs())
    assert "100005" in str(queue.sync())
    assert session.get_device_by_id(3) is None

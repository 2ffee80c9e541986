"""Networks that a program draws itself, and tensors that it lays into each other: the decoder of tacotron2_onnx."""

from __future__ import annotations

import pytest

from tests.programs.conftest import Copy

DECODER = """
import sys, numpy
sys.path.insert(0, "infer_python")
sys.path.insert(0, ".")
import magicmind.python.runtime as mm
import decoder
from gen_model.mm_utils import ndarray2mlu
system = mm.System()
system.initialize()
device = mm.Device()
device.id = 0
assert device.active().ok()
lengths = numpy.array([3, 5], numpy.int32)
begin = decoder.load_decoder_input_model(device)
inputs = begin.get_raw_input_tensors()
decoder._check_status(inputs[0].memcpy_from_host(numpy.array([64], numpy.int32)))
inputs[1] = ndarray2mlu(lengths)
decoder._check_status(inputs[2].memcpy_from_host(numpy.array([5], numpy.int32)))
memory, mask = begin.execute(inputs)
assert not memory.asnumpy().any()
numpy.testing.assert_array_equal(mask.asnumpy(), numpy.arange(5) >= lengths[:, None])
laid = mm.Tensor(shape=(2, 3), dtype=mm.DataType.FLOAT32, location=mm.TensorLocation.kMLU)
laid.set_data_address(memory.data_address() + 8, mm.Dims((2, 3)).GetDims())
assert laid.asnumpy().shape == (2, 3)
sounds = numpy.arange(48, dtype=numpy.float32).reshape(2, 3, 8)
cut = decoder.load_melcrop_model(device).execute([ndarray2mlu(sounds), ndarray2mlu(lengths[:, None])])[0]
numpy.testing.assert_array_equal(cut.asnumpy(), sounds[:, :, :5])
system.destory()
"""


@pytest.mark.parametrize("release", ["1.1", "1.2", "1.3"])
def test_tacotron2(copy: Copy, release: str) -> None:
    """Both of its own networks give what numpy gives."""
    sample = "buildin/nlp/SpeechSynthesis/tacotron2_onnx"
    program = copy(f"magicmind_cloud-{release}", sample)
    program.run("python", "-c", DECODER, at=sample)

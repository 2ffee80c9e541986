"""Tensors that programs make, reshape and lay into each other, as tacotron2_onnx does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.emulator.magicmind.python import runtime as mm


def filled(array: Any, dtype: mm.DataType) -> mm.Tensor:
    """A tensor of a program's own, with data."""
    tensor = mm.Tensor(shape=array.shape, dtype=dtype, location=mm.TensorLocation.kMLU)
    assert tensor.from_numpy(array).ok()
    return tensor


def test_made_by_a_program() -> None:
    """It has its shape before it has data."""
    tensor = mm.Tensor(shape=(2, 3), dtype=mm.DataType.FLOAT32, location=mm.TensorLocation.kMLU)
    assert (2, 3) == tensor.shape
    with pytest.raises(RuntimeError, match="there is no data"):
        tensor.asnumpy()
    assert tensor.from_numpy(np.ones((2, 3), np.float32)).ok()
    assert 6 == tensor.asnumpy().sum()


def test_other_type() -> None:
    """`to` with a type gives a tensor of that type; the first one stays."""
    tensor = filled(np.array([1.5, 2.5], np.float16), mm.DataType.FLOAT16)
    converted = tensor.to(mm.DataType.FLOAT32)
    assert np.float32 == converted.asnumpy().dtype
    assert np.float16 == tensor.asnumpy().dtype
    assert [1.5, 2.5] == converted.asnumpy().tolist()


def test_reshaped() -> None:
    """`reshape` changes the tensor itself, between shapes of as many elements."""
    tensor = filled(np.arange(6, dtype=np.int32).reshape(2, 3), mm.DataType.INT32)
    assert tensor.reshape((2, 3, 1)).ok()
    assert (2, 3, 1) == tensor.shape == tensor.asnumpy().shape
    assert "has not the elements" in str(tensor.reshape((4, 2)))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        pytest.param(np.array([5, 6], np.int32), "", id="fits"),
        pytest.param(np.array([[5], [6]], np.int32), "", id="other-shape"),
        pytest.param(np.array([5, 6], np.int64), "2 of int64 for 2 of int32", id="other-type"),
        pytest.param(np.array([5], np.int32), "1 of int32 for 2 of int32", id="too-few"),
    ],
)
def test_bytes_from_the_host(array: Any, message: str) -> None:
    """`memcpy_from_host` converts nothing: the bytes are those of the tensor, whose shape stays."""
    tensor = mm.Tensor((2,), mm.DataType.INT32)
    status = tensor.memcpy_from_host(array)
    assert message in str(status)
    assert status.ok() is (message == "")
    if status.ok():
        assert [5, 6] == tensor.asnumpy().tolist()


def test_bytes_for_no_shape() -> None:
    """A tensor whose shape is open cannot take bytes before it is resized."""
    tensor = mm.Tensor((-1,), mm.DataType.INT32)
    assert "resize first" in str(tensor.memcpy_from_host(np.array([5], np.int32)))
    assert tensor.resize((1,)).ok()
    assert tensor.memcpy_from_host(np.array([5], np.int32)).ok()


def test_tensors_in_a_tensor() -> None:
    """`set_data_address` puts a tensor into the memory of another one, which has to be held."""
    whole = filled(np.arange(6, dtype=np.float32), mm.DataType.FLOAT32)
    address = whole.data_address()
    part = mm.Tensor((1,), mm.DataType.FLOAT32)
    assert part.set_data_address(address + 8, [2, 2]).ok()
    assert [[2.0, 3.0], [4.0, 5.0]] == part.asnumpy().tolist()
    assert "no memory of a tensor" in str(part.set_data_address(address + 16, [3]))
    del whole, part
    assert "no memory of a tensor" in str(mm.Tensor((1,), mm.DataType.FLOAT32).set_data_address(address, [1]))
